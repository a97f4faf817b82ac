"""Colours of labels, which tell neighbours apart, and of intensities."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["colour_segments", "label_colours", "painted"]

# Steps of hue, saturation and value from id to id that keep colours apart, in parts of 2^64: powers
# of the inverse root of x^4 = x + 1 (Roberts, "The unreasonable effectiveness of quasirandom
# sequences", 2018).
_STEPS = np.array([0xD1B54A32D192ED03, 0xABC98388FB8FAC02, 0x8CB92BA72F3D8DD7], np.uint64)
_LEAST = np.array([0, 0.45, 0.75])
# What the darkest and the brightest percent of voxels have is no contrast.
_PERCENTILES = (1, 99)
_MOST_CHANNELS = 3


def label_colours(labels: NDArray[Any]) -> NDArray[np.float64]:
    """A colour for each label; an id has the same one in every picture, and 0 is black.

    Parameters
    ----------
    labels : ndarray of int or bool

    Returns
    -------
    ndarray of float64, of one more axis
        Red, green and blue in [0, 1].

    Examples
    --------
    >>> label_colours(np.array([0, 2**63], np.uint64)).round(2).tolist()
    [[0.0, 0.0, 0.0], [0.48, 0.88, 0.88]]
    """
    from skimage.color import hsv2rgb

    ids = labels.astype(np.uint64)[..., None]
    parts = (ids * _STEPS >> np.uint64(11)) / 2.0**53
    colours = hsv2rgb(_LEAST + (1 - _LEAST) * parts)
    return np.where(ids == 0, 0, colours)


def colour_segments(
    segments: NDArray[np.integer[Any]], raw: NDArray[np.uint8], opacity: float = 0.6
) -> NDArray[np.float64]:
    """Lay a colour for each segment over the grey values.

    Parameters
    ----------
    segments : ndarray of int, shape (y, x)
        0 stays grey; an id has the same colour in every picture.
    raw : ndarray of uint8, shape (y, x)
    opacity : float
        Of the colours, in [0, 1].

    Returns
    -------
    ndarray of float64, shape (y, x, 3)
        Red, green and blue in [0, 1].

    Raises
    ------
    ValueError
        If the shapes differ.

    Examples
    --------
    >>> segments, raw = np.array([[0, 7]]), np.array([[51, 51]], np.uint8)
    >>> grey, coloured = colour_segments(segments, raw)[0]
    >>> grey.tolist(), len(set(coloured.tolist()))
    ([0.2, 0.2, 0.2], 3)
    """
    if segments.shape != raw.shape:
        raise ValueError(
            f"Segments of shape {segments.shape} can't be laid over an image of shape {raw.shape}: "
            "cut both from the same region."
        )
    weight = np.where(segments == 0, 0, opacity)[..., None]
    mixed: NDArray[np.float64] = (1 - weight) * (raw[..., None] / 255)
    return mixed + weight * label_colours(segments)


def painted(values: NDArray[Any], names: bool) -> NDArray[np.uint8]:
    """A section as people look at it.

    Parameters
    ----------
    values : ndarray, shape (y, x) or (c, y, x)
        Grey values, or two or three channels as red, green and blue; of more the first three.
    names : bool
        Whether they are labels, of which each has a colour; of channels the first is shown.

    Returns
    -------
    ndarray of uint8, shape (y, x, 3)

    Examples
    --------
    >>> painted(np.array([[0.0, np.nan, 8.0]]), names=False)[0, :, 0].tolist()
    [0, 0, 255]
    """
    channels = values if values.ndim == 3 else values[None]
    if names and channels.dtype.kind != "b":
        return (label_colours(channels[0]) * 255).round().astype(np.uint8)
    shades = [_shades(channel) for channel in channels[:_MOST_CHANNELS]]
    if len(shades) == 1:
        shades *= 3
    return np.stack([*shades, *[np.zeros_like(shades[0])] * (3 - len(shades))], axis=-1)


def _shades(values: NDArray[Any]) -> NDArray[np.uint8]:
    """From black to white, with what isn't finite as black."""
    shown = np.abs(values) if values.dtype.kind == "c" else values
    shown = shown.astype(np.float64)
    finite = np.isfinite(shown)
    if not finite.any():
        return np.zeros(shown.shape, np.uint8)
    low, high = np.percentile(shown[finite], _PERCENTILES)
    if low == high:
        low, high = shown[finite].min(), shown[finite].max()
    if low == high:
        low, high = min(0.0, low), max(0.0, high) or 1.0
    scaled = (np.where(finite, shown, low) - low) / (high - low)
    shades: NDArray[np.uint8] = (scaled.clip(0, 1) * 255).round().astype(np.uint8)
    return shades
