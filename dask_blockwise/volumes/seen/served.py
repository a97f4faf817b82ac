"""What answers Neuroglancer's requests: a volume, or the level of its image that suits one."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...geometry.boxes import Index
from ...geometry.meeting import times_as_large
from ..frame import Frame
from ..region import read_region
from ..source import Voxels
from .at_once import levels_of

__all__ = ["Looked", "served"]

# Voxels of a request, so that what is computed comes piece by piece.
_CHUNK_LOG2 = 18
# Of what is stored, how many voxels become one as it is looked at from afar.
_MOST_DOWNSAMPLING = 64


@dataclass(frozen=True)
class Looked:
    """A volume as an array that Neuroglancer can show."""

    volume: Voxels

    @property
    def shape(self) -> Index:
        """Voxels along all axes."""
        return self.volume.frame.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """One that Neuroglancer knows: unsigned for labels, of at most 32 bits for all others."""
        frame = self.volume.frame
        if frame.dtype.kind == "b":
            return np.dtype(np.uint8)
        if frame.dtype.kind in "iu":
            is_wide = frame.may_be_names or frame.dtype.itemsize > 4
            return np.dtype(f"u{frame.dtype.itemsize}") if is_wide else frame.dtype
        return np.dtype(np.float32)

    def __getitem__(self, box: tuple[slice, ...]) -> NDArray[Any]:
        values = read_region(self.volume, box)
        values = np.abs(values) if values.dtype.kind == "c" else values
        return values.astype(self.dtype, copy=False)


def served(volume: Voxels, dimensions: Any, kind: str) -> Any:
    """A source of Neuroglancer's that reads of each region what is looked at.

    Parameters
    ----------
    volume : Volume
    dimensions : neuroglancer.CoordinateSpace
        Of its voxels.
    kind : "image" or "segmentation"

    Returns
    -------
    neuroglancer.LocalVolume
    """
    from neuroglancer import LocalVolume

    options = {"dimensions": dimensions, "volume_type": kind}
    levels: dict[Index, Any] = {}
    for level in levels_of(volume):
        factors = _factors(volume.frame, level.frame)
        if factors is not None:
            levels[factors] = LocalVolume(Looked(level), max_downsampling=inf, **options)

    class Levels(LocalVolume):  # type: ignore[misc]
        def get_encoded_subvolume(
            self, data_format: str, start: Any, end: Any, scale_key: str
        ) -> Any:
            asked = tuple(map(int, scale_key.split(",")))
            best = max((f for f in levels if _divides(f, asked)), key=prod)
            rest = ",".join(str(n // m) for n, m in zip(asked, best, strict=True))
            return levels[best].get_encoded_subvolume(data_format, start, end, rest)

    # What is computed isn't computed all for a look from afar.
    most = 1 if volume.source.inputs else _MOST_DOWNSAMPLING * max(map(prod, levels))
    return Levels(
        Looked(volume),
        downsampling="3d" if most > 1 else None,
        max_downsampling=most,
        max_voxels_per_chunk_log2=_CHUNK_LOG2,
        **options,
    )


def _factors(fine: Frame, coarse: Frame) -> Index | None:
    """How many voxels became one along all axes; None where that isn't a whole number of each."""
    try:
        rest = iter(times_as_large(coarse.placement, fine.placement))
    except ValueError:
        return None  # of no known length
    factors = [1 if axis == "c" else next(rest) for axis in fine.axes]
    each = zip(fine.shape, coarse.shape, factors, strict=True)
    fits = all(f == int(f) and -(-n // f) == m for n, m, f in each)
    return tuple(map(int, factors)) if fits and _begins_alike(fine, coarse) else None


def _begins_alike(fine: Frame, coarse: Frame) -> bool:
    """In what containers write, since their worlds may have other units."""
    return fine.placement.written_offset == coarse.placement.written_offset


def _divides(factors: Index, asked: Index) -> bool:
    return all(n % f == 0 for n, f in zip(asked, factors, strict=True))
