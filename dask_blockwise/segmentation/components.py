"""A segment function: connected components of a mask, by cc3d."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..geometry.blocks import Block
from ..labels.parts import by_neighbours

__all__ = ["check_connectivity", "segment_function"]


_NEIGHBOURS: dict[int, dict[int, Literal[4, 6, 8, 18, 26]]] = {
    1: {1: 4},
    2: {1: 4, 2: 8},
    3: {1: 6, 2: 18, 3: 26},
}


def segment_function(
    input_array: NDArray[Any],
    block: Block | None = None,
    connectivity: int = 1,
    each_value: bool = False,
) -> NDArray[np.uint32]:
    """Label the connected components of a mask, or of each label.

    Parameters
    ----------
    input_array : ndarray of bool or int, shape (z, y, x), (y, x) or (x,)
    block : Block, optional
        Not used.
    connectivity : int
        Voxels are neighbours when they differ by 1 along at most so many axes, as in
        scipy.ndimage.generate_binary_structure.
    each_value : bool
        Whether touching voxels of different values are different objects; else all that aren't 0
        are alike.

    Returns
    -------
    ndarray of uint32, of the same shape
        0 is background; objects are numbered from 1.

    Raises
    ------
    TypeError
        If the values are floats.
    ValueError
        If a value is negative, or the connectivity isn't between 1 and the number of axes.

    References
    ----------
    cc3d, https://github.com/seung-lab/connected-components-3d.

    Examples
    --------
    >>> segment_function(np.array([[1, 0, 1], [0, 1, 0]]), connectivity=2)
    array([[1, 0, 1],
           [0, 1, 0]], dtype=uint32)
    """
    if input_array.dtype.kind not in "bui":
        raise TypeError(
            f"Connected components need a mask (bool or integers), got {input_array.dtype}: apply "
            "threshold(volume, ...) first."
        )
    if input_array.dtype.kind == "i" and input_array.size and input_array.min() < 0:
        raise ValueError(
            f"Connected components need a mask or labels that aren't negative, got "
            f"{input_array.min()}, which isn't known to be background: make it so with "
            "map_overlap(np.clip, volume, a_min=0, a_max=None)."
        )
    # As numbers: for truth values cc3d takes a path that fuses or loses voxels of thin arrays.
    values = input_array if each_value else input_array != 0
    values = values.view(np.uint8) if values.dtype == bool else values
    check_connectivity(connectivity, values.ndim)
    found = by_neighbours(np.atleast_2d(values), _NEIGHBOURS[values.ndim][connectivity])
    return found.reshape(values.shape)


def check_connectivity(connectivity: int, axes: int) -> None:
    """Refuse a connectivity that so many axes don't have.

    Raises
    ------
    ValueError
        If it isn't between 1 and the number of axes.
    """
    if connectivity not in _NEIGHBOURS.get(axes, ()):
        raise ValueError(
            f"connectivity must be from 1 to {axes} for an array of {axes} axes, got "
            f"{connectivity!r}."
        )
