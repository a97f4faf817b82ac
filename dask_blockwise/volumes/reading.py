"""What blocks read of what is stored: found by walking a volume's inputs down to that."""

from __future__ import annotations

from collections.abc import Sequence

from ..recipes import parts_of
from ..storage.foreign import as_stored
from ..storage.stored_array import StoredArray
from .frame import Frame
from .kinds import Checkpoint, InMemory, Stored, Turned
from .lineage import own_reach
from .source import Source, Voxels
from .spans import Reading, Span

__all__ = ["readings"]


def readings(volume: Voxels, spans: tuple[Span, ...] | None) -> list[Reading]:
    """What is read of what is stored to answer for parts of a volume, each once.

    Parameters
    ----------
    volume : Volume
    spans : tuple of Span, optional
        The parts; all of it unless given.
    """
    found: dict[tuple[int, tuple[Span, ...] | None], list[Reading]] = {}
    _find(volume, spans, found)
    return [reading for several in found.values() for reading in several]


def _find(
    volume: Voxels,
    spans: tuple[Span, ...] | None,
    found: dict[tuple[int, tuple[Span, ...] | None], list[Reading]],
) -> None:
    key, source = (id(volume), spans), volume.source
    if key in found:
        return
    if isinstance(source, Checkpoint):
        found[key] = [Reading(volume.frame, spans, checkpoint=source.path)]
        return
    if isinstance(source, Stored):
        found[key] = [Reading(volume.frame, spans, source.stored, written=source.written)]
        return
    arrays = (*source.arrays, *_used_by(source))
    found[key] = [Reading(None, None, array) for array in arrays]
    for inner in source.also_reads:
        _find(inner, None, found)
    for inner in source.inputs:
        _find(inner, spans and _needed(volume, inner, spans), found)


def _used_by(source: Source) -> list[StoredArray]:
    """Arrays in a store that functions or their parameters bring, beside what they are given."""
    if isinstance(source, InMemory):
        return []
    parts = parts_of(source, (*source.inputs, *source.also_reads))
    return [array for part in parts if (array := as_stored(part)) is not None]


def _needed(volume: Voxels, inner: Voxels, spans: tuple[Span, ...]) -> tuple[Span, ...] | None:
    """What of an input is read to answer for parts of a volume; None for all."""
    if isinstance(volume.source, Turned):
        spans = tuple(spans[n] for n in volume.source.back(tuple(range(len(spans)))))
        return _within(spans, inner.frame, (False,) * len(spans))
    place, there = volume.frame.placement, inner.frame.placement
    if place.block_axes != there.block_axes or not place.measures_as(there):
        return None
    reach = own_reach(volume)
    sides = zip(spans, reach.before, reach.after, strict=True)
    grown = tuple(span.grown(int(before), int(after)) for span, before, after in sides)
    return _within(grown, inner.frame, reach.wraps)


def _within(spans: Sequence[Span], frame: Frame, wraps: Sequence[bool]) -> tuple[Span, ...]:
    axes = zip(spans, frame.roi.begin, frame.roi.end, wraps, strict=True)
    return tuple(span.within(int(low), int(high), wrap) for span, low, high, wrap in axes)
