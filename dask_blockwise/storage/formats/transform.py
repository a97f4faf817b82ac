"""The place of an array as OpenOrganelle has it: named axes, a scale and a translation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..checked import listing, mapping

__all__ = ["of_transform"]

_KEYS = {"axes": "axis_names", "scale": "resolution", "translate": "offset", "units": "units"}
_SPACE = ("x", "y", "z")


def of_transform(attributes: Mapping[str, Any], x_first: bool) -> dict[str, Any]:
    """Attributes in which ``transform`` has become what other attributes say, z first.

    References
    ----------
    https://openorganelle.janelia.org, https://github.com/janelia-cellmap/cosem-data-models

    Parameters
    ----------
    attributes : mapping
    x_first : bool
        Whether numbers are in the order of x, y, z unless axes or ``ordering`` say otherwise.

    Examples
    --------
    >>> transform = {"axes": ["z", "y", "x"], "scale": [40, 4, 4], "units": ["nm", "nm", "nm"]}
    >>> of_transform({"transform": transform}, x_first=True)
    {'axis_names': ['z', 'y', 'x'], 'resolution': [40, 4, 4], 'units': ['nm', 'nm', 'nm']}
    """
    others = dict(attributes)
    transform = others.pop("transform", None)
    if transform is None:
        return others
    transform = mapping(transform, "transform")
    if "scale" not in transform:
        raise ValueError(f"its transform should have a scale, and has {', '.join(transform)}")
    names = [str(name).lower() for name in listing(transform.get("axes"), "axes")]
    space = [name for name in names if name in _SPACE]
    turned = transform.get("ordering") != "C" if x_first else transform.get("ordering") == "F"
    if len(space) > 1:
        turned = space == sorted(space)
    step = -1 if turned else 1
    found = {
        ours: list(listing(transform[key], key))[::step]
        for key, ours in _KEYS.items()
        if transform.get(key)
    }
    return others | found
