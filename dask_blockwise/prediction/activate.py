"""Activate: what a network's stored logits stand for, as probabilities or in a range of bytes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ..pipelines.stages import stage
from ..volumes.map_overlap import map_overlap
from ..volumes.volume import Volume
from .activation import Activation, activated, check_channels
from .quantisation import checked_range, in_bytes, range_of

__all__ = ["activate", "activated_values"]


def activated_values(
    values: NDArray[np.floating],
    activation: Activation | None,
    axis: int | None,
    stands_for: tuple[float, float] | None,
) -> NDArray[Any]:
    """Probabilities, or numbers between -1 and 1, of logits; as bytes, if these stand for a range.

    Parameters
    ----------
    values : ndarray of float
    activation : "sigmoid", "softmax", "tanh" or None
    axis : int, optional
        That of the channels, counted from the last: ``-4`` of ``(c, z, y, x)``.
    stands_for : (low, high), optional
        What the bytes 0 and 255 stand for; float32 unless given.

    Examples
    --------
    >>> activated_values(np.zeros((1, 2)), "sigmoid", None, (0, 1))
    array([[128, 128]], dtype=uint8)
    """
    first = values if axis is None else np.moveaxis(values, axis, 0)
    made: NDArray[Any] = activated(first.astype(np.float32, copy=False), activation, np)
    if stands_for is not None:
        made = in_bytes(made, stands_for, np)
    return made if axis is None else np.moveaxis(made, 0, axis)


@stage("activated")
def activate(
    volume: Volume,
    activation: Activation | None = None,
    *,
    output_dtype: Literal["uint8", "float32"] = "uint8",
    output_range: tuple[float, float] | None = None,
) -> Volume:
    """Make probabilities of what a network gave, or store it in bytes, lazily.

    ``predict`` does so itself; this is for networks of several outputs, which are stored together
    as they are, once, and each of which is then made what it is.

    Parameters
    ----------
    volume : Volume of float
        Such as channels of what ``predict(..., output_dtype="float32")`` made.
    activation : "sigmoid", "softmax" (over all channels of the volume), "tanh" or None
    output_dtype : "uint8" or "float32"
    output_range : (low, high), optional
        What the bytes 0 and 255 stand for; needed where that isn't known of the activation. Values
        beyond it are an error, not cut off.

    Returns
    -------
    Volume

    Raises
    ------
    ValueError
        If the volume isn't of floats, an option makes no sense, or softmax has no channels, or one.

    Examples
    --------
    >>> logits = Volume.from_array(np.array([[[0.0, 80.0]], [[3.0, -3.0]]]), axes="cyx")
    >>> activate(logits.isel(c=0), "sigmoid")[:]
    array([[128, 255]], dtype=uint8)
    >>> activate(logits.isel(c=1), output_range=(-6, 6))[:]
    array([[191,  64]], dtype=uint8)
    """
    stands_for = _range(volume, activation, output_dtype, output_range)
    axes = volume.axes
    made = map_overlap(
        activated_values,
        volume,
        dtype=np.float32 if stands_for is None else np.uint8,
        activation=activation,
        axis=axes.index("c") - len(axes) if "c" in axes else None,
        stands_for=stands_for,
    )
    return replace(made, frame=replace(made.frame, stands_for=stands_for))


def _range(volume: Volume, activation: Any, dtype: Any, given: Any) -> tuple[float, float] | None:
    """What bytes stand for, if they are to be stored."""
    if volume.dtype.kind != "f":
        raise ValueError(
            f"activate takes what a network gave, as floats, got {volume!r}: store that as it is, "
            'predict(..., output_dtype="float32").'
        )
    if activation not in (None, *get_args(Activation)):
        names = ", ".join(map(repr, get_args(Activation)))
        raise ValueError(f"activation must be one of {names} or None, got {activation!r}.")
    check_channels(activation, volume.frame.channels, repr(volume))
    if dtype not in ("uint8", "float32", np.uint8, np.float32):
        raise ValueError(f"output_dtype must be uint8 or float32, got {dtype!r}.")
    between = checked_range(given)
    if dtype in ("float32", np.float32):
        if between is not None:
            raise ValueError("output_range is what uint8 stands for, but float32 is to be stored.")
        return None
    if activation is None and between is None:
        raise ValueError(
            "What uint8 is to stand for isn't known without an activation: give "
            'output_range=(low, high), or output_dtype="float32".'
        )
    return range_of(activation, between, 0.0)
