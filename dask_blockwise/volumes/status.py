"""How a stored volume stands: which blocks are done, and what is no longer what it was."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import UnsupportedOperation
from types import FunctionType
from typing import Any

import numpy as np

from ..engine.ledger import Finished, finished, has_marks, spent_in_all
from ..engine.worker.spent import NOTHING, Spent
from ..geometry.boxes import Index
from ..recipes import parts_of
from ..storage.arrays import open_array
from ..storage.location import can_be_listed, is_only_read, location_of
from ..storage.stored_array import StoredArray
from .auto_checkpoints import with_checkpoints_as
from .filling import ANOTHER, Filling
from .found_places import levels_at
from .frame import Frame
from .kept_volume import kept_volume
from .known import Known, Verify, array_id, known_now, ledger_of
from .left import left_in
from .levels import Levels, levels_beyond, levels_there
from .lineage import as_it_is_now, checkpoints_of
from .opening import open_volume
from .options import StoreOptions
from .preparation import Preparation
from .record import Record, changed_parts
from .rerunning import recorded
from .source import Voxels
from .step import Target
from .tasks import filling_of

__all__ = ["Status", "status"]


@dataclass(frozen=True, repr=False)
class Status:
    """How a stored volume stands; true where it ``is_current``."""

    path: str
    blocks: int
    # Blocks that are finished, of which files are missing, and that were altered since.
    done: int
    missing: int
    altered: int
    # What is no longer what it was, for people.
    changes: tuple[str, ...]
    # What couldn't be looked at, and why.
    unknown: tuple[str, ...] = ()
    # Coarser levels that were made here.
    levels: tuple[Status, ...] = ()
    # Of the finished blocks, those that were skipped as they hold nothing.
    empty: int = 0
    # What all runs together spent on writing it: of labels and objects, on the last pass alone.
    spent: Spent = NOTHING

    def __bool__(self) -> bool:
        return self.is_current

    @property
    def is_current(self) -> bool:
        """Whether all blocks are there, and are known to be made from what is there now."""
        return not (self.problems or self.unknown)

    @property
    def problems(self) -> tuple[str, ...]:
        """Why it isn't current, for people."""
        counted = {
            "blocks aren't done": self.blocks - self.done,
            "blocks lack files, and are computed again": self.missing,
            "blocks aren't the files that were written": self.altered,
        }
        of_blocks = (f"{count} of {self.blocks} {what}" for what, count in counted.items() if count)
        of_levels = (f"level {of.path}: {what}" for of in self.levels for what in of.problems)
        return (*of_blocks, *self.changes, *of_levels)

    def __str__(self) -> str:
        return "\n".join(self._lines())

    __repr__ = __str__

    def _lines(self) -> Iterator[str]:
        empty = f", {self.empty} of which are empty" if self.empty else ""
        done = f"{self.done} of {self.blocks} blocks are done{empty}"
        yield f"{self.path}: {done if self.blocks else 'nothing is known to be done'}."
        for of in self.levels:
            yield f"Level {of.path}: {of.done} of {of.blocks} blocks are done."
        yield from (f"Not current: {problem}" for problem in self.problems)
        yield from (f"Not known: {why}" for why in self.unknown)
        if self.unknown and not self.problems:
            yield "All that could be looked at holds."
        if self.is_current:
            yield "They hold: what they were made from is what it was."
        if self.spent.seconds:
            yield f"{self.spent}, in {self.spent.seconds:.1f} s of workers."


def status(
    path: str | os.PathLike[str], volume: Voxels | None = None, *, trust: bool = False
) -> Status:
    """How a stored volume stands, without running anything.

    Parameters
    ----------
    path : path or URL
        Of what ``to_zarr`` or ``checkpoint`` stored.
    volume : Volume, optional
        What is about to be stored there; the one that was stored unless given, so that changed
        code and weights are seen as far as they can be imported.
    trust : bool
        Whether to load the stored one even if somebody else's, which runs code that it brings.

    Returns
    -------
    Status

    Raises
    ------
    FileNotFoundError
        If nothing is there that was stored here.
    io.UnsupportedOperation
        If it lies on a web server or in a zip archive.

    Examples
    --------
    >>> import numpy as np
    >>> from dask_blockwise import Volume, status
    >>> volume = Volume.from_array(np.eye(4), chunks=(2, 4))
    >>> _ = volume.to_zarr("eye.zarr/copy", progress=False)
    >>> print(status("eye.zarr/copy"))
    eye.zarr/copy: 2 of 2 blocks are done.
    They hold: what they were made from is what it was.
    ... B read, 128 B written, in ... s of workers.
    """
    given = os.fspath(path)
    record, array = recorded(given)
    if is_only_read(array.location):
        raise UnsupportedOperation(
            f"{given} lies on a web server or in a zip archive, where marks of blocks aren't "
            "found: ask where it was stored, or unpack it."
        )
    done = finished(ledger_of(array.location), array_id(array))
    if done is None:
        return Status(given, 0, 0, 0, 0, (_why_none_is_known(ledger_of(array.location)),))
    unknown: list[str] = []
    changes = _changes(given, record, array, volume, trust, unknown)
    levels = tuple(_of_levels(location_of(given), array))
    if beyond := levels_beyond(levels_at(given), len(levels)):
        changes.append(f"the level before {beyond[0]} isn't there, of which it is made")
    missing, altered = _looked_at(array, done)
    return Status(
        *(given, len(done.grid), int(done.done.sum()), missing, altered),
        tuple(changes),
        tuple(unknown),
        levels,
        int(done.empty.sum()),
        spent_in_all(ledger_of(array.location)),
    )


def _why_none_is_known(ledger: str) -> str:
    if not has_marks(ledger):
        return "no block was ever begun"
    return (
        f"which blocks are done isn't known, as {ledger}/task.json is damaged or not there: the "
        "same call that stored it finds out, and goes on"
    )


def _changes(
    given: str,
    record: Record,
    array: StoredArray,
    volume: Voxels | None,
    trust: bool,
    unknown: list[str],
) -> list[str]:
    """What is no longer what it was: of the computation as far as it can be made, and of inputs."""
    unknown += _untold(record)
    ledger = ledger_of(array.location)
    verify: Any = record.verify
    made, options = _kept(given, ledger, trust, unknown if volume is None else [])
    if volume is not None and made is not None:
        block = volume.frame.checked_block(options.block_shape)
        volume = with_checkpoints_as(made, volume, location_of(given), block)
    volume = made if volume is None else as_it_is_now(volume)
    if volume is not None:
        filling = filling_of(volume, location_of(given), options, Preparation(verify))
        return [*_of_filling(filling, record), *_of_checkpoints(volume, trust, unknown)]
    return changed_parts(ledger, record, list(_known(record, verify, unknown)))


def _untold(record: Record) -> Iterator[str]:
    """Of which inputs nothing is known but that their metadata are what they were."""
    for location in (str(found.get("location", "")) for found in record.inputs):
        if not can_be_listed(location):
            yield f"whether chunks of {location} have changed, which a web server doesn't tell."


def _kept(
    given: str, ledger: str, trust: bool, unknown: list[str]
) -> tuple[Voxels | None, StoreOptions]:
    try:
        made, options = kept_volume(given, ledger, trust)
        if brought := _brought_by(made):
            unknown.append(
                f"whether {brought} changed, as only the script or notebook can tell: there, ask "
                "status(path, volume) of the volume that is to be stored, or store it again, "
                "which asks before it changes anything."
            )
        return as_it_is_now(made), options
    except (OSError, ValueError) as error:
        unknown.append(f"whether code has changed. {error}")
        return None, StoreOptions()


def _brought_by(volume: Voxels) -> str:
    """Names of functions and classes that came with a volume, and can't be imported."""
    parts = parts_of(volume)
    names = (
        part.__name__
        for part in parts
        if isinstance(part, FunctionType | type) and part.__module__ == "__main__"
    )
    return ", ".join(dict.fromkeys(names))


def _of_filling(filling: Filling, record: Record) -> list[str]:
    changes = record.changes_to(filling.record)
    if not changes and filling.is_another:
        return [ANOTHER]
    return changes or changed_parts(filling.ledger, record, filling.inputs)


def _of_checkpoints(volume: Voxels, trust: bool, unknown: list[str]) -> list[str]:
    """How what it is made of by way of checkpoints stands, for people."""
    changes = []
    for checkpoint in checkpoints_of(volume):
        try:
            found = status(checkpoint.path, checkpoint.made, trust=trust)
        except (OSError, ValueError) as error:
            changes.append(f"checkpoint {checkpoint.path}. {error}")
            continue
        changes += [f"checkpoint {found.path}: {what}" for what in found.problems]
        unknown += [f"{why} (checkpoint {found.path})" for why in found.unknown]
    return changes


def _of_levels(image: str, array: StoredArray) -> Iterator[Status]:
    """How each level stands that was made here."""
    volume, where = open_volume(array.location), levels_at(image)
    made = finished(ledger_of(array.location), array_id(array))
    block = volume.block_shape if made is None else _block_of(made, volume.frame)
    read = replace(volume, frame=volume.frame.with_block(block))
    steps = tuple(levels_there(where))
    levels = Levels(where, read, array, steps, StoreOptions(), Preparation(), written=False)
    before: Any = read
    for number in range(1, len(steps) + 1):
        filling = levels.filling(number, before)
        name, stored = filling.path.rpartition("/")[2], open_array(filling.path)
        done = finished(filling.ledger, array_id(stored))
        if done is None:
            yield Status(name, 0, 0, 0, 0, (_why_none_is_known(filling.ledger),))
            return
        stale = filling.stale(done)
        n = 0 if stale is None else int(stale.sum())
        changes = [f"{n} of {len(done.grid)} blocks are of finer voxels that changed"] * bool(n)
        missing, altered = _looked_at(stored, done)
        yield Status(name, len(done.grid), int(done.done.sum()), missing, altered, tuple(changes))
        before = levels.read(filling.volume, stored)


def _known(record: Record, verify: Verify, unknown: list[str]) -> Iterator[Known]:
    for found in record.inputs:
        try:
            volume = open_volume(found["location"], axes=found.get("axes"))
        except (OSError, ValueError) as error:
            unknown.append(f"input {found['path']}. {error}")
            continue
        yield known_now(volume.frame, volume.stored, verify)


def _looked_at(array: StoredArray, done: Finished) -> tuple[int, int]:
    """Of how many finished blocks files are missing, and how many were altered."""
    frame = open_volume(array.location).frame
    left = left_in(Target.all_of(array), frame, _block_of(done, frame))
    differs, lacks = left.differs(done.marks) & done.done, left.lacks(done.marks) & done.done
    return int(lacks.sum()), int(np.count_nonzero(differs & ~lacks))


def _block_of(done: Finished, frame: Frame) -> Index:
    """Voxels of the blocks that marks are of, wherever metadata place the volume by now."""
    whole, block = done.grid.writable_roi.shape, done.grid.write_roi.shape
    return tuple(int(b * n // w) for b, n, w in zip(block, frame.extent, whole, strict=True))
