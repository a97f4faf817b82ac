"""What a store says of each shard or chunk of an array, to notice changes without reading it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..geometry.boxes import Box, Index
from .stored_array import StoredArray
from .units import By

__all__ = ["UnitStamps", "stamps_of"]


@dataclass(frozen=True, eq=False)
class UnitStamps:
    """A number for each shard of an array, or chunk where there are none, at one time."""

    # Over the grid of shards or chunks, in C order; 0 where no file is there.
    values: NDArray[np.uint64]
    # Voxels of one along all axes.
    unit: Index

    def of(self, region: Box) -> int:
        """The sum, modulo 2**64, of those that a region touches, as ``StoredArray.stamp`` has it.

        Parameters
        ----------
        region : tuple of slice
            Within the array's shape.

        Returns
        -------
        int
        """
        axes = zip(region, self.unit, strict=True)
        touched = tuple(slice(s.start // unit, -(-s.stop // unit)) for s, unit in axes)
        return int(np.add.reduce(self.values[touched], axis=None))


def stamps_of(array: StoredArray, by: By = "stamps") -> UnitStamps:
    """Ask a store of each shard of an array, or chunk where there are none.

    Arrays whose chunks aren't files of their own, such as those of TIFF and HDF5, have one stamp of
    all their files.

    Parameters
    ----------
    array : StoredArray
    by : "stamps" or "content"
        By each file's size, time and inode, or by the size and tag of an object in a bucket; or by
        what it holds, which is read.

    Returns
    -------
    UnitStamps

    Raises
    ------
    OSError
        If files can't be listed, or read.

    Examples
    --------
    >>> from dask_blockwise.storage.arrays import create_array
    >>> array = create_array("in.zarr/raw", (4, 6), "uint8", chunks=(2, 6))
    >>> before = stamps_of(array)
    >>> array.write((slice(2, 4), slice(0, 6)), np.ones((2, 6), np.uint8))
    >>> (stamps_of(array).values != before.values).tolist(), before.unit
    ([[False], [True]], (2, 6))
    """
    if by not in ("stamps", "content"):
        raise ValueError(f"Files are told by 'stamps' or 'content', got {by!r}.")
    return UnitStamps(array.units.stamps(by), array.units.size)
