"""Names of axes: which are known, and what others call them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

__all__ = ["AXES", "default_axes", "known_axes", "warn_of_channels_last"]

AXES = ("t", "c", "z", "y", "x")
# So many values along the last axis, of images at least so wide, are likely to be channels.
_COLOURS, _WIDE = (2, 3, 4), 32
# "^" is DaCapo's mark of an axis along which nothing is measured.
_ALSO_CALLED = {"time": "t", "c^": "c", "channel": "c", "channels": "c", "channel^": "c"}


def default_axes(dimensions: int) -> tuple[str, ...]:
    """Axes of an array that does not say.

    Examples
    --------
    >>> default_axes(4)
    ('c', 'z', 'y', 'x')
    """
    if not 1 <= dimensions <= len(AXES):
        raise ValueError(f"A volume has 2 to 5 axes out of (t, c, z, y, x), got {dimensions}.")
    return AXES[len(AXES) - dimensions :]


def known_axes(names: Sequence[Any]) -> tuple[str, ...]:
    """Axes by the names that they have here; none is guessed.

    Parameters
    ----------
    names : sequence of str
        In any case; ``"time"``, ``"channel"`` and DaCapo's ``"c^"`` are understood.

    Returns
    -------
    tuple of str
        Out of t, c, z, y and x.

    Raises
    ------
    ValueError
        If a name isn't known, or two are the same.

    Examples
    --------
    >>> known_axes(["c^", "Z", "y", "x"])
    ('c', 'z', 'y', 'x')
    """
    known = tuple(_known(name) for name in names)
    if None in known or len(set(known)) < len(known):
        raise ValueError(
            f"The axes {tuple(names)} aren't understood: each needs a name of its own out of t "
            "(time), c (channel), z, y and x. Name them so, as in "
            'open_volume(path, axes="tczyx"), or take out those that are others, such as by '
            "array[0]."
        )
    return tuple(name for name in known if name)


def _known(name: Any) -> str | None:
    if not isinstance(name, str):
        return None
    small = name.strip().lower()
    return small if small in AXES else _ALSO_CALLED.get(small)


def warn_of_channels_last(named: str, shape: Sequence[int], axes: Sequence[str]) -> None:
    """Say so where an array that doesn't name its axes looks as if its channels came last.

    Parameters
    ----------
    named : str
        What people know the array by.
    shape : sequence of int
    axes : sequence of str
        What it is taken for.
    """
    if len(shape) < 3 or shape[-1] not in _COLOURS or min(shape[-3:-1]) < _WIDE:
        return
    last = "".join(axis for axis in AXES if axis != "c")[1 - len(shape) :] + "c"
    warnings.warn(
        f"{named} of shape {tuple(shape)} names no axes, and is taken for {''.join(axes)}, "
        f"with {shape[-1]} voxels along x. If these are channels, give open_volume axes={last!r}, "
        f"or give Volume.from_array np.moveaxis(array, -1, 0); else say axes={''.join(axes)!r}.",
        stacklevel=2,
    )
