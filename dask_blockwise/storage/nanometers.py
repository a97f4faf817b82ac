"""Where voxels lie in whole voxels of nanometers, as precomputed data have it."""

from __future__ import annotations

from fractions import Fraction

from ..geometry.placement import Placement
from ..geometry.units import length_of
from ..geometry.written import plain

__all__ = ["key_of", "resolution_of", "voxel_offset_of"]

_NANOMETER = Fraction(1, 10**9)
_LARGEST_WHOLE = 2**53


def resolution_of(placement: Placement) -> list[int | float]:
    """Nanometers a voxel, along x, y and z.

    Raises
    ------
    ValueError
        If the unit has no known length.

    Examples
    --------
    >>> resolution_of(Placement(("z", "y", "x"), (40, 4, 4), (0, 0, 0), "micrometer"))
    [4000, 4000, 40000]
    """
    length = length_of(placement.unit)
    if length is None:
        raise ValueError(
            f"Precomputed data have their voxel size in nanometers, and this volume's unit is "
            f"{placement.unit!r}, whose length isn't known: say which it is, "
            'open_volume(path, unit="nanometer") or Volume.from_array(array, unit="nanometer").'
        )
    sizes = [size * length / _NANOMETER for size in placement.voxel_size[::-1]]
    # Others read whole numbers as int64.
    return [plain(size) if size < _LARGEST_WHOLE else float(size) for size in sizes]


def voxel_offset_of(placement: Placement) -> list[int]:
    """The first voxel's number along x, y and z, counted from where the world begins.

    Raises
    ------
    ValueError
        If the world doesn't begin where a voxel does.
    """
    axes = list(zip(placement.offset, placement.voxel_size, strict=True))[::-1]
    if any(begin % size for begin, size in axes):
        begins = ", ".join(f"{float(Fraction(*axis)):.6g}" for axis in axes[::-1])
        whole = tuple(begin // size * size for begin, size in axes[::-1])
        raise ValueError(
            f"Precomputed data lie whole voxels from the origin, and this volume begins {begins} "
            f"voxels from it, along {', '.join(placement.block_axes)}. Store it with to_zarr, "
            "which keeps that, or move it, such as Volume.from_array(volume.data, "
            f"volume.voxel_size, {whole}, unit=volume.unit)."
        )
    return [begin // size for begin, size in axes]


def key_of(resolution: list[int | float]) -> str:
    """What a scale's folder is called.

    Examples
    --------
    >>> key_of([4, 4, 40.5])
    '4_4_40.5'
    """
    return "_".join(f"{number}" for number in resolution)
