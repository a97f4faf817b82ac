"""What a volume is computed from: found by walking over its inputs, down to what is stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..geometry.blocks import Coordinate, Roi
from ..pipelines.calls import Call
from ..pipelines.stages import noted
from .kinds import AnyVoxels, Checkpoint, Stored, Turned
from .reach import Reach
from .source import Voxels

__all__ = [
    "all_under",
    "as_it_is_now",
    "awaited",
    "call_of",
    "check_regional",
    "checkpoints_of",
    "is_by_voxel",
    "is_made_by",
    "is_stored",
    "is_turned",
    "over_inputs",
    "own_reach",
    "place_of",
    "prepared",
    "reach_of",
    "takes_long",
]


def checkpoints_of(volume: Voxels) -> list[Checkpoint]:
    """Those that a volume is computed from, without those further down."""
    if isinstance(volume.source, Checkpoint):
        return [volume.source]
    return [found for inner in volume.source.inputs for found in checkpoints_of(inner)]


def is_stored(volume: Voxels) -> bool:
    """Whether what is made from it reads it from a store."""
    return not volume.source.inputs or isinstance(volume.source, Checkpoint)


def call_of(volume: Voxels) -> Call | None:
    """The call of a stage that made a volume, where that is known."""
    found: Call | None = getattr(volume, "call", None)
    return found


def is_made_by(volume: Voxels, kinds: Any) -> bool:
    """Whether a source of some types is among what makes the blocks of a volume anew.

    Not below what is stored, nor where all of a volume is needed for a block.
    """
    source = volume.source
    if isinstance(source, kinds):
        return True
    if is_stored(volume) or source.needs_all:
        return False
    return any(is_made_by(inner, kinds) for inner in source.inputs)


def place_of(volume: Voxels) -> str | None:
    """Where a volume is, or will be, stored; None for what is only computed."""
    if isinstance(volume.source, Stored):
        return volume.source.stored.path
    return volume.source.path if isinstance(volume.source, Checkpoint) else None


def own_reach(volume: Voxels) -> Reach:
    """What a region needs of the volume's own inputs around it."""
    return volume.source.reach or Reach.none(len(volume.frame.extent))


def reach_of(volume: Voxels) -> Reach:
    """What a region needs around it, down to what is stored."""
    own = own_reach(volume)
    if is_stored(volume):
        return own
    inner = [reach_of(inner) for inner in volume.source.inputs if _measures_as(volume, inner)]
    if isinstance(volume.source, Turned):
        inner = [reach.transposed(volume.source.order) for reach in inner]
    return own.beyond(inner)


def is_by_voxel(volume: Voxels) -> bool:
    """Whether a value is soon made of those at its own place."""
    reach = own_reach(volume)
    return not (volume.source.takes_long or any((*reach.before, *reach.after)))


def takes_long(volume: Voxels) -> bool:
    """Whether anything but voxel by voxel is computed for it of what is stored."""
    if is_stored(volume):
        return False
    return not is_by_voxel(volume) or any(map(takes_long, volume.source.inputs))


def is_turned(volume: Voxels) -> bool:
    """Whether axes, or units, are others than in something stored that it is computed from."""
    if is_stored(volume):
        return False
    inputs = volume.source.inputs
    turned = isinstance(volume.source, Turned)
    turned = turned or not all(_measures_as(volume, inner) for inner in inputs)
    return turned or any(map(is_turned, inputs))


def _measures_as(volume: Voxels, inner: Voxels) -> bool:
    """Whether regions of a volume are those of its input, and not in another unit."""
    return volume.frame.placement.measures_as(inner.frame.placement)


def all_under(volume: Voxels) -> Roi:
    """The box of the volume and of all that it is computed from, down to what is stored.

    Of axes that are turned on the way, in either order; of units, in either.
    """
    roi: Roi = volume.frame.roi
    for inner in () if is_stored(volume) else volume.source.inputs:
        roi = roi.union(all_under(inner))
    return roi


def awaited(volume: Voxels, reach: Reach) -> tuple[Coordinate, Coordinate]:
    """What a block waits for: its reach, and all of an axis along which it reads at the far end.

    Where axes or units are others on the way, it isn't said which blocks those are: it waits for
    all.
    """
    # A part of what is larger may read at the far end of that.
    everything = all_under(volume)
    if is_turned(volume):
        return _around_all(everything, reach)
    axes = list(zip(reach_of(volume).wraps, everything.shape))
    before, after = (
        Coordinate(whole if wraps else side for side, (wraps, whole) in zip(sides, axes))
        for sides in (reach.before, reach.after)
    )
    return before, after


def _around_all(roi: Roi, reach: Reach) -> tuple[Coordinate, Coordinate]:
    """As much around a block as holds a region, in whichever order its axes are."""
    length = max(roi.end) - min(roi.begin) + max((*reach.before, *reach.after))
    everywhere = Coordinate((length,) * roi.dims)
    return everywhere, everywhere


def prepared(volume: AnyVoxels) -> AnyVoxels:
    """The volume as workers compute it: checkpoints are read from where they are stored.

    Raises
    ------
    ValueError
        If a block would need all of a volume that no checkpoint stores.
    """
    source = volume.source
    if source.needs_all:
        _refuse_all()
    if isinstance(source, Checkpoint):
        return replace(volume, source=source.stored())
    return replace(volume, source=source.prepared(tuple(map(prepared, source.inputs))))


def as_it_is_now(volume: AnyVoxels, anew: bool = False) -> AnyVoxels:
    """The volume with nothing remembered of it: what it is made of may have changed in place.

    Parameters
    ----------
    volume : Volume
    anew : bool
        Whether nothing either is believed that was read before of what is stored.

    Raises
    ------
    FileNotFoundError, ValueError
        If something that it is computed from isn't there any more, or is another array.
    """
    return _as_it_is_now(volume, anew, {})


def _as_it_is_now(volume: AnyVoxels, anew: bool, seen: dict[int, Any]) -> AnyVoxels:
    if id(volume) not in seen:
        made = over_inputs(volume, lambda inner: _as_it_is_now(inner, anew, seen))
        source: Any = made.source
        if isinstance(source, Stored) and not source.written:
            stored = source.stored.again()
            source = replace(source, stored=stored.anew() if anew else stored)
            made = noted(replace(made, source=source), call_of(made))
        seen[id(volume)] = made
    found: AnyVoxels = seen[id(volume)]
    return found


def over_inputs(volume: AnyVoxels, other: Callable[[Any], Any]) -> AnyVoxels:
    """The same over others in place of its inputs, and made by the same call with these.

    Parameters
    ----------
    volume : Volume
    other : callable
        What takes the place of a volume that it is made from.
    """
    source: Any = volume.source
    if source.inputs:
        source = source.over(tuple(map(other, source.inputs)))
    made, call = replace(volume, source=source), call_of(volume)
    return made if call is None else noted(made, call.over(other))


def check_regional(volume: Voxels, stored: bool = False) -> None:
    """Refuse inputs of which a region can't be computed by itself.

    Parameters
    ----------
    volume : Volume
    stored : bool
        Whether checkpoints are stored on the way, so that only what they store is looked at.
    """
    if stored and isinstance(volume.source, Checkpoint):
        check_regional(volume.source.made, stored)
        return
    for inner in volume.source.inputs:
        if inner.source.needs_all:
            _refuse_all()
        check_regional(inner, stored)


def _refuse_all() -> None:
    raise ValueError(
        "A stage after relabel needs its final ids: store them on the way, "
        "relabel(...).checkpoint(path), and open what is stored for .data."
    )
