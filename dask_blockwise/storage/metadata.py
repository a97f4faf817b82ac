"""Where an array's voxels lie: axes, voxel size, offset and unit, as containers record them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from ..geometry.placement import Placement, default_axes, exact, placement_of
from ..geometry.units import axis_kind, recorded_units

__all__ = ["ome_attributes", "placement_from"]


def placement_from(
    group: Mapping[str, Any], dataset: str, array: Mapping[str, Any], dimensions: int
) -> Placement:
    """Read a placement from what a container records.

    Parameters
    ----------
    group : mapping
        Attributes of the group that holds the array; OME-Zarr images up to 0.5 are understood.
    dataset : str
        The array's path within the group.
    array : mapping
        The array's own attributes: ``resolution`` or ``voxel_size``, ``offset`` in world units,
        ``axis_names``, ``units``, as funlib.persistence and DaCapo write them.
    dimensions : int

    Returns
    -------
    Placement

    Examples
    --------
    >>> placement = placement_from({}, "s0", {"resolution": [4, 4], "offset": [8, 0]}, 2)
    >>> placement.axes, placement.voxel_size, placement.offset
    (('y', 'x'), (4, 4), (8, 0))
    """
    for image in group.get("ome", group).get("multiscales", ()):
        for level in image.get("datasets", ()):
            if level["path"] == dataset:
                return _ome_placement(image, level, dimensions)
    size, offset = array.get("resolution", array.get("voxel_size")), array.get("offset")
    axes = _named_axes(array, dimensions, len(size) if size else 0)
    spatial = sum(axis != "c" for axis in axes)
    units = recorded_units(array.get("units", array.get("unit", "")), spatial)
    return placement_of(axes, _all_axes(size, spatial, 1), _all_axes(offset, spatial, 0), units)


def ome_attributes(
    placement: Placement, dataset: str, name: str, zarr_format: int
) -> dict[str, Any]:
    """Attributes of a group that make it an OME-Zarr image of one level.

    Parameters
    ----------
    placement : Placement
    dataset : str
        The array's path within the group.
    name : str
    zarr_format : int
        3 for OME-Zarr 0.5, 2 for 0.4.

    Returns
    -------
    dict

    References
    ----------
    https://ngff.openmicroscopy.org

    Examples
    --------
    >>> place = Placement(("y", "x"), (4, 4), (0, 0), "nanometer")
    >>> ome_attributes(place, "s0", "raw", 3)["ome"]["multiscales"][0]["axes"][0]
    {'name': 'y', 'type': 'space', 'unit': 'nanometer'}
    """
    transforms = [
        {"type": "scale", "scale": _with_channel(placement, placement.voxel_size, 1)},
        {"type": "translation", "translation": _with_channel(placement, placement.offset, 0)},
    ]
    image = {
        "name": name,
        "axes": [_ome_axis(axis, placement) for axis in placement.axes],
        "datasets": [{"path": dataset, "coordinateTransformations": transforms}],
    }
    if zarr_format == 3:
        return {"ome": {"version": "0.5", "multiscales": [image]}}
    return {"multiscales": [{"version": "0.4", **image}]}


def _ome_placement(image: Mapping[str, Any], level: Mapping[str, Any], n: int) -> Placement:
    listed = [a if isinstance(a, Mapping) else {"name": a} for a in image.get("axes", ())]
    axes = [str(axis["name"]) for axis in listed] or list(default_axes(n))
    if len(axes) != n:
        raise ValueError(
            f"The OME-Zarr metadata of {level['path']!r} names the axes {tuple(axes)}, but the "
            f"array has {n} dimensions: mend the metadata, or open the array from elsewhere."
        )
    scale, shift = [Fraction(1)] * n, [Fraction(0)] * n
    for holder in (level, image):
        for step in holder.get("coordinateTransformations", ()):
            by = [exact(v) for v in step.get("scale", [1] * n)]
            to = [exact(v) for v in step.get("translation", [0] * n)]
            scale = [s * b for s, b in zip(scale, by, strict=True)]
            shift = [s * b + t for s, b, t in zip(shift, by, to, strict=True)]
    blocks = [i for i, axis in enumerate(axes) if axis != "c"]
    units = recorded_units([listed[i].get("unit") if listed else "" for i in blocks], len(blocks))
    return placement_of(axes, [scale[i] for i in blocks], [shift[i] for i in blocks], units)


def _ome_axis(axis: str, placement: Placement) -> dict[str, str]:
    kind = axis_kind(axis)
    unit = {"space": placement.unit, "time": placement.time_unit}.get(kind, "")
    return {"name": axis, "type": kind} | ({"unit": unit} if unit else {})


def _with_channel(placement: Placement, values: Sequence[int], channel: int) -> list[float]:
    rest = iter(values)
    numbers = [channel if axis == "c" else next(rest) for axis in placement.axes]
    # A float has no digits for a larger whole number.
    return [float(n) if abs(n) <= 2**53 else n for n in numbers]


def _named_axes(array: Mapping[str, Any], dimensions: int, sized: int) -> tuple[str, ...]:
    """Axes by name, by the number of resolutions, or else by default."""
    listed = array.get("axis_names", array.get("_ARRAY_DIMENSIONS", ()))
    names = tuple(str(name).rstrip("^") for name in listed)
    if len(names) == dimensions and set(names) <= set("tczyx"):
        return names
    if 2 <= sized == dimensions - 1 <= 3:
        return ("c", *default_axes(sized))
    return default_axes(dimensions)


def _all_axes(values: Sequence[Any] | None, count: int, default: int) -> Sequence[Any] | None:
    """The values of the last axes, after defaults for those that have none."""
    if values is None:
        return None
    return [*[default] * (count - len(values)), *values[-count:]]
