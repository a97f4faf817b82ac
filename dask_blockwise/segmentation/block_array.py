"""What a segment function is given: an array that knows where it lies."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..geometry.blocks import Coordinate, Roi

__all__ = ["BlockArray"]


class BlockArray(np.ndarray[Any, np.dtype[Any]]):
    """What a block sees: an ndarray that can also be indexed with a Roi, as dacapo's arrays can.

    Parameters
    ----------
    array : ndarray
        Channels first, where there are any.
    roi : Roi
        Where it lies, in world units.

    Examples
    --------
    >>> array = BlockArray.of(np.arange(8).reshape(2, 4), Roi((10,), (20,)))
    >>> array[Roi((15,), (10,))]
    array([[1, 2],
           [5, 6]])
    >>> array.to_ndarray(Roi((25,), (15,)), fill_value=-1)
    array([[ 3, -1, -1],
           [ 7, -1, -1]])
    """

    _roi: Roi | None

    @classmethod
    def of(cls, array: NDArray[Any], roi: Roi) -> Self:
        """The array, and where it lies."""
        seen = array.view(cls)
        seen._roi = roi
        return seen

    def __array_finalize__(self, source: Any) -> None:
        self._roi = None

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
        """What is computed from it is a plain array."""
        plain = np.asarray(array)
        return plain[()] if return_scalar else plain

    def __getitem__(self, key: Any) -> Any:
        return self.to_ndarray(key) if isinstance(key, Roi) else np.asarray(self)[key]

    @property
    def roi(self) -> Roi:
        """Where it lies, in world units.

        Raises
        ------
        ValueError
            If this is a copy or a part, of which that isn't known.
        """
        if self._roi is None:
            raise ValueError("Only the array that a block was given knows where it lies.")
        return self._roi

    @property
    def voxel_size(self) -> Coordinate:
        """World units a voxel."""
        return self.roi.shape / Coordinate(self.shape[self.ndim - self.roi.dims :])

    def to_ndarray(self, roi: Roi | None = None, fill_value: Any = None) -> NDArray[Any]:
        """The voxels of a region.

        Parameters
        ----------
        roi : Roi, optional
            All unless given.
        fill_value : number, optional
            What lies beyond the array; unless given, nothing may.

        Returns
        -------
        ndarray

        Raises
        ------
        ValueError
            If the region leaves the array.
        """
        wanted = self.roi if roi is None else roi
        inside = wanted.intersect(self.roi)
        if inside != wanted and fill_value is None:
            raise ValueError(
                f"The block sees {self.roi}, and was asked for {wanted}: ask within "
                "block.read_roi, or give a larger context."
            )
        values: NDArray[Any] = np.asarray(self)[self._where(inside)]
        before = (inside.begin - wanted.begin) / self.voxel_size
        after = (wanted.end - inside.end) / self.voxel_size
        width = [*[(0, 0)] * (self.ndim - wanted.dims), *zip(before, after, strict=True)]
        return values if inside == wanted else np.pad(values, width, constant_values=fill_value)

    def _where(self, roi: Roi) -> tuple[Any, ...]:
        begin = (roi.begin - self.roi.begin) / self.voxel_size
        return (..., *map(slice, begin, begin + roi.shape / self.voxel_size))
