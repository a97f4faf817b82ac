"""Argmax over channels: the most probable class of each voxel."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..pipelines.stages import stage
from ..volumes.frame import check_real
from ..volumes.map_overlap import map_overlap
from ..volumes.volume import Volume

__all__ = ["argmax", "argmax_channels", "class_dtype"]


_PIECE = 1 << 16


def argmax_channels(array: NDArray[Any]) -> NDArray[np.unsignedinteger]:
    """Index of the channel with the largest value, for each voxel.

    Parameters
    ----------
    array : ndarray, shape (c, ...)
        One channel a class. NaN never wins; of equal values the first channel does.

    Returns
    -------
    ndarray of uint8, or wider where there are more than 256 channels, shape (...)

    Examples
    --------
    >>> argmax_channels(np.array([[0.1, np.nan, 0.5], [0.9, 0.0, 0.5]]))
    array([1, 1, 0], dtype=uint8)
    """
    channels = array.reshape(len(array), -1)
    winner = np.zeros(channels.shape[1], class_dtype(len(array)))
    for start in range(0, winner.size, _PIECE):
        piece = slice(start, start + _PIECE)
        _running_argmax(channels[:, piece], winner[piece])
    return winner.reshape(array.shape[1:])


def class_dtype(classes: int) -> np.dtype[np.unsignedinteger]:
    """The smallest unsigned type that holds the indices of so many classes.

    Examples
    --------
    >>> class_dtype(256), class_dtype(300)
    (dtype('uint8'), dtype('uint16'))
    """
    return np.min_scalar_type(classes - 1)


def _running_argmax(channels: NDArray[Any], winner: NDArray[np.unsignedinteger]) -> None:
    """Write the index of the largest channel; one pass over values that fit the cache."""
    best = channels[0].copy()
    for number, channel in enumerate(channels[1:], 1):
        _raise_to(winner, number, channel > best)
        np.maximum(best, channel, out=best)
    if best.dtype.kind == "f" and np.isnan(best).any():
        _argmax_of_numbers(channels, winner)


def _argmax_of_numbers(channels: NDArray[Any], winner: NDArray[np.unsignedinteger]) -> None:
    """The same where some values are NaN."""
    winner[:] = 0
    best = channels[0].copy()
    for number, channel in enumerate(channels[1:], 1):
        _raise_to(winner, number, ~((channel <= best) | np.isnan(channel)))
        np.fmax(best, channel, out=best)


def _raise_to(winner: NDArray[np.unsignedinteger], number: int, better: NDArray[np.bool_]) -> None:
    """Set the winner where it is better; numbers rise, so a maximum does it without branches."""
    np.maximum(winner, np.multiply(better, number, dtype=winner.dtype), out=winner)


@stage("classes")
def argmax(volume: Volume, axis: str = "c") -> Volume:
    """The most probable class of each voxel, lazily.

    Parameters
    ----------
    volume : Volume
        One channel a class.
    axis : str
        ``"c"``, the axis of the classes.

    Returns
    -------
    Volume of uint8, or wider where there are more than 256 classes
        Without the channel axis.

    Raises
    ------
    ValueError
        If the volume has no such axis.
    TypeError
        If the values are complex.

    Examples
    --------
    >>> classes = argmax(Volume.from_array(np.eye(3).reshape(3, 1, 1, 3)))
    >>> classes[:].tolist()
    [[[0, 1, 2]]]
    """
    if axis != "c" or "c" not in volume.axes:
        raise ValueError(
            f"argmax runs over the channels 'c' of a volume, got axis={axis!r} and axes "
            f"{volume.axes}: give a prediction with a channel a class, or name its axis of classes "
            "'c', open_volume(path, axes=...) or Volume.from_array(array, axes=...)."
        )
    check_real(volume.frame, "argmax")
    classes = class_dtype(volume.shape[volume.axes.index("c")])
    made = map_overlap(argmax_channels, volume, dtype=classes, channels=None)
    return replace(made, frame=replace(made.frame, names=True))
