"""Where an array's voxels lie: axes, voxel size, offset and unit, as containers record them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import Any

__all__ = ["Placement", "default_axes", "ome_attributes", "placement_from", "placement_of"]

# Each unit and the next finer ones, a factor of 1000 apart.
_METRES = (
    *("kilometer", "meter", "millimeter", "micrometer"),
    *("nanometer", "picometer", "femtometer", "attometer"),
)
_SHORT = {"m": 1, "mm": 2, "um": 3, "µm": 3, "μm": 3, "micron": 3, "microns": 3, "nm": 4, "pm": 5}
_KINDS = {"t": "time", "c": "channel"}


@dataclass(frozen=True)
class Placement:
    """Axes of an array, and where its voxels lie in the world.

    Examples
    --------
    >>> Placement(("c", "z", "y", "x"), (40, 4, 4), (0, 0, 0), "nanometer").block_axes
    ('z', 'y', 'x')
    """

    # Of the whole array, such as ("c", "z", "y", "x").
    axes: tuple[str, ...]
    # World units a voxel, for all axes but "c".
    voxel_size: tuple[int, ...]
    # World position of the first voxel, for all axes but "c".
    offset: tuple[int, ...]
    # Of voxel size and offset along space, such as "nanometer"; "" where none is known.
    unit: str

    @property
    def block_axes(self) -> tuple[str, ...]:
        """All axes but the channels'."""
        return tuple(axis for axis in self.axes if axis != "c")


def default_axes(dimensions: int) -> tuple[str, ...]:
    """Axes of an array that does not say.

    Examples
    --------
    >>> default_axes(4)
    ('c', 'z', 'y', 'x')
    """
    if not 1 <= dimensions <= 5:
        raise ValueError(f"A volume has 2 to 5 axes out of (t, c, z, y, x), got {dimensions}.")
    return ("t", "c", "z", "y", "x")[5 - dimensions :]


def placement_of(
    axes: Sequence[str],
    voxel_size: Sequence[Any] | None = None,
    offset: Sequence[Any] | None = None,
    unit: str = "",
) -> Placement:
    """Hold sizes that may be fractions exactly, by choosing a finer unit where there is one.

    Parameters
    ----------
    axes : sequence of str
    voxel_size, offset : sequence of number, optional
        For all axes but "c"; 1 and 0 unless given.
    unit : str

    Returns
    -------
    Placement

    Raises
    ------
    ValueError
        If the lengths disagree, a size isn't positive, or no unit is fine enough.

    Examples
    --------
    >>> placement_of(("y", "x"), (40, 5.24), unit="nm")
    Placement(axes=('y', 'x'), voxel_size=(40000, 5240), offset=(0, 0), unit='picometer')
    """
    block_axes = [axis for axis in axes if axis != "c"]
    sizes = [_exact(v) for v in voxel_size or [1] * len(block_axes)]
    begins = [_exact(v) for v in offset or [0] * len(block_axes)]
    if not len(sizes) == len(begins) == len(block_axes):
        raise ValueError(
            f"voxel_size and offset need one number for each of the axes {tuple(block_axes)} "
            f"(channels have none), got {voxel_size} and {offset}."
        )
    if min(sizes) <= 0:
        raise ValueError(f"voxel_size must be positive, got {tuple(voxel_size or ())}.")
    factor, unit = _finer(lcm(*(n.denominator for n in [*sizes, *begins])), _unit(unit))
    scale = [
        1 if axis == "t" and _whole(s, b) else factor
        for axis, s, b in zip(block_axes, sizes, begins, strict=True)
    ]
    scaled = [[int(n * f) for n, f in zip(ns, scale, strict=True)] for ns in (sizes, begins)]
    return Placement(tuple(axes), tuple(scaled[0]), tuple(scaled[1]), unit)


def placement_from(
    group: Mapping[str, Any], dataset: str, array: Mapping[str, Any], dimensions: int
) -> Placement:
    """Read a placement from what a container records.

    Parameters
    ----------
    group : mapping
        Attributes of the group that holds the array; OME-Zarr 0.4 and 0.5 images are understood.
    dataset : str
        The array's path within the group.
    array : mapping
        The array's own attributes: ``resolution`` or ``voxel_size``, ``offset``, ``axis_names``,
        ``units``, as funlib.persistence writes them.
    dimensions : int

    Returns
    -------
    Placement

    Examples
    --------
    >>> placement_from({}, "s0", {"resolution": [4, 4], "offset": [8, 0]}, 2)
    Placement(axes=('y', 'x'), voxel_size=(4, 4), offset=(8, 0), unit='')
    """
    for image in group.get("ome", group).get("multiscales", ()):
        for level in image.get("datasets", ()):
            if level["path"] == dataset:
                return _ome_placement(image, level, dimensions)
    axes = tuple(str(a).rstrip("^") for a in array.get("axis_names", ())) or default_axes(
        dimensions
    )
    units = array.get("units", array.get("unit", ""))
    unit = units if isinstance(units, str) else next(iter(units), "")
    size = array.get("resolution", array.get("voxel_size"))
    spatial = len(axes) - ("c" in axes)
    return placement_of(axes, _last(size, spatial), _last(array.get("offset"), spatial), unit)


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
        "axes": [_ome_axis(axis, placement.unit) for axis in placement.axes],
        "datasets": [{"path": dataset, "coordinateTransformations": transforms}],
    }
    if zarr_format == 3:
        return {"ome": {"version": "0.5", "multiscales": [image]}}
    return {"multiscales": [{"version": "0.4", **image}]}


def _ome_placement(image: Mapping[str, Any], level: Mapping[str, Any], n: int) -> Placement:
    listed = image.get("axes") or default_axes(n)
    axes = [axis if isinstance(axis, str) else axis["name"] for axis in listed]
    scale, shift = [Fraction(1)] * n, [Fraction(0)] * n
    for holder in (level, image):
        for step in holder.get("coordinateTransformations", ()):
            by = [_exact(v) for v in step.get("scale", [1] * n)]
            to = [_exact(v) for v in step.get("translation", [0] * n)]
            scale = [s * b for s, b in zip(scale, by, strict=True)]
            shift = [s * b + t for s, b, t in zip(shift, by, to, strict=True)]
    units = [a.get("unit", "") for a in listed if isinstance(a, dict) and a["name"] in "zyx"]
    blocks = [i for i, axis in enumerate(axes) if axis != "c"]
    return placement_of(
        axes, [scale[i] for i in blocks], [shift[i] for i in blocks], next(filter(None, units), "")
    )


def _ome_axis(axis: str, unit: str) -> dict[str, str]:
    kind = _KINDS.get(axis, "space")
    return {"name": axis, "type": kind} | ({"unit": unit} if unit and kind == "space" else {})


def _with_channel(placement: Placement, values: Sequence[int], channel: int) -> list[float]:
    rest = iter(values)
    return [float(channel if axis == "c" else next(rest)) for axis in placement.axes]


def _exact(value: Any) -> Fraction:
    """The number that was meant: 5.24 rather than the nearest float."""
    return value if isinstance(value, Fraction) else Fraction(str(value))


def _unit(name: str) -> str:
    return _METRES[_SHORT[name]] if name in _SHORT else name


def _finer(denominator: int, unit: str) -> tuple[int, str]:
    if denominator == 1:
        return 1, unit
    start = _METRES.index(unit) if unit in _METRES else len(_METRES)
    for steps, finer in enumerate(_METRES[start:]):
        if 1000**steps % denominator == 0:
            return int(1000**steps), finer
    if unit in ("", "pixel", "voxel"):
        return denominator, unit
    raise ValueError(
        f"World units are whole numbers, but this voxel size or offset is a fraction of "
        f"1/{denominator} {unit}: give them in a finer unit."
    )


def _whole(*numbers: Fraction) -> bool:
    return all(n.denominator == 1 for n in numbers)


def _last(values: Sequence[Any] | None, count: int) -> Sequence[Any] | None:
    return None if values is None else list(values)[-count:]
