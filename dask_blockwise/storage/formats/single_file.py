"""What formats of single files have in common: only read, turned to t, c, z, y, x."""

from __future__ import annotations

import lzma
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...geometry.axes import AXES, default_axes
from ...geometry.boxes import Box, Index
from ..chunking import default_block
from ..location import on_disk
from .protocol import Layout

__all__ = ["FileArray", "is_file", "library", "named_axes", "order_of"]

_MOST_VOXELS = 1 << 25
# What decoders raise.
_DAMAGED = (
    *(ArithmeticError, LookupError, RuntimeError, ValueError),
    *(lzma.LZMAError, struct.error, zlib.error),
)


@dataclass(frozen=True)
class FileArray:
    """Voxels of a file, which are sliced as numpy arrays are, with axes in C order.

    Examples
    --------
    >>> array = FileArray.of(np.zeros((4, 5, 2)), ("y", "x", "c"))
    >>> array.layout.shape, array.read((slice(0, 1), slice(1, 3), slice(0, 5))).shape
    ((2, 4, 5), (1, 2, 5))
    """

    values: Any
    # Of the file's axes, that which comes first, second, ...
    order: Index
    layout: Layout

    @classmethod
    def of(
        cls, values: Any, axes: Sequence[str] | None = None, pieces: Index | None = None
    ) -> FileArray:
        """Of voxels, their axes, and what of them is decoded at once; axes as the file has them."""
        axes = tuple(axes or default_axes(len(values.shape)))
        order = order_of(axes)
        shape = tuple(int(values.shape[i]) for i in order)
        names = tuple(axes[i] for i in order)
        pieces = tuple(pieces[i] for i in order) if pieces else (1,) * len(shape)
        dtype = np.dtype(values.dtype).newbyteorder("=")
        return cls(values, order, Layout(shape, dtype, _read_at_once(names, shape, pieces)))

    def read(self, region: Box) -> NDArray[Any]:
        """Read a region."""
        stored = tuple(region[self.order.index(i)] for i in range(len(region)))
        try:
            found = np.asarray(self.values[stored]).transpose(self.order)
        except _DAMAGED as error:
            raise OSError(f"what it holds is damaged: {error}. Copy or write it anew") from error
        except OSError as error:
            if error.errno:
                raise
            # So h5py says it of chunks that it can't decode.
            raise OSError(f"{error}. A part of it is damaged: copy or write it anew") from error
        return np.array(found, self.layout.dtype, order="C")


def order_of(axes: Sequence[str]) -> Index:
    """The axes' numbers, in the order t, c, z, y, x.

    Examples
    --------
    >>> order_of(("z", "c", "y", "x"))
    (1, 0, 2, 3)
    """
    return tuple(sorted(range(len(axes)), key=lambda i: AXES.index(axes[i])))


def named_axes(axes: Sequence[str]) -> dict[str, list[str]]:
    """What metadata says of a file's axes: as they come here, and in the file if it has others.

    Examples
    --------
    >>> named_axes("yxc")
    {'axis_names': ['c', 'y', 'x'], 'axes_in_file': ['y', 'x', 'c']}
    """
    here = [axes[i] for i in order_of(axes)]
    return {"axis_names": here} | ({} if here == [*axes] else {"axes_in_file": [*axes]})


def is_file(location: str, suffixes: Sequence[str]) -> bool:
    """Whether there is a local file whose name ends so."""
    small = location.lower()
    return small.endswith(tuple(suffixes)) and Path(location).is_file() and on_disk(location)


def library(name: str, location: str) -> Any:
    """The library that reads a file.

    Raises
    ------
    ImportError
        If it isn't installed, with the command that installs it.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise ImportError(
            f"{location} is read by {name}, which isn't installed: python -m pip install "
            "'dask_blockwise[files]'."
        ) from error


def _read_at_once(axes: tuple[str, ...], shape: Index, pieces: Index) -> Index:
    """A block of the usual size in whole pieces, of fewer where a piece is large."""
    if not all(shape):
        return pieces
    usual = default_block(axes, shape)
    sizes = [min(n, -(-u // p) * p) for n, u, p in zip(shape, usual, pieces, strict=True)]
    for i, piece in enumerate(pieces):
        others = prod(sizes) // sizes[i]
        most = max(1, _MOST_VOXELS // others // piece) * piece
        sizes[i] = max(1, min(sizes[i], most, shape[i]))
    return tuple(sizes)
