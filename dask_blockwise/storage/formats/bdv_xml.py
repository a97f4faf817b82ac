"""Where a level of bdv.n5 or bdv.hdf5 lies, by BigDataViewer's XML beside the container.

References
----------
https://imagej.net/plugins/bdv, and SpimData's reader, by which the last transformation of a view
is applied first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any
from xml.etree import ElementTree

from ...geometry.meant import meant
from ...geometry.written import plain
from ..documents import read_bytes

__all__ = ["view_attributes"]

_STEM = r"(?P<folder>.*)/(?P<stem>[^/]+)"
_LEVELS = (
    re.compile(_STEM + r"\.n5/setup(?P<setup>\d+)/timepoint(?P<time>\d+)/s\d+"),
    re.compile(_STEM + r"\.h(?:df)?5/t(?P<time>\d+)/s(?P<setup>\d+)/\d+/cells"),
)
_IDENTITY = (1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0)


def view_attributes(location: str) -> dict[str, Any]:
    """Voxel size, offset and unit of the finest level of a view, x first; none without an XML.

    Parameters
    ----------
    location : str
        Of a level, ``dataset.n5/setup0/timepoint0/s0`` or ``dataset.h5/t00000/s00/0/cells``, beside
        which ``dataset.xml`` is looked for.

    Raises
    ------
    ValueError
        If its view is turned or sheared, or scaled otherwise than its voxel size.
    """
    level = next(filter(None, (pattern.fullmatch(location) for pattern in _LEVELS)), None)
    document = read_bytes(level["folder"], f"{level['stem']}.xml") if level else b""
    if level is None or not document:
        return {}
    file = f"{level['stem']}.xml"
    try:
        root = ElementTree.fromstring(document)
    except ElementTree.ParseError as error:
        raise ValueError(f"{level['folder']}/{file} is damaged: {error}") from error
    setup, time = int(level["setup"]), int(level["time"])
    size, unit = _voxel_size(root, setup)
    scale, shift = _registration(root, setup, time, file)
    by = {s / n for s, n in zip(scale, size or scale, strict=True)}
    if len(by) > 1:
        raise ValueError(
            f"{file} scales the view of setup {setup} by {_said(scale)}, and its voxels have the "
            f"size {_said(size or ())}: only views that are scaled as their voxels are read"
        )
    # World units of the registration, such as pixels, may be others than those of the voxel size.
    world = by.pop()
    offset = [plain(n / world) for n in shift]
    return {"resolution": [plain(n) for n in size or scale], "offset": offset, "units": unit}


def _voxel_size(root: ElementTree.Element, setup: int) -> tuple[list[Fraction] | None, str]:
    for node in root.iter("ViewSetup"):
        size = node.find("voxelSize/size")
        if _number(node.findtext("id")) == setup and size is not None:
            numbers = _numbers(size.text, 3, "voxelSize")
            return numbers, (node.findtext("voxelSize/unit") or "").strip()
    return None, ""


def _registration(
    root: ElementTree.Element, setup: int, time: int, file: str
) -> tuple[list[Fraction], list[Fraction]]:
    """Scale and translation along x, y and z."""
    scale, shift = [Fraction(1)] * 3, [Fraction(0)] * 3
    for view in root.iter("ViewRegistration"):
        if _view(view.attrib) != (time, setup):
            continue
        for node in view.iter("ViewTransform"):
            rows = _affine(node, file)
            for i, row in enumerate(rows):
                if any(row[j] for j in range(3) if j != i):
                    raise ValueError(
                        f"{file} turns or shears the view of setup {setup}, timepoint {time} "
                        f"({node.findtext('Name') or 'affine'}): only scales and translations "
                        "are read. Say where it lies by open_volume(path, axes='zyx', "
                        "voxel_size=..., unit=...)"
                    )
                # The transformations so far are applied after this one.
                shift[i] += scale[i] * row[3]
                scale[i] *= row[i]
    if min(scale) <= 0:
        raise ValueError(f"{file} mirrors the view of setup {setup}, timepoint {time}")
    return scale, shift


def _affine(node: ElementTree.Element, file: str) -> list[list[Fraction]]:
    kind = node.get("type", "affine")
    if kind != "affine":
        raise ValueError(f"{file} has a transformation of the type {kind!r}, which isn't read")
    text = node.findtext("affine") or " ".join(map(str, _IDENTITY))
    numbers = _numbers(text, 12, "affine")
    return [numbers[i : i + 4] for i in range(0, 12, 4)]


def _view(attributes: Mapping[str, str]) -> tuple[int, int]:
    return _number(attributes.get("timepoint")), _number(attributes.get("setup"))


def _number(text: str | None) -> int:
    return int(text) if text and text.strip().isdecimal() else -1


def _numbers(text: str | None, count: int, name: str) -> list[Fraction]:
    try:
        numbers = [meant(float(each)) for each in (text or "").split()]
    except ValueError:
        numbers = []
    if len(numbers) != count:
        raise ValueError(f"{name} should be {count} numbers, and is {text!r}")
    return numbers


def _said(numbers: Sequence[Fraction]) -> str:
    return " x ".join(f"{float(number):g}" for number in numbers)
