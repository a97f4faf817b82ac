"""Attributes of an array by which other tools know where it lies, beside those of OME-Zarr."""

from __future__ import annotations

from typing import Any

from ..geometry.placement import Placement
from ..geometry.units import axis_kind

__all__ = ["neighbours_attributes"]


def neighbours_attributes(placement: Placement, zarr_format: int) -> dict[str, Any]:
    """What funlib.persistence (0.7), DaCapo, and xarray look for.

    Sizes and positions are the world's, whole numbers in its own unit, as funlib needs them. The
    names of dimensions that xarray looks for are no attributes in zarr 3.

    Examples
    --------
    >>> place = Placement(("c", "y", "x"), (4, 4), (0, 8), "nanometer")
    >>> found = neighbours_attributes(place, 3)
    >>> found["offset"], found["units"], found["axis_names"]
    ([0, 8], ['nanometer', 'nanometer'], ['c', 'y', 'x'])
    """
    units = {"space": placement.unit, "time": placement.time_unit}
    dimensions = {"_ARRAY_DIMENSIONS": list(placement.axes)} if zarr_format == 2 else {}
    return {
        "voxel_size": list(placement.voxel_size),
        "offset": list(placement.offset),
        "units": [units[axis_kind(axis)] for axis in placement.block_axes],
        "axis_names": list(placement.axes),
        "types": [axis_kind(axis) for axis in placement.axes],
        **dimensions,
    }
