"""Where each object of stored labels lies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import prod
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engine.progress import RunSummary
from ..geometry.boxes import Index
from ..volumes.grey import check_not_grey
from ..volumes.lineage import is_made_by
from ..volumes.objects import Gathering
from ..volumes.source import LabelSource
from ..volumes.volume import Volume

__all__ = ["ObjectBox", "Run", "boxes_of", "check_objects", "checked_ids"]

_MOST_IDS = 2**64

# What runs tasks, of which no block may fail.
Run = Callable[..., RunSummary]


@dataclass(frozen=True)
class ObjectBox:
    """The box of an object."""

    id: int
    # In voxels along all axes of space.
    begin: Index
    end: Index

    @property
    def shape(self) -> Index:
        """In voxels."""
        return tuple(e - b for b, e in zip(self.begin, self.end, strict=True))

    def grown(self, extent: Index) -> ObjectBox:
        """One voxel more on each side, within a volume."""
        begin = tuple(max(0, b - 1) for b in self.begin)
        end = tuple(min(n, e + 1) for n, e in zip(extent, self.end, strict=True))
        return replace(self, begin=begin, end=end)

    def coarser(self, factors: Sequence[Fraction]) -> ObjectBox:
        """The same in voxels so many times as large."""
        begin = tuple(b // f for b, f in zip(self.begin, factors, strict=True))
        end = tuple(-(-e // f) for e, f in zip(self.end, factors, strict=True))
        return replace(self, begin=begin, end=end)


def checked_ids(ids: Iterable[int] | None) -> list[int] | None:
    """The ids of objects that are wanted; None for all.

    Raises
    ------
    ValueError
        If these aren't positive whole numbers.

    Examples
    --------
    >>> checked_ids(np.array([3, 7], np.uint8))
    [3, 7]
    >>> checked_ids("37")
    Traceback (most recent call last):
    ValueError: ids lists positive whole numbers, one for each object, such as [3, 7], got '37'.
    """
    if ids is None:
        return None
    several = isinstance(ids, Iterable) and not isinstance(ids, str | bytes)
    listed: list[Any] = list(ids) if several else [None]
    if not all(_is_id(one) for one in listed):
        raise ValueError(
            "ids lists positive whole numbers, one for each object, such as [3, 7], got "
            f"{ids!r:.80}."
        )
    return [int(one) for one in listed]


def _is_id(given: Any) -> bool:
    whole = isinstance(given, Integral) and not isinstance(given, bool)
    return whole and 0 < int(given) < _MOST_IDS


def boxes_of(gathering: Gathering, run: Run, wanted: list[int] | None) -> list[ObjectBox]:
    """Boxes of objects, found block by block in a run.

    Parameters
    ----------
    gathering : Gathering
        Of the objects, whose parts lie where its path says until they are joined.
    run : callable
        What runs a task.
    wanted : list of int, optional
        Of which objects; of all unless given.

    Raises
    ------
    ValueError
        If one that is wanted isn't there.
    """
    run(gathering.task, resume=True)
    table, labels = gathering.counted(), gathering.segments
    gathering.clean()
    if wanted is not None:
        asked = np.array(wanted, np.uint64)
        if lacking := np.setdiff1d(asked, table.id.to_numpy(np.uint64))[:5].tolist():
            raise ValueError(f"There are no objects {lacking} in {labels!r}.")
        table = table[np.isin(table.id.to_numpy(np.uint64), asked)]
    axes = labels.frame.axes
    begins, ends = (_columns(table, side, axes) for side in ("begin", "end"))
    ids = map(int, table.id)
    return [ObjectBox(*one) for one in zip(ids, map(tuple, begins), map(tuple, ends), strict=True)]


def check_objects(labels: Volume, what: str) -> None:
    """Refuse what isn't stored labels in three dimensions.

    Raises
    ------
    TypeError, ValueError
    """
    if labels.dtype.kind not in "iu":
        raise TypeError(
            f"{what} need labels, which are integers, got {labels!r}: make objects of it first, "
            "such as by threshold and connected_components."
        )
    if labels.axes not in (("z", "y", "x"), ("x", "y", "z")):
        raise TypeError(
            f"{what} need labels along z, y and x, got {labels!r}: take one time point or channel, "
            "such as volume.isel(c=0)."
        )
    check_not_grey(labels, what, stacklevel=5)
    if labels.source.needs_all or is_made_by(labels, LabelSource):
        raise ValueError(
            f"The ids of {labels!r} depend on the region that is asked for: store it, "
            "to_zarr(path), and open that."
        )


def _columns(table: Any, side: str, axes: tuple[str, ...]) -> Any:
    found: NDArray[np.int64] = table[[f"{side}_{axis}" for axis in axes]].to_numpy(np.int64)
    return found.tolist()


def voxels_of(box: ObjectBox) -> int:
    """How many there are in a box."""
    return prod(box.shape)
