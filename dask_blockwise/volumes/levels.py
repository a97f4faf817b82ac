"""Coarser levels of a stored image: volumes made of the level before, and their tasks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, takewhile
from pathlib import Path
from typing import Any

from ..engine.task import Task
from ..geometry.boxes import Index
from ..storage.arrays import StoredArray, exists, open_array
from ..storage.label_lists import is_label
from .downsampling import Coarser
from .filling import Filling
from .found_places import levels_for
from .frame import Frame
from .kinds import AnyVoxels, Stored
from .known import ledger_of
from .options import StoreOptions
from .places import LevelPlaces, Place
from .preparation import Preparation
from .pyramids import Pyramid, factors_after
from .reading import readings
from .source import Voxels
from .spans import spans_of
from .step import Output, Target
from .step_tasks import tasks_into

__all__ = [
    "LevelStep",
    "Levels",
    "asked_for",
    "check_levels",
    "coarser",
    "level_tasks",
    "levels_beyond",
    "levels_there",
    "step_at",
    "steps_wanted",
]

_OURS, _LEVEL = "dask_blockwise", "level"


@dataclass(frozen=True)
class LevelStep:
    """How a level is made of the one before it."""

    # Along all axes but "c".
    factors: Index
    method: str

    @property
    def said(self) -> dict[str, Any]:
        """For the attributes of the level's array."""
        return {_LEVEL: {"factors": list(self.factors), "method": self.method}}

    @classmethod
    def of(cls, array: StoredArray) -> LevelStep | None:
        """That of an array that is a level which was made here."""
        ours = array.attributes.get(_OURS)
        said = ours.get(_LEVEL) if isinstance(ours, Mapping) else None
        if not isinstance(said, Mapping) or not {"factors", "method"} <= {*said}:
            return None
        return cls(tuple(map(int, said["factors"])), str(said["method"]))


@dataclass(frozen=True)
class Levels:
    """Coarser levels of a stored image."""

    where: LevelPlaces
    # The level from which they are made, in the blocks in which it is stored, and its array.
    volume: Voxels
    array: StoredArray
    steps: tuple[LevelStep, ...]
    options: StoreOptions
    preparation: Preparation
    # Whether the run that makes them writes that level too.
    written: bool = True

    def claim(self) -> None:
        """Have the levels to oneself until the run is over."""
        for place in _places(self.where, self.volume, self.steps):
            self.preparation.claim(ledger_of(place.array_path))

    def check(self) -> None:
        """Refuse to touch levels that no longer hold, as `Filling.check` does."""
        volume = self.read(self.volume, self.array, self.written)
        for number in range(1, len(self.steps) + 1):
            filling = self.filling(number, volume)
            filling.check()
            if filling.stored is None:
                return
            volume = self.read(filling.volume, filling.stored, written=True)

    def tasks(self, written_by: Task | None) -> list[Task]:
        """One for each level, after the one that writes the level before; arrays are made."""
        volume, tasks = self.read(self.volume, self.array, self.written), []
        places = _places(self.where, self.volume, self.steps)
        self.where.keep_only([self.array.location, *(place.array_path for place in places)])
        location = self.array.location
        for number in range(1, len(self.steps) + 1):
            filling = self.filling(number, volume)
            array = filling.array()
            self.preparation.at_end.append(filling.end)
            if written_by is not None:
                self.preparation.writers[location] = written_by
            output = Output(self.where.path, Target.all_of(array), part=Path(array.path).name)
            upstream = [] if written_by is None else [written_by]
            written_by = tasks_into(
                filling.volume, output, filling.options, upstream, self.preparation
            )[0]
            tasks.append(written_by)
            volume, location = self.read(filling.volume, array, written=True), array.location
        return tasks

    def filling(self, number: int, before: Voxels) -> Filling:
        """The level of a number from 1 on, made of the one before it."""
        step = self.steps[number - 1]
        volume = coarser(before, step, self.where.aligned)
        place = _place(self.where, volume.frame, self.steps[:number])
        block = volume.frame.block_shape
        read = tuple(readings(volume, spans_of(volume.frame, block)))
        options = self._options
        return Filling(volume, place, block, options, self.preparation, read, step.said)

    @property
    def _options(self) -> StoreOptions:
        return replace(
            self.options,
            block_shape=None,
            notes=None,
            stored_as=self.options.stored_as.for_levels(),
        )

    def read(self, volume: Voxels, array: StoredArray, written: bool = False) -> Voxels:
        """A level as the next one reads it, from where it is stored."""
        source = Stored(array, volume.frame.axes, written=written)
        return replace(volume, source=source)


def _place(where: LevelPlaces, frame: Frame, steps: Sequence[LevelStep]) -> Place:
    """That of the last of some levels."""
    factors = factors_after([step.factors for step in steps], len(frame.extent))
    return where.at(len(steps), frame, factors, steps[-1].method)


def _places(where: LevelPlaces, volume: Voxels, steps: Sequence[LevelStep]) -> Iterator[Place]:
    """Those of levels, in their order."""
    for number, step in enumerate(steps, 1):
        volume = coarser(volume, step, where.aligned)
        yield _place(where, volume.frame, steps[:number])


def coarser(volume: AnyVoxels, step: LevelStep, aligned: bool = False) -> AnyVoxels:
    """A volume in voxels so many times as large; those at the ends of what is there.

    The first of them begins where the volume does, or, if they are aligned, whole ones from the
    world's origin.
    """
    frame, factors = volume.frame, step.factors
    first = zip(frame.placement.offset, frame.placement.voxel_size, factors, strict=True)
    lacking = tuple(begin // v % f if aligned else 0 for begin, v, f in first)
    axes = zip(frame.extent, factors, lacking, strict=True)
    shape = tuple(-(-(n + lack) // f) for n, f, lack in axes)
    size = tuple(v * f for v, f in zip(frame.placement.voxel_size, factors, strict=True))
    begins = zip(frame.placement.offset, frame.placement.voxel_size, lacking, strict=True)
    offset = tuple(begin - v * lack for begin, v, lack in begins)
    block = tuple(min(b, n) for b, n in zip(frame.block_shape, shape, strict=True))
    made = replace(
        frame,
        shape=frame.with_channels(shape),
        placement=replace(frame.placement, voxel_size=size, offset=offset),
    ).with_block(block)
    source = Coarser((volume,), factors, step.method, made, lacking)
    return replace(volume, frame=made, source=source)


def levels_there(where: LevelPlaces) -> list[LevelStep]:
    """How the coarser levels were made that lie there, as far as they were made here."""
    steps = map(step_at, where.there())
    return list(takewhile(lambda step: step is not None, steps))  # type: ignore[arg-type]


def step_at(path: str) -> LevelStep | None:
    """How the level at a path was made, if one is there that was made here."""
    return LevelStep.of(open_array(path)) if exists(path) else None


def asked_for(pyramid: Pyramid, volume: Voxels, chunk: Index) -> tuple[LevelStep, ...]:
    """How the levels of a pyramid are made."""
    method = pyramid.method_for(volume.frame)
    return tuple(LevelStep(step, method) for step in pyramid.steps(volume.frame, chunk))


def steps_wanted(
    pyramid: Pyramid | None, volume: Voxels, chunk: Index, where: LevelPlaces
) -> tuple[LevelStep, ...]:
    """How levels are made: those that are asked for, and after them those that are there.

    Raises
    ------
    ValueError
        If there can't be so many, or one is missing from which others were made.
    """
    there = levels_there(where)
    asked = () if pyramid is None else asked_for(pyramid, volume, chunk)
    steps = (*asked, *there[len(asked) :])
    if stale := levels_beyond(where, len(steps)):
        (lacking,) = islice(where.there(), len(steps), len(steps) + 1)
        raise ValueError(
            f"{where.path} lacks the level {Path(lacking).name}, of which "
            f"{', '.join(stale)} {'is' if len(stale) == 1 else 'are'} made: say how many levels "
            f"there are to be, such as pyramid={len(steps) + 1 + len(stale)}."
        )
    return steps


def levels_beyond(where: LevelPlaces, count: int) -> list[str]:
    """Levels that were made here, though the one after so many isn't there."""
    others = {*where.listed()} - {*islice(where.there(), count)}
    return sorted(Path(path).name for path in others if step_at(path) is not None)


def check_levels(image: Filling) -> None:
    """Have the levels of an image that is about to be stored to oneself, and check them."""
    steps = _steps_of(image)
    where = levels_for(image.path, image.options.stored_as)
    for place in _places(where, _stored(image), steps):
        image.preparation.claim(ledger_of(place.array_path))
    if image.goes_on and image.stored is not None:
        _levels_of(image, image.stored).check()


def level_tasks(image: Filling, array: StoredArray, written_by: Task) -> list[Task]:
    """The tasks that store levels of an image, after the one that writes its first."""
    return _levels_of(image, array).tasks(written_by)


def _levels_of(image: Filling, array: StoredArray) -> Levels:
    options = image.options
    if image.volume.source.needs_all:
        # A repair of objects changes ids elsewhere, too; levels follow wherever that is.
        options = replace(options, roi=None)
    where = levels_for(image.path, options.stored_as, array.zarr_format or 3)
    return Levels(where, _stored(image), array, _steps_of(image), options, image.preparation)


def _stored(image: Filling) -> Voxels:
    """The volume as it will be read."""
    frame = image.volume.frame.with_block(image.block)
    dtype, names = image.options.stored_as.of(frame), frame.names or is_label(image.path)
    frame = replace(frame, dtype=dtype, names=names)
    return replace(image.volume, frame=frame)


def _steps_of(image: Filling) -> tuple[LevelStep, ...]:
    """As they were before the image was touched, which may remove what lies there."""

    def look() -> tuple[LevelStep, ...]:
        stored_as, volume = image.options.stored_as, _stored(image)
        chunks = stored_as.settings(image.path, volume.frame, image.block)["chunks"]
        if image.found is None or image.options.overwrite:
            pyramid = stored_as.pyramid
            return () if pyramid is None else asked_for(pyramid, volume, chunks)
        where = levels_for(image.path, stored_as)
        return steps_wanted(stored_as.pyramid, volume, chunks, where)

    return image.preparation.once(f"{image.path}/levels", image.volume, look)
