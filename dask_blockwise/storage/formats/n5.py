"""N5, whose blocks and attributes have x first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..documents import read_json
from .by_tensorstore import TensorStoreArray, open_tensorstore
from .registry import register

__all__ = ["N5", "n5_attributes"]


@dataclass(frozen=True)
class N5:
    """Arrays of N5."""

    name = "n5"
    title = "N5"
    noticed_by = ("attributes.json",)

    def find(self, location: str) -> Mapping[str, Any] | None:
        """Attributes of an array, turned to C order."""
        attributes = read_json(location, "attributes.json")
        return n5_attributes(attributes) if "dimensions" in attributes else None

    def open(self, location: str, rechecks: bool) -> TensorStoreArray:
        """Turn x, y, z into z, y, x."""
        return TensorStoreArray(open_tensorstore("n5", location, rechecks).T)


def n5_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """An N5 array's attributes, whose x comes first, turned to z, y, x.

    Examples
    --------
    >>> n5_attributes({"pixelResolution": {"dimensions": [4, 4, 40], "unit": "nm"}})
    {'resolution': [40, 4, 4], 'units': 'nm'}
    """
    turned = dict(attributes)
    pixel = turned.pop("pixelResolution", None)
    if isinstance(pixel, Mapping):
        turned = {"resolution": pixel["dimensions"], "units": pixel.get("unit", "")} | turned
    elif pixel:
        turned = {"resolution": pixel} | turned
    of_axes = ("resolution", "voxel_size", "offset", "axis_names", "units")
    return {
        key: value[::-1] if key in of_axes and isinstance(value, list) else value
        for key, value in turned.items()
    }


register(N5())
