"""Images that are given for labels: refused where that is certain, warned of where it is likely."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .kinds import InMemory, Stored, Turned
from .source import Source, Voxels
from .views import Cropped

__all__ = ["check_not_grey", "is_at_hand"]

# Voxels along an axis that are looked at, in the middle.
_LOOKED_AT = 64
# Of neighbours that differ, in labels of objects two voxels wide: some half; of cells and neurons,
# less than a tenth; in images nearly all.
_MOST_DIFFER = 0.55
# Fewer values than these may be classes, and fewer pairs are too few to tell.
_VALUES, _PAIRS = 24, 500


def check_not_grey(
    labels: Voxels, what: str, stacklevel: int, takes: str = "each value for an object"
) -> None:
    """Refuse predictions that are given for labels, and warn of what looks like an image.

    Values are looked at in the middle of what is stored or in memory, unless its metadata say that
    they are names.

    Parameters
    ----------
    labels : Volume of int
    what : str
        That needs them, for people.
    stacklevel : int
        Of the line that gave them.
    takes : str
        What it takes for what, for people.

    Raises
    ------
    ValueError
        If its bytes stand for other values, as those of predictions do.

    Examples
    --------
    >>> from dask_blockwise import Volume
    >>> predicted = Volume.from_array(np.ones((4, 4), np.uint8), stands_for=(0, 1))
    >>> check_not_grey(predicted, "relabel", stacklevel=2)
    Traceback (most recent call last):
    ValueError: relabel needs labels, and the bytes of <...> stand for 0 to 1, as predictions
    do: make a mask of them first, by threshold, and objects of that, such as by
    connected_components.
    """
    frame = labels.frame
    if frame.stands_for is not None:
        low, high = frame.stands_for
        raise ValueError(
            f"{what} needs labels, and the bytes of {labels!r} stand for {low} to {high}, as "
            "predictions do: make a mask of them first, by threshold, and objects of that, such as "
            "by connected_components."
        )
    if frame.names or frame.channels is not None or not is_at_hand(labels.source):
        return
    begin = tuple(max(0, (n - _LOOKED_AT) // 2) for n in frame.extent)
    end = tuple(min(n, b + _LOOKED_AT) for n, b in zip(frame.extent, begin, strict=True))
    try:
        values = labels.source.read(begin, end)
    except (OSError, ValueError):
        return  # Of chunks that are missing or damaged, the blocks that read them tell.
    differ, pairs = _neighbours(values, [n for n, axis in enumerate(frame.axes) if axis != "t"])
    if pairs < _PAIRS or differ <= pairs * _MOST_DIFFER or np.unique(values).size < _VALUES:
        return
    at = f" at {labels.source.stored.location}" if isinstance(labels.source, Stored) else ""
    warnings.warn(
        f"{labels!r}{at} looks like an image, not like labels: in its middle {differ / pairs:.0%} "
        f"of neighbouring voxels differ. {what} takes {takes}; threshold or segment it first; or, "
        "if these are labels of very small objects that are stored, dbw.image_label(path) says so.",
        stacklevel=stacklevel,
    )


def is_at_hand(source: Source) -> bool:
    """Whether nothing is computed where it is read."""
    if isinstance(source, Cropped | Turned):
        return all(is_at_hand(one.source) for one in source.inputs)
    in_memory = isinstance(source, InMemory) and isinstance(source.array, np.ndarray)
    return in_memory or isinstance(source, Stored)


def _neighbours(values: NDArray[Any], axes: list[int]) -> tuple[int, int]:
    """Pairs of neighbours within the foreground that differ, and all of them."""
    differ = pairs = 0
    for axis in axes:
        along = np.moveaxis(values, axis, 0)
        both = (along[1:] != 0) & (along[:-1] != 0)
        differ += int(np.count_nonzero(both & (along[1:] != along[:-1])))
        pairs += int(np.count_nonzero(both))
    return differ, pairs
