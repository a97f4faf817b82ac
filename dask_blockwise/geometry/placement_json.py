"""A placement as JSON holds it, to be read again as it was."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from .placement import Placement
from .written import Written

__all__ = ["placement_from_json", "placement_to_json"]


def placement_to_json(placement: Placement) -> dict[str, Any]:
    """Numbers, texts, and lists of these.

    Examples
    --------
    >>> micrometers = Written("um", Fraction(1, 1000))
    >>> place = Placement(("x",), (500,), (0,), "nanometer", "", (micrometers,))
    >>> placement_to_json(place)["written"]
    [['um', '1/1000', '0']]
    >>> placement_from_json(placement_to_json(place)) == place
    True
    """
    return {
        "axes": list(placement.axes),
        "voxel_size": list(placement.voxel_size),
        "offset": list(placement.offset),
        "unit": placement.unit,
        "time_unit": placement.time_unit,
        "written": [[way.unit, str(way.scale), str(way.shift)] for way in placement.written],
    }


def placement_from_json(document: Mapping[str, Any]) -> Placement:
    """What ``placement_to_json`` was given."""
    return Placement(
        tuple(document["axes"]),
        tuple(document["voxel_size"]),
        tuple(document["offset"]),
        document["unit"],
        document["time_unit"],
        tuple(
            Written(unit, Fraction(scale), Fraction(shift))
            for unit, scale, shift in document["written"]
        ),
    )
