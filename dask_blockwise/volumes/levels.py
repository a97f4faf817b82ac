"""Coarser levels of a stored image: volumes made of the level before, and their tasks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..engine.task import Task
from ..geometry.boxes import Index
from ..storage.arrays import StoredArray, exists, open_array
from ..storage.label_lists import is_label
from ..storage.levels import level_after, listed_levels
from .downsampling import Coarser
from .filling import Filling
from .kinds import Stored
from .known import ledger_of
from .lineage import AnyVoxels
from .options import StoreOptions
from .places import LevelPlace
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

_OURS, _LEVEL, _FIRST = "dask_blockwise", "level", "s0"


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

    # Of the image: absolute or a URL; and of the level from which they are made, within it.
    image: str
    base: str
    # That level, in the blocks in which it is stored, and where it is read.
    volume: Voxels
    array: StoredArray
    steps: tuple[LevelStep, ...]
    options: StoreOptions
    preparation: Preparation
    # Whether the run that makes them writes that level too.
    written: bool = True

    def claim(self) -> None:
        """Have the levels to oneself until the run is over."""
        for number in range(1, len(self.steps) + 1):
            path = f"{self.image}/{level_after(self.base, number)}"
            self.preparation.claim(ledger_of(path))

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
        location = self.array.location
        for number in range(1, len(self.steps) + 1):
            filling = self.filling(number, volume)
            array = filling.array()
            self.preparation.at_end.append(filling.end)
            if written_by is not None:
                self.preparation.writers[location] = written_by
            output = Output(self.image, Target.all_of(array), part=level_after(self.base, number))
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
        volume = coarser(before, step)
        place = LevelPlace(
            self.image,
            level_after(self.base, number),
            self.base,
            factors_after([step.factors for step in self.steps[:number]], len(step.factors)),
            step.method,
            self.array.zarr_format or 3,
            volume.frame.axes,
        )
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
            stored_as=replace(self.options.stored_as, dtype=None, pyramid=None, fill_value=0),
        )

    def read(self, volume: Voxels, array: StoredArray, written: bool = False) -> Voxels:
        """A level as the next one reads it, from where it is stored."""
        source = Stored(array, volume.frame.axes, written=written)
        return replace(volume, source=source)


def coarser(volume: AnyVoxels, step: LevelStep) -> AnyVoxels:
    """A volume in voxels so many times as large; those at the far end of what is there."""
    frame, factors = volume.frame, step.factors
    shape = tuple(-(-n // f) for n, f in zip(frame.extent, factors, strict=True))
    size = tuple(v * f for v, f in zip(frame.placement.voxel_size, factors, strict=True))
    block = tuple(min(b, n) for b, n in zip(frame.block_shape, shape, strict=True))
    made = replace(
        frame,
        shape=frame.with_channels(shape),
        placement=replace(frame.placement, voxel_size=size),
    ).with_block(block)
    return replace(volume, frame=made, source=Coarser((volume,), factors, step.method, made))


def levels_there(image: str, base: str = _FIRST) -> list[LevelStep]:
    """How the levels were made that lie after one of an image, as far as they were made here."""
    found: list[LevelStep] = []
    while (step := step_at(f"{image}/{level_after(base, len(found) + 1)}")) is not None:
        found.append(step)
    return found


def step_at(path: str) -> LevelStep | None:
    """How the level at a path was made, if one is there that was made here."""
    return LevelStep.of(open_array(path)) if exists(path) else None


def asked_for(pyramid: Pyramid, volume: Voxels, chunk: Index) -> tuple[LevelStep, ...]:
    """How the levels of a pyramid are made."""
    method = pyramid.method_for(volume.frame)
    return tuple(LevelStep(step, method) for step in pyramid.steps(volume.frame, chunk))


def steps_wanted(
    pyramid: Pyramid | None, volume: Voxels, chunk: Index, image: str, base: str = _FIRST
) -> tuple[LevelStep, ...]:
    """How levels are made: those that are asked for, and after them those that are there.

    Raises
    ------
    ValueError
        If there can't be so many, or one is missing from which others were made.
    """
    there = levels_there(image, base)
    asked = () if pyramid is None else asked_for(pyramid, volume, chunk)
    steps = (*asked, *there[len(asked) :])
    if stale := levels_beyond(image, len(steps), base):
        raise ValueError(
            f"{image} lacks the level {level_after(base, len(steps) + 1)}, of which "
            f"{', '.join(stale)} {'is' if len(stale) == 1 else 'are'} made: say how many levels "
            f"there are to be, such as pyramid={len(steps) + 1 + len(stale)}."
        )
    return steps


def levels_beyond(image: str, count: int, base: str = _FIRST) -> list[str]:
    """Levels that were made here, though the one after so many isn't there."""
    known = {base, *(level_after(base, number) for number in range(1, count + 1))}
    others = {*listed_levels(image, base)} - known
    return sorted(name for name in others if step_at(f"{image}/{name}") is not None)


def check_levels(image: Filling) -> None:
    """Have the levels of an image that is about to be stored to oneself, and check them."""
    steps = _steps_of(image)
    for number in range(1, len(steps) + 1):
        path = f"{image.path}/{level_after(_FIRST, number)}"
        image.preparation.claim(ledger_of(path))
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
    return Levels(
        image.path, _FIRST, _stored(image), array, _steps_of(image), options, image.preparation
    )


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
        return steps_wanted(stored_as.pyramid, volume, chunks, image.path)

    return image.preparation.once(f"{image.path}/levels", image.volume, look)
