"""The array that a volume is stored to: made anew, or gone on with, or not touched unless asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engine.evidence import combined
from ..engine.ledger import Finished, finished
from ..geometry.boxes import Index
from ..storage.arrays import StoredArray, open_array
from ..storage.label_lists import is_label
from ..storage.stamps import stamps_of
from .kept_volume import has_volume, keep_volume
from .known import Known, array_id, ledger_of
from .left import differ_in_content, left_in
from .meaning import attributes_of
from .options import StoreOptions
from .places import Place
from .preparation import Preparation
from .record import Record, changed_parts, keep_parts, now
from .same_place import check_meets, is_there
from .source import Voxels
from .spans import Reading
from .step import Target
from .stored_frame import OpenOptions, stored_frame

__all__ = ["ANOTHER", "Filling", "OutputChanged"]


_OTHER_FILES = "aren't the files that were written"
_OF_COPIES = ' Where files were merely copied, verify="none" takes them as they are.'
ANOTHER = "the array there isn't the one that was stored, or its metadata were edited"
_TOUCHED = 'To compute again only what that touches, pass on_change="redo"; to replace all of it,'
_OUTSIDE = (
    "What lies outside of roi would be lost: to compute all that this touches again, leave roi out "
    'and pass on_change="redo"; to have the region alone,'
)


class OutputChanged(FileExistsError):
    """Finished blocks that are stored no longer hold, and nobody said what becomes of them.

    Parameters
    ----------
    path : str
    finished : int
        Blocks.
    reasons : sequence of str
        What is no longer what it was.
    outside : bool
        Whether they can't be kept where a region alone is computed again.
    """

    def __init__(
        self, path: str, finished: int, reasons: Sequence[str], outside: bool = False
    ) -> None:
        super().__init__(
            f"{path} has {finished} finished {'block' if finished == 1 else 'blocks'}, and "
            f"something has changed since: {'; '.join(reasons)}. "
            f"{_OUTSIDE if outside else _TOUCHED} overwrite=True; or store at "
            f"another path.{_OF_COPIES * any(map(_is_of_files, reasons))}"
        )
        self.path, self.finished, self.reasons = path, finished, tuple(reasons)
        self.outside = outside

    def __reduce__(self) -> tuple[type[OutputChanged], tuple[str, int, tuple[str, ...], bool]]:
        return type(self), (self.path, self.finished, self.reasons, self.outside)


@dataclass(frozen=True)
class Filling:
    """A volume that is about to be stored at a path, and what lies there of it."""

    volume: Voxels
    place: Place
    # Voxels of a block.
    block: Index
    options: StoreOptions
    preparation: Preparation
    # What its blocks read; of all steps together.
    readings: tuple[Reading, ...]
    # What else is kept with the array.
    said: Mapping[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """Where it goes, for people."""
        return self.place.path

    @cached_property
    def record(self) -> Record:
        """Of this computation."""
        return Record.of(
            self.volume,
            self.block,
            self.inputs,
            version=self.options.version,
            verify=self.preparation.verify,
            notes=self.options.notes,
            checkpoints=[r.checkpoint for r in self.readings if r.checkpoint is not None],
            on_the_way_to=self.options.on_the_way_to,
            stored_as=self.options.stored_as.recipe,
        )

    @cached_property
    def found(self) -> Record | None:
        """Of what lies there, if it was written here."""
        return self.place.record()

    @cached_property
    def stored(self) -> StoredArray | None:
        """The array that lies there, if it is the one that its record is of."""
        array = self._there
        if self.found is None or array is None or array_id(array) != self.found.id:
            return None
        if self.found.digest == self.record.digest and not self._is_as_made(array):
            return None  # its metadata were edited, so that it reads as something else
        return array

    @cached_property
    def _there(self) -> StoredArray | None:
        try:
            return open_array(self.place.array_path, writable=True)
        except FileNotFoundError:
            return None  # killed before it was made, or while it was removed

    def _is_as_made(self, array: StoredArray) -> bool:
        frame = self.volume.frame
        stored_as = self.options.stored_as
        same = (array.shape, array.dtype) == (frame.shape, stored_as.of(frame))
        if not same or not stored_as.is_made_so(array, frame, self.block):
            return False
        return is_there(stored_frame(self.place.array_path, OpenOptions())[0], frame)

    @property
    def is_another(self) -> bool:
        """Whether what lies there is an array with values that isn't the one that was stored."""
        if self.found is None or self._there is None or self.stored is not None:
            return False
        return bool(stamps_of(self._there).values.any())

    @cached_property
    def done(self) -> Finished | None:
        """Blocks that are finished there, by whatever computation."""
        if self.stored is None:
            return None
        done = finished(self.ledger, array_id(self.stored))
        return done if done is not None and done.done.any() else None

    @property
    def ledger(self) -> str:
        """Where marks lie."""
        return ledger_of(self.place.array_path)

    @property
    def goes_on(self) -> bool:
        """Whether what lies there is of the same computation, so that the array is kept."""
        same = self.found is not None and self.found.digest == self.record.digest
        return same and self.stored is not None and not self.options.overwrite

    @cached_property
    def inputs(self) -> list[Known]:
        """What is known of the stored inputs."""
        return self.preparation.known.read_by(self.readings)

    def check(self) -> None:
        """Refuse what can't be stored, and to touch finished blocks that no longer hold.

        Raises
        ------
        OutputChanged
        ValueError
            If a region is to be repaired of what isn't there, and can't be made by itself.
        """
        self._check_region()
        if not self.goes_on:
            self.options.stored_as.settings(self.path, self.volume.frame, self.block)
        on_change = self.options.on_change or self.preparation.on_change
        if self.options.overwrite:
            return
        if self.options.roi is not None and not self.volume.source.needs_all:
            self._check_outside()
        if on_change == "redo" or not self.options.resume:
            return
        if self.is_another:
            raise OutputChanged(self.path, 0, [ANOTHER])
        if self.done is not None and (reasons := self._reasons()):
            raise OutputChanged(self.path, int(self.done.done.sum()), reasons)

    def _check_region(self) -> None:
        if self.options.roi is not None:
            check_meets(self.volume.frame, self.options.roi)
        complete = self.done is not None and self.done.done.all()
        if self.options.roi is not None and self.volume.source.needs_all and not complete:
            raise ValueError(
                f"roi={self.options.roi} repairs what is stored, and {self.path} isn't yet, or not "
                "all of it: an object's id depends on the whole volume. Store it without roi first."
            )

    def _check_outside(self) -> None:
        """Refuse to make an array anew, for a region alone, in which there is more."""
        if self.goes_on:
            return
        if self.is_another:
            raise OutputChanged(self.path, 0, [ANOTHER], outside=True)
        if self.found is not None and self.done is not None:
            reasons = self.found.changes_to(self.record)
            raise OutputChanged(self.path, int(self.done.done.sum()), reasons, outside=True)

    def array(self) -> StoredArray:
        """The array to fill: the one that is there, or a new one."""
        if self.goes_on and self.stored is not None:
            self.place.tell()
            return self.stored
        frame, overwrite = self.volume.frame, self.options.overwrite or self.found is not None
        settings = self.options.stored_as.settings(self.path, frame, self.block)
        names = frame.names or is_label(self.path)
        said = attributes_of(frame.stands_for, names, id=self.record.id, **self.said)
        made = self.place.create(frame, settings | {"overwrite": overwrite}, self.record, **said)
        keep_parts(self.ledger, self.inputs)
        keep_volume(self.ledger, self.volume, self.options)
        return made

    def end(self) -> None:
        """Record that all blocks are done, of the inputs as they are now."""
        kept = self.found if self.goes_on and self.found is not None else self.record
        if self.options.roi is not None and not self.volume.source.needs_all:
            return  # what lies outside may be of other inputs
        same = kept.end and kept.verify == self.record.verify and has_volume(self.ledger)
        if same and not changed_parts(self.ledger, kept, self.inputs):
            return
        self.place.write(replace(self.record, id=kept.id, begin=kept.begin, end=now()))
        keep_parts(self.ledger, self.inputs)
        if self.options.roi is None:
            # By now it may read something else, or be gone; a killed run may not have kept it.
            keep_volume(self.ledger, self.volume, self.options)

    def _reasons(self) -> list[str]:
        """Why finished blocks no longer hold, for people."""
        if self.found is None or self.done is None:
            return []
        reasons = self.found.changes_to(self.record)
        if self.found.verify != self.record.verify and self.preparation.verify != "none":
            return reasons  # what was recorded otherwise can't be compared
        if self.preparation.verify == "none" or not self.goes_on or self.options.roi is not None:
            return reasons
        changed = changed_parts(self.ledger, self.found, self.inputs)
        stale = self.stale(self.done)
        if stale is None or stale.any():
            reasons += changed or _counted(stale, "aren't known to be of what is there now")
        return reasons + _counted(self._altered(self.done), _OTHER_FILES)

    def stale(self, done: Finished) -> NDArray[np.bool_] | None:
        """Finished blocks that were made from something else; None where that isn't known yet."""
        if any(reading.array is None for reading in self.readings):
            return None
        evidence = self.preparation.known.evidence(self.readings, done.grid.shape, {})
        if not all(part.fixed for part in evidence):
            return None
        now = combined(evidence, np.arange(len(done.grid)), lambda task: None)
        stale: NDArray[np.bool_] = done.done & (done.marks["made_from"] != now)
        return stale

    def _altered(self, done: Finished) -> NDArray[np.bool_]:
        """Finished blocks that are there, and aren't what was written."""
        if self.stored is None:
            return np.zeros(len(done.grid), bool)
        target, frame = Target.all_of(self.stored), self.volume.frame
        left = self.preparation.left(self.ledger, lambda: left_in(target, frame, self.block))
        there = done.done & ~left.lacks(done.marks)
        if self.preparation.verify == "content":
            return there & differ_in_content(target, frame, self.block, done.marks)
        return there & left.differs(done.marks)


def _is_of_files(reason: str) -> bool:
    return reason.startswith("input ") or reason.endswith(_OTHER_FILES)


def _counted(which: NDArray[np.bool_] | None, what: str) -> list[str]:
    count = 0 if which is None else int(which.sum())
    return [f"{count} of {which.size} blocks {what}"] if which is not None and count else []
