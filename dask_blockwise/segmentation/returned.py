"""What a segment function may return: one array of labels of the shape that it was given."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.boxes import Index
from ..labels.ids import check_labels
from ..storage.casting import unmasked

__all__ = ["labels_of"]


def labels_of(returned: Any, name: str, space: Index) -> NDArray[np.integer]:
    """The labels that a segment function returned.

    Parameters
    ----------
    returned : object
    name : str
        Of the function, for people.
    space : tuple of int
        The shape that it was given, without channels.

    Raises
    ------
    TypeError
        If it isn't one array of integers.
    ValueError
        If it has another shape, or negative labels.

    Examples
    --------
    >>> labels_of((np.array([0, 1]), 1), "label", (2,))
    Traceback (most recent call last):
    TypeError: label returned a tuple of 2; a segment function returns one array of labels...
    """
    if returned is None:
        raise TypeError(
            f"{name} returned None; a segment function returns an array of labels: let it end with "
            "return labels."
        )
    if isinstance(returned, tuple | list):
        raise TypeError(
            f"{name} returned a {type(returned).__name__} of {len(returned)}; a segment function "
            "returns one array of labels: return that alone (of scipy.ndimage.label the first, "
            "label(array)[0])."
        )
    labels = unmasked(returned, f"What {name} returned")
    if labels.dtype.kind not in "iub":
        raise TypeError(
            f"{name} returned {labels.dtype}; a segment function returns integers, 0 for "
            "background: round what are whole numbers, labels.astype('uint32')."
        )
    if labels.shape != space:
        raise ValueError(
            f"{name} returned labels of shape {labels.shape}, but was given {space} without "
            "channels: a segment function must keep the shape in space, halo included."
        )
    check_labels(labels, f"The labels that {name} returned")
    return labels
