"""What OME-XML and ImageJ say of a TIFF's axes and voxels."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any
from xml.etree import ElementTree

from ...geometry.axes import AXES, default_axes, known_axes
from ...geometry.meant import measured

__all__ = ["axes_of", "check_alone", "larger", "sizes_left_out", "sizes_of"]

_KINDS = ("generic", "imagej", "ome", "shaped", "uniform")
_NO_SIZE = (1.0, "")
# Letters of pages, and of anything, of which a file says no more.
_UNSAID = "IQ"


def axes_of(series: Any) -> tuple[str, ...]:
    """Axes as they are stored; samples are channels, and pages of which nothing is said are z.

    Several axes of which nothing is said are those of any array that doesn't say, such as czyx.

    Raises
    ------
    ValueError
        If an axis is of another kind, or the file of a kind whose metadata isn't read.
    """
    if series.kind not in _KINDS:
        raise ValueError(
            f"it is a TIFF of the kind {series.kind!r}, whose metadata isn't read: convert it to "
            "OME-TIFF, or read it with tifffile and make a volume, Volume.from_array(array, "
            "axes=..., voxel_size=...)"
        )
    letters = series.axes.replace("S", "C")
    usual = "".join(default_axes(len(letters))).upper() if len(letters) <= len(AXES) else letters
    unsaid = [n for n, letter in enumerate(letters) if letter in _UNSAID]
    if len(unsaid) > 1 and all(letters[n] in (*_UNSAID, usual[n]) for n in range(len(letters))):
        return known_axes(usual)
    for unknown in _UNSAID:
        letters = letters.replace(unknown, "Z") if letters.count(unknown) == 1 else letters
    return known_axes(letters)


def check_alone(file: Any) -> None:
    """Refuse a file whose image lies in other files too, wherever those are."""
    if not file.ome_metadata:
        return
    root = _xml(file)
    own = root.get("UUID", "")
    others = [
        node.get("FileName", "others")
        for node in root.iter()
        if _tag(node) == "UUID" and (node.text or "").strip() != own
    ]
    if any(_tag(node) == "BinaryOnly" for node in root.iter()):
        others.append("one that has its metadata")
    if others:
        raise ValueError(
            f"its image lies in other files too, such as {others[0]}: read them with tifffile and "
            "make a volume, Volume.from_array(array, voxel_size=...)"
        )


def sizes_of(file: Any, series: Any, axes: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Sizes and units along axes; those of space only where there is one for each."""
    known = _known_sizes(file, series)
    space = [axis for axis in axes if axis not in "tc"]
    if not all(axis in known for axis in space):
        known = {axis: size for axis, size in known.items() if axis == "t"}
    found = {axis: known.get(axis, _NO_SIZE) for axis in axes}
    sizes, units = ({axis: pair[i] for axis, pair in found.items()} for i in (0, 1))
    return {"resolution": sizes, "units": units} if known else {}


def sizes_left_out(file: Any, series: Any, axes: Sequence[str]) -> dict[str, str]:
    """Sizes along axes of space, for people, of a file that doesn't have one for each.

    They would lie between voxels of no known size, and volumes have one unit.
    """
    known, space = _known_sizes(file, series), [axis for axis in axes if axis not in "tc"]
    given = [axis for axis in space if axis in known]
    if not given or len(given) == len(space):
        return {}
    sizes = ", ".join(f"{axis} {known[axis][0]:g} {known[axis][1]}".rstrip() for axis in given)
    others = " and ".join(axis for axis in space if axis not in known)
    told = f"its file says {sizes} and no size along {others}: none is taken, give its voxel size"
    return {"sizes_left_out": told}


def _known_sizes(file: Any, series: Any) -> dict[str, tuple[float, str]]:
    if series.kind == "ome":
        return _of_ome(file)
    return _of_imagej(file) if series.kind == "imagej" else {}


def larger(
    sizes: dict[str, dict[str, Any]], axes: Sequence[str], finest: Sequence[int], own: Sequence[int]
) -> dict[str, dict[str, Any]]:
    """Sizes of a coarser level, by how many voxels of the finest make one of its own.

    Where the finest isn't a whole number of these, the rest is a voxel too, or left out.

    Examples
    --------
    >>> larger({"resolution": {"x": 0.5}}, ("x",), (9,), (4,))["resolution"]
    {'x': 1.0}
    """
    factors = {}
    for axis, all_voxels, voxels in zip(axes, finest, own, strict=True):
        whole = round(all_voxels / voxels)
        exact = all_voxels // whole <= voxels <= -(-all_voxels // whole)
        factors[axis] = whole if exact else all_voxels / voxels
    known = sizes.get("resolution") or dict.fromkeys(axes, 1.0)
    return sizes | {"resolution": {axis: size * factors[axis] for axis, size in known.items()}}


def _of_ome(file: Any) -> dict[str, tuple[float, str]]:
    pixels = next((node for node in _xml(file).iter() if _tag(node) == "Pixels"), None)
    given = {} if pixels is None else dict(pixels.attrib)
    names = {axis: f"PhysicalSize{axis.upper()}" for axis in "zyx"} | {"t": "TimeIncrement"}
    usual = {"t": "s"}
    return {
        axis: (_rounded(given[name]), given.get(f"{name}Unit", usual.get(axis, "µm")))
        for axis, name in names.items()
        if name in given
    }


def _of_imagej(file: Any) -> dict[str, tuple[float, str]]:
    """Where there is a unit, or a spacing; a spacing of one is not written."""
    said = file.imagej_metadata or {}
    unit = str(said.get("unit", "")).replace("\\u00B5", "µ")
    known = {}
    if unit or "spacing" in said:
        tags = file.pages[0].tags
        for axis, name in (("y", "YResolution"), ("x", "XResolution")):
            count, length = tags[name].value if name in tags else (1, 1)
            known[axis] = (_rounded(length / count if count else 0), unit)
        known["z"] = (_rounded(abs(said.get("spacing", 1.0))), unit)
    if said.get("finterval", 0):
        known["t"] = (_rounded(said["finterval"]), "s")
    return known


def _rounded(size: Any) -> float:
    number = measured(float(size))
    if not isfinite(number) or number <= 0:
        raise ValueError(f"its voxels have the size {size}")
    return number


def _xml(file: Any) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(file.ome_metadata)
    except ElementTree.ParseError as error:
        raise ValueError(f"its OME-XML is damaged: {error}") from error


def _tag(node: ElementTree.Element) -> str:
    return node.tag.rpartition("}")[2]
