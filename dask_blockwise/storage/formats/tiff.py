"""TIFF, BigTIFF, OME-TIFF and ImageJ's: one image of a file, read by tifffile."""

from __future__ import annotations

import logging
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import prod
from typing import Any
from weakref import finalize

import numpy as np
import zarr
from numpy.typing import NDArray

from ...geometry.boxes import Box, Index
from .registry import register
from .single_file import FileArray, is_file, library, named_axes, order_of
from .tiff_metadata import axes_of, check_alone, larger, sizes_left_out, sizes_of

__all__ = ["Tiff"]

_SUFFIXES = (".tif", ".tiff", ".btf", ".tf8")
# Of decoded pages or tiles of one file.
_CACHE_BYTES = 128 << 20
_LARGEST_PAGE = 64 << 20
# Of the number of a resolution.
_DIGITS = 3


@dataclass(frozen=True)
class Tiff:
    """Files of one image; stacks without metadata are z, y, x."""

    name = "tiff"
    title = "TIFF"
    noticed_by = tuple(f"*{suffix}" for suffix in (*_SUFFIXES, ".TIF", ".TIFF"))

    def find(self, location: str) -> Mapping[str, Any] | None:
        """Axes, voxel size and units of OME-XML or ImageJ."""
        name, number = _split(location)
        if not is_file(name, _SUFFIXES):
            return None
        with _errors(name), _tifffile(name).TiffFile(name) as file:
            series = _series(file)
            if number >= len(series.levels):
                return None
            axes = axes_of(series)
            sizes = sizes_of(file, series, axes)
            left_out = sizes_left_out(file, series, axes)
            if number:
                sizes = larger(sizes, axes, series.shape, series.levels[number].shape)
        turned = [axes[i] for i in order_of(axes)]
        found = {key: [of[axis] for axis in turned if axis != "c"] for key, of in sizes.items()}
        return named_axes(axes) | found | left_out

    def levels(self, location: str) -> list[str] | None:
        """Numbers of the resolutions, where there are several."""
        if not is_file(location, _SUFFIXES):
            return None
        with _errors(location), _tifffile(location).TiffFile(location) as file:
            count = len(_series(file).levels)
        return list(map(str, range(count))) if count > 1 else None

    def open(self, location: str, rechecks: bool) -> FileArray:
        """Map what lies as numpy has it; decode pages or tiles of all else, and keep some."""
        location, number = _split(location)
        tifffile = _tifffile(location)
        with _errors(location), ExitStack() as opened:
            file = opened.enter_context(tifffile.TiffFile(location))
            series = _series(file)
            axes = axes_of(series)
            if series.dataoffset is not None and not number:
                return FileArray.of(tifffile.memmap(location, mode="r"), axes)
            page = series.levels[number].keyframe
            if page.compression not in tifffile.TIFF.DECOMPRESSORS:
                raise ValueError(
                    f"it is compressed by {page.compression.name}, for which tifffile needs "
                    "another library: python -m pip install imagecodecs"
                )
            whole = not page.is_tiled and page.nbytes <= _LARGEST_PAGE
            store = series.aszarr(level=number, chunkmode=2 if whole else 0)
            pieces = _Pieces.of(zarr.open_array(store, mode="r"))
            array = FileArray.of(pieces, axes, pieces.chunks)
            # Its file stays open for as long as there is the array, and no longer.
            finalize(array, opened.pop_all().close)
            return array


@dataclass(frozen=True)
class _Pieces:
    """An array of which some decoded pieces are kept, since neighbouring blocks share them."""

    shape: Index
    dtype: Any
    chunks: Index
    piece: Callable[[Index], NDArray[Any]]

    @classmethod
    def of(cls, array: Any) -> _Pieces:
        """Keep so many as take the bytes that are allowed."""
        chunks = tuple(map(int, array.chunks))
        size: int = prod(chunks) * array.dtype.itemsize

        @lru_cache(maxsize=max(2, _CACHE_BYTES // size))
        def piece(index: Index) -> NDArray[Any]:
            box = (slice(i * n, (i + 1) * n) for i, n in zip(index, chunks, strict=True))
            return np.asarray(array[tuple(box)])

        return cls(tuple(array.shape), array.dtype, chunks, piece)

    def __getitem__(self, region: Box) -> NDArray[Any]:
        found = np.empty([s.stop - s.start for s in region], self.dtype)
        touched = (range(s.start // n, -(-s.stop // n)) for s, n in zip(region, self.chunks))
        for index in product(*touched):
            begin = [i * n for i, n in zip(index, self.chunks)]
            low = [max(b, s.start) for b, s in zip(begin, region)]
            high = [min(b + n, s.stop) for b, n, s in zip(begin, self.chunks, region)]
            to = tuple(slice(a - s.start, b - s.start) for a, b, s in zip(low, high, region))
            part = tuple(slice(a - b, c - b) for a, c, b in zip(low, high, begin))
            found[to] = self.piece(index)[part]
        return found


def _split(location: str) -> tuple[str, int]:
    """The file, and the number of a resolution where the path has one after it."""
    file, _, number = location.rpartition("/")
    if number.isdecimal() and len(number) < _DIGITS and is_file(file, _SUFFIXES):
        return file, int(number)
    return location, 0


def _series(file: Any) -> Any:
    """The one image of a file."""
    check_alone(file)
    if not file.series:
        raise ValueError("it is damaged: no image was found in it. Write it anew")
    if len(file.series) != 1:
        kinds = ", ".join(f"{series.axes} {series.shape}" for series in file.series)
        raise ValueError(
            f"it holds {len(file.series)} images, {kinds}: read one with tifffile and make a "
            "volume, Volume.from_array(array, voxel_size=...)"
        )
    return file.series[0]


def _tifffile(location: str) -> Any:
    return library("tifffile", location)


@contextmanager
def _errors(location: str) -> Iterator[None]:
    """Errors of tifffile, which are no ValueErrors, or are only logged, such as missing pages."""
    own = _tifffile(location).TiffFileError
    heard, logger = _Heard(logging.ERROR), logging.getLogger("tifffile")
    logger.addHandler(heard)
    try:
        yield
    except (own, struct.error) as error:
        raise ValueError(f"it is damaged: {error}") from error
    finally:
        logger.removeHandler(heard)
    if heard.errors:
        raise ValueError(f"it is damaged: {heard.errors[0]}")


class _Heard(logging.Handler):
    """Errors that this thread logs."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self.errors: list[str] = []
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it, if it is of this thread."""
        if record.thread == self._thread:
            self.errors.append(record.getMessage())


register(Tiff())
