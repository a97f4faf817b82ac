"""N5, whose blocks and attributes have x first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from ..checked import MEND, listing, mapping, placing_or_why_not, understood
from ..documents import read_json
from ..location import folders_above
from ..multiscales import image_levels
from .bdv_xml import view_attributes
from .by_tensorstore import TensorStoreArray, open_tensorstore
from .found_names import check_names, likely_names, some_names
from .imagej_attributes import of_calibration
from .mended import N5_COMPRESSIONS, n5_as_taken
from .n5_dialects import SIZES, level_attributes
from .numbered_levels import numbered_levels
from .registry import register
from .transform import of_transform
from .unit_names import UnitNames

__all__ = ["N5", "n5_attributes"]

_DOCUMENT = "attributes.json"
_OF_VOXELS = ("dimensions", "blockSize", "dataType", "compression")
# Such as setup0/timepoint0 of bdv.n5, and its root.
_GROUPS_SEARCHED = 4


@dataclass(frozen=True)
class N5:
    """Arrays of N5."""

    name = "n5"
    title = "N5"
    noticed_by = ("attributes.json",)
    # Whether blocks that aren't there are read as zeros.
    fills: bool = True

    def find(self, location: str) -> Mapping[str, Any] | None:
        """Attributes of an array, turned to C order, and those of groups above that place it."""
        attributes = read_json(location, _DOCUMENT)
        if "dimensions" not in attributes:
            if "blockSize" in attributes:
                raise ValueError(f"{location}/{_DOCUMENT} has no 'dimensions'. {MEND}")
            return None
        return placing_or_why_not(lambda: n5_attributes(_placed(location, attributes)))

    def levels(self, location: str) -> list[str] | None:
        """Of a group with ``multiscales``, as OpenOrganelle has them, or of Paintera's."""
        attributes = read_json(location, _DOCUMENT)
        if "dimensions" in attributes:
            return None
        if "painteraData" in attributes:
            return numbered_levels(location, "data/s", _DOCUMENT)
        with understood(location):
            return image_levels(attributes) or numbered_levels(location, "s", _DOCUMENT)

    def open(self, location: str, rechecks: bool) -> TensorStoreArray:
        """Turn x, y, z into z, y, x."""
        attributes = read_json(location, _DOCUMENT)
        _check_scalar(attributes)
        _check_compression(attributes)
        taken = n5_as_taken(attributes)
        instead = (_DOCUMENT, taken) if taken != attributes else None
        return TensorStoreArray(
            open_tensorstore("n5", location, rechecks, fills=self.fills, instead=instead).T
        )

    def matched(self, location: str) -> N5:
        """Itself, where blocks lie in folders, as they do but in what is no N5."""
        document, names = read_json(location, _DOCUMENT), self.unit_names(location)
        shape, sizes = document["dimensions"][::-1], document["blockSize"][::-1]
        mend = "convert it anew with a tool that follows N5"
        there = some_names(location, likely_names([names], shape, sizes))
        check_names(location, there, names, len(shape), mend)
        return self

    def strict(self) -> N5:
        """Raise of blocks that aren't there."""
        return replace(self, fills=False)

    def unit_names(self, location: str) -> UnitNames:
        """Numbers alone, that of x first."""
        return UnitNames("", "/", x_first=True)

    def document(self, location: str) -> Mapping[str, Any]:
        """What the format itself has among the attributes."""
        attributes = read_json(location, _DOCUMENT)
        return {key: attributes[key] for key in _OF_VOXELS if key in attributes}


def _placed(location: str, own: Mapping[str, Any]) -> dict[str, Any]:
    """An array's attributes, with the place that others say: a view, or groups above it."""
    own = of_calibration(own)
    groups, name = list(_groups_above(location)), location.rpartition("/")[2]
    view = view_attributes(location)
    if not view:
        return level_attributes(own, groups, name)
    # A size of its own would be taken for that of its level; BigDataViewer's is of the finest.
    kept = {key: value for key, value in own.items() if key not in SIZES}
    others = [{k: v for k, v in group.items() if k not in SIZES} for group in groups]
    return level_attributes(kept, [view, *others], name)


def n5_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """An N5 array's attributes, whose x comes first, turned to z, y, x.

    Examples
    --------
    >>> n5_attributes({"pixelResolution": {"dimensions": [4, 4, 40], "unit": "nm"}})
    {'resolution': [40, 4, 4], 'units': 'nm'}
    """
    turned = dict(attributes)
    if turned.get("transform"):
        return of_transform(turned, x_first=True)
    pixel = turned.pop("pixelResolution", None)
    if isinstance(pixel, Mapping):
        pixel = {"resolution": pixel.get("dimensions"), "units": pixel.get("unit")}
        turned = {key: value for key, value in pixel.items() if value} | turned
    elif pixel:
        turned = {"resolution": pixel} | turned
    if listing(turned.get("axes"), "axes"):
        turned = {"axis_names": turned.pop("axes")} | turned
    _check_x_first(listing(turned.get("axis_names"), "axis_names"))
    of_axes = ("resolution", "voxel_size", "offset", "axis_names", "units")
    return {
        key: value[::-1] if key in of_axes and isinstance(value, list) else value
        for key, value in turned.items()
    }


def _check_scalar(attributes: Mapping[str, Any]) -> None:
    """Refuse what has several labels a voxel, of which the type of values says nothing."""
    if attributes.get("isLabelMultiset"):
        raise ValueError(
            "it holds a list of labels for each voxel, a label multiset of Paintera: make one "
            "label a voxel of it with paintera-convert to-scalar"
        )


def _check_compression(attributes: Mapping[str, Any]) -> None:
    kind = mapping(n5_as_taken(attributes).get("compression"), "compression").get("type")
    if kind not in list(N5_COMPRESSIONS):
        raise ValueError(
            f"its blocks are compressed by {kind!r}, and {', '.join(N5_COMPRESSIONS)} are read. "
            "Copy it into one of these with the tool that wrote it, or read it with a library that "
            f"has {kind}, such as z5py, and make a volume, Volume.from_array(array, voxel_size=...)"
        )


def _groups_above(location: str) -> Iterator[dict[str, Any]]:
    """Attributes of the nearest groups, no further than the container's root."""
    for folder, _ in islice(folders_above(location), _GROUPS_SEARCHED):
        attributes = read_json(folder, _DOCUMENT)
        if "dimensions" in attributes:
            return
        yield attributes
        if folder.endswith(".n5") or "n5" in attributes:
            return


def _check_x_first(names: Sequence[Any]) -> None:
    """Refuse names of which nobody knows whether sizes and offsets are in their order."""
    known = [name.lower() for name in names if isinstance(name, str)]
    space = [name for name in known if name in ("x", "y", "z")]
    if space != sorted(space):
        raise ValueError(
            f"N5 has x first, but its axes are {list(names)}: write them, and all that is said of "
            "each axis, in the order of its dimensions"
        )


register(N5())
