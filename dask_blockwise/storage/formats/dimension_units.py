"""Voxel sizes as TensorStore keeps them in zarr 3: a unit for each dimension, and how many of it.

References
----------
https://google.github.io/tensorstore/driver/zarr3, "dimension_units".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..checked import listing

__all__ = ["of_dimension_units"]

_KEY = "dimension_units"
_UNIT = re.compile(r"\s*([-+.\deE]*\d)?\s*(\D*?)\s*")
_INSTEAD = ("resolution", "voxel_size", "transform")


def of_dimension_units(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes in which units of dimensions have become what other attributes say.

    Raises
    ------
    ValueError
        If they aren't understood.

    Examples
    --------
    >>> of_dimension_units({"dimension_units": ["40 nm", "4.5nm", None]})
    {'resolution': [40.0, 4.5, 1.0], 'units': ['nm', 'nm', '']}
    """
    others = dict(attributes)
    if any(key in attributes for key in _INSTEAD) or not attributes.get(_KEY):
        return others
    parts = [_UNIT.fullmatch(str(unit or "")) for unit in listing(others.pop(_KEY), _KEY)]
    if not all(parts):
        raise ValueError(f"{_KEY} should be such as '40 nm', and are {attributes[_KEY]}")
    numbers = [float(part[1] or 1) for part in parts if part]
    return others | {"resolution": numbers, "units": [part[2] for part in parts if part]}
