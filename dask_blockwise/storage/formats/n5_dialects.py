"""Where tools that write N5 put the place of a level: in its own attributes or a group's above.

n5-viewer, Paintera and bdv.n5 keep the voxel size of the finest level, and how many of its voxels
make one of each other's.

References
----------
https://github.com/saalfeldlab/n5-viewer, https://github.com/saalfeldlab/paintera,
https://github.com/bigdataviewer/bigdataviewer-core, by their readers in n5-universe
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...geometry.meant import meant
from ...geometry.written import plain
from ..checked import listing, numbers, path_inside

__all__ = ["SIZES", "level_attributes"]

_FACTORS = ("downsamplingFactors", "scales")
SIZES = ("resolution", "voxel_size", "pixelResolution")
_OF_GROUP = ("resolution", "pixelResolution", "offset", "units", "unit")


def level_attributes(
    own: Mapping[str, Any], groups: Iterable[Mapping[str, Any]], name: str
) -> dict[str, Any]:
    """An array's attributes, with the place that groups above it have, of its own level.

    Parameters
    ----------
    own : mapping
        Of the array; with x first, as all others.
    groups : iterable of mapping
        Those of the groups above, from the nearest on.
    name : str
        The array's within the nearest group, such as ``"s1"``.

    Examples
    --------
    >>> group = {"pixelResolution": [4, 4, 40], "scales": [[1, 1, 1], [2, 2, 1]]}
    >>> level_attributes({}, [group], "s1")
    {'pixelResolution': [8, 8, 40]}
    """
    own, groups = dict(own), list(groups)
    factors = own.pop("downsamplingFactors", None)
    if _is_listing(own.get("transform")) or "affineTransform" in own:
        raise ValueError("its transform isn't understood: only a scale with a translation is")
    if any(own.get(key) for key in ("transform", "resolution", "voxel_size")):
        return own
    if transform := _listed_transform(groups, name):
        return own | {"transform": transform}
    if not own.get("pixelResolution"):
        placing = next((g for g in groups if any(g.get(key) for key in SIZES)), {})
        own = {key: placing[key] for key in _OF_GROUP if placing.get(key)} | own
        factors = factors or next(filter(None, (_of_level(group, name) for group in groups)), None)
    return _times(own, numbers(factors, "downsamplingFactors")) if factors else own


def _of_level(group: Mapping[str, Any], name: str) -> Any:
    """Factors of the level of this name, where a group lists those of all levels."""
    number = re.fullmatch(r"s?(\d{1,4})", name)
    for key in _FACTORS:
        levels = group.get(key)
        if number and isinstance(levels, list) and int(number[1]) < len(levels):
            return levels[int(number[1])]
    return None


def _listed_transform(groups: Sequence[Mapping[str, Any]], name: str) -> Any:
    """What the nearest group's ``multiscales`` says of the level of this name."""
    listed = groups[0].get("multiscales") if groups else None
    images = listed if isinstance(listed, list) else []
    datasets = [image.get("datasets") for image in images if isinstance(image, Mapping)]
    for level in (level for each in datasets if isinstance(each, list) for level in each):
        if isinstance(level, Mapping) and path_inside(level.get("path"), "A path") == name:
            if "transform" not in level and "coordinateTransformations" in level:
                raise ValueError("coordinateTransformations of N5 aren't understood")
            return level.get("transform")
    return None


def _is_listing(value: Any) -> bool:
    return isinstance(value, list) and bool(value)


def _times(attributes: dict[str, Any], factors: list[Any]) -> dict[str, Any]:
    """With voxels so many times as large."""
    pixel = attributes.get("pixelResolution")
    if isinstance(pixel, Mapping):
        size = _product(pixel.get("dimensions"), factors)
        return attributes | {"pixelResolution": {**pixel, "dimensions": size}}
    key = "resolution" if attributes.get("resolution") else "pixelResolution"
    return attributes | {key: _product(attributes.get(key), factors)}


def _product(size: Any, factors: list[Any]) -> list[int | float]:
    """Sizes of the axes that have factors; those of time and channels may have none."""
    listed = numbers(size, "resolution") or [1] * len(factors)
    if len(factors) > len(listed):
        raise ValueError(f"downsamplingFactors {factors} should be as many as sizes, {listed}")
    more = [1] * (len(listed) - len(factors))
    pairs = zip(listing(listed, "resolution"), [*factors, *more], strict=True)
    return [plain(meant(n) * meant(factor)) for n, factor in pairs]
