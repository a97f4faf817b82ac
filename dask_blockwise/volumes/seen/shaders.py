"""How Neuroglancer paints what aren't labels."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..source import Voxels
from .at_once import look_at
from .sections import sections

__all__ = ["shader_of"]

_PERCENTILES = (1, 99)
_COLOURS = ("red", "green", "blue")


def shader_of(volume: Voxels, dtype: np.dtype[Any]) -> str:
    """Grey, or two or three channels as red, green and blue, between what is dark and bright.

    Parameters
    ----------
    volume : Volume
    dtype : dtype
        As which Neuroglancer gets its values.
    """
    span = "range=[{}, {}]".format(*_span(volume, dtype))
    channels = volume.frame.channels
    if channels is None:
        return (
            f"#uicontrol invlerp normalized({span})\nvoid main() {{ emitGrayscale(normalized()); }}"
        )
    shown = _COLOURS[:channels]
    controls = [f"#uicontrol invlerp {c}({span}, channel={n})" for n, c in enumerate(shown)]
    if channels == 1:
        return f"{controls[0]}\nvoid main() {{ emitGrayscale(red()); }}"
    values = ", ".join([*(f"{c}()" for c in shown), "0.0"][:3])
    return "\n".join([*controls, f"void main() {{ emitRGB(vec3({values})); }}"])


def _span(volume: Voxels, dtype: np.dtype[Any]) -> tuple[float, float]:
    """What is black and what is white; of what isn't computed yet, all that its type can hold."""
    look = look_at(volume)
    if look is None:
        return (0.0, 1.0) if dtype.kind == "f" else (0, int(np.iinfo(dtype).max))
    planes = sections(look.volume, look.begin, look.end)
    values = np.concatenate([plane.values.ravel() for plane in planes])
    values = np.abs(values) if values.dtype.kind == "c" else values
    values = values[np.isfinite(values)].astype(np.float64)
    if not values.size:
        return 0.0, 1.0
    low, high = np.percentile(values, _PERCENTILES)
    if low == high:
        low, high = values.min(), values.max() + (values.min() == values.max())
    return (
        (float(low), float(high)) if dtype.kind == "f" else (int(low), max(int(low) + 1, int(high)))
    )
