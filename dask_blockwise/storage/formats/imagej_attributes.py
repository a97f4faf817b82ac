"""The place of an array as n5-ij writes it: the calibration that ImageJ has of an image.

References
----------
https://github.com/saalfeldlab/n5-ij, "ImageJ Metadata": axes are x, y, c, z and t, without those of
channels, slices and frames of which there is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..checked import numbers

__all__ = ["of_calibration"]

_WIDTHS = {"x": "pixelWidth", "y": "pixelHeight", "z": "pixelDepth", "t": "frameInterval"}
_COUNTS = {"c": "numChannels", "z": "numSlices", "t": "numFrames"}
_ORIGINS = ("xOrigin", "yOrigin", "zOrigin")


def of_calibration(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes in which a calibration has become what other attributes say, x first.

    Raises
    ------
    ValueError
        If it has an origin: of ImageJ that is a voxel, and n5-ij takes it for a place in the world.

    Examples
    --------
    >>> size = {"pixelWidth": 0.5, "pixelHeight": 0.5, "pixelDepth": 2, "pixelUnit": "um"}
    >>> of_calibration({**size, "numChannels": 3, "numSlices": 20, "numFrames": 1})
    {'axes': ['x', 'y', 'c', 'z'], 'resolution': [0.5, 0.5, 2], 'units': ['um', 'um', '', 'um']}
    """
    if _WIDTHS["x"] not in attributes or "pixelResolution" in attributes:
        return dict(attributes)
    if found := [name for name in _ORIGINS if attributes.get(name)]:
        raise ValueError(
            f"its {' and '.join(found)} may be of a voxel or of the world: say where it lies, "
            "open_volume(path, axes=..., voxel_size=..., unit=...)"
        )
    counted = [axis for axis, key in _COUNTS.items() if _count(attributes, key) > 1]
    axes = ["x", "y", *counted]
    measured = [axis for axis in axes if axis in _WIDTHS]
    unit = str(attributes.get("pixelUnit") or "")
    names = {"c": "", "t": "second"}
    used = {*_WIDTHS.values(), *_COUNTS.values(), *_ORIGINS, "pixelUnit"}
    return {key: value for key, value in attributes.items() if key not in used} | {
        "axes": axes,
        "resolution": [_width(attributes, _WIDTHS[axis]) for axis in measured],
        "units": [names.get(axis, unit) for axis in axes],
    }


def _count(attributes: Mapping[str, Any], key: str) -> Any:
    (count,) = numbers([attributes.get(key, 1)], key)
    return count


def _width(attributes: Mapping[str, Any], key: str) -> Any:
    """A size; ImageJ has 0 for an interval that isn't known."""
    (width,) = numbers([attributes.get(key, 1)], key)
    return width or 1
