"""Objects one after the other, as blocks of a run: each is read by itself, and leaves files."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from importlib import import_module
from typing import Any, Protocol

import numpy as np
from distributed import Client
from numpy.typing import NDArray

from ..engine.limits import seconds_to_wait
from ..engine.progress import RunSummary
from ..engine.task import Task
from ..geometry.blocks import Block, Roi
from ..geometry.meeting import times_as_large
from ..geometry.units import length_of
from ..storage.documents import put, read_json
from ..storage.formats import find_array
from ..storage.groups import exists
from ..storage.location import check_may_be_written, groups_above, location_of
from ..storage.traffic import writing
from ..volumes.frame import Frame
from ..volumes.lineage import prepared
from ..volumes.objects import Gathering
from ..volumes.options import StoreOptions
from ..volumes.running import run_all
from ..volumes.seen.at_once import levels_of
from ..volumes.source import Voxels
from ..volumes.volume import Volume
from .boxes import ObjectBox, Run, boxes_of, check_objects, checked_ids, voxels_of

__all__ = ["HowRun", "Shape", "by_object", "nanometers_of"]

# Of an object's box; what is larger is taken from a coarser level.
_MOST_VOXELS = 1 << 27
_OBJECTS_A_BLOCK = 16
_NANO = length_of("nanometer") or 1


class Shape(Protocol):
    """What is made of an object."""

    @property
    def name(self) -> str:
        """Of the run."""

    @property
    def library(self) -> str:
        """What makes it, which comes with the extra ``shapes``."""

    @property
    def info(self) -> Mapping[str, Any]:
        """What Neuroglancer is told of their folder."""

    def files(
        self, mask: NDArray[np.bool_], voxel: tuple[float, ...], at: tuple[float, ...], number: int
    ) -> dict[str, bytes]:
        """What it leaves, by file name.

        Parameters
        ----------
        mask : ndarray of bool, shape (x, y, z)
            The object, with a voxel more on each side.
        voxel, at : tuple of float
            Size of a voxel, and where the first one begins, along x, y and z, in nanometers.
        number : int
            The object's id.
        """


@dataclass(frozen=True, kw_only=True)
class HowRun:
    """How objects are run, as ``to_zarr`` documents it."""

    client: Client | None
    progress: bool
    num_workers: int | None
    max_retries: int
    timeout: float | None
    workers_timeout: float | str | None

    @property
    def options(self) -> StoreOptions:
        """How often and how long each block is tried.

        Raises
        ------
        ValueError
            If a number is out of range.
        """
        return StoreOptions(
            num_workers=self.num_workers, max_retries=self.max_retries, timeout=self.timeout
        )

    @property
    def run(self) -> Run:
        """What runs tasks so."""
        patience = seconds_to_wait(self.workers_timeout)
        return partial(
            run_all, client=self.client, progress=self.progress, workers_timeout=patience
        )


def by_object(
    labels: Volume,
    path: str | os.PathLike[str],
    shape: Shape,
    ids: Iterable[int] | None,
    how: HowRun,
) -> RunSummary:
    """Make a shape of each object, in a run of its own, and then the folder's ``info``.

    Raises
    ------
    ImportError
        If the shape's library isn't installed.
    FileExistsError
        If the folder's ``info`` tells of something else, such as a volume; or if the folder is a
        container, or lies in an array.
    TypeError, ValueError
        If these aren't stored labels in three dimensions, ids aren't positive whole numbers, an
        object isn't there, or its box has too many voxels in every level.
    """
    run, options, wanted = how.run, how.options, checked_ids(ids)
    _check_installed(shape)
    check_objects(labels, shape.name)
    location = location_of(path)
    check_may_be_written(location)
    _check_folder(location, shape)
    made = _run(labels, location, shape, wanted, options, run)
    put(location, "info", json.dumps(shape.info).encode())
    return made


def _check_folder(location: str, shape: Shape) -> None:
    told = read_json(location, "info")
    if told and told.get("@type") != shape.info["@type"]:
        raise FileExistsError(
            f"{location} has an info file of {told.get('@type', 'something else')!r}, which "
            f"{shape.name} would replace: choose another folder, such as {location}/{shape.name}."
        )
    array = next((above for above in groups_above(location) if find_array(above)), None)
    if array is not None or exists(location):
        raise FileExistsError(
            f"{array or location} is {'an array' if array else 'a container of arrays'}, among "
            f"whose files those of {shape.name} don't belong: choose a folder of their own, such "
            f"as {(array or location).rstrip('/')}-{shape.name}."
        )


def _check_installed(shape: Shape) -> None:
    try:
        import_module(shape.library)
    except ImportError as error:
        raise ImportError(
            f"{shape.name} are made by {shape.library}, which isn't installed: "
            'pip install "dask_blockwise[shapes]".'
        ) from error


def _run(
    labels: Volume,
    location: str,
    shape: Shape,
    ids: list[int] | None,
    options: StoreOptions,
    run: Run,
) -> RunSummary:
    levels = list(reversed([prepared(one) for one in levels_of(labels)]))
    boxes = boxes_of(Gathering(labels, {}, f"{location}/.boxes", options), run, ids)
    chosen = [_level_for(box, levels) for box in boxes]
    if large := [box.id for box, level in zip(boxes, chosen, strict=True) if level is None][:5]:
        raise ValueError(
            f"The boxes of objects {large} have more than 2^27 voxels in every level: store a "
            "pyramid with coarser ones, dbw.pyramid(path)."
        )
    if not boxes:
        return RunSummary(())
    step = Roi((0,), (_OBJECTS_A_BLOCK,))
    make = _Make(tuple(boxes), tuple(n or 0 for n in chosen), tuple(levels), location, shape)
    task = Task(
        *(f"{shape.name}-{len(boxes)}", Roi((0,), (len(boxes),)), step, step, make),
        read_write_conflict=False,
        fit="shrink",
        num_workers=options.num_workers,
        max_retries=options.max_retries,
        timeout=options.timeout,
        title=shape.name,
    )
    return run(task, resume=False)


def nanometers_of(frame: Frame) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Voxel size and offset along the frame's axes of space; as they are without a known unit."""
    size, offset = [], []
    each = zip(
        frame.placement.as_written, frame.placement.voxel_size, frame.placement.offset, strict=True
    )
    for way, world, begin in each:
        factor = (length_of(way.unit) or _NANO) / _NANO
        size.append(float(way.size(world) * factor))
        offset.append(float(way.position(begin) * factor))
    return tuple(size), tuple(offset)


@dataclass(frozen=True)
class _Make:
    """What is done with some objects."""

    boxes: tuple[ObjectBox, ...]
    # Which level each is read from.
    chosen: tuple[int, ...]
    levels: tuple[Voxels, ...]
    location: str
    shape: Shape

    def __call__(self, block: Block) -> None:
        for n in range(int(block.write_roi.begin[0]), int(block.write_roi.end[0])):
            for name, content in self._files(self.boxes[n], self.levels[self.chosen[n]]).items():
                with writing() as written:
                    put(self.location, name, content)
                    written.bytes_written += len(content)

    def _files(self, box: ObjectBox, level: Voxels) -> dict[str, bytes]:
        frame = level.frame
        seen = box.coarser(_factors(self.levels[0], level)).grown(frame.extent)
        mask = np.pad(level.source.read(seen.begin, seen.end) == box.id, 1)
        size, offset = nanometers_of(frame)
        at = tuple(o + (b - 1) * s for o, b, s in zip(offset, seen.begin, size, strict=True))
        order = [frame.axes.index(axis) for axis in "xyz"]
        turned = np.asfortranarray(mask.transpose(order))
        voxel, begin = (tuple(values[n] for n in order) for values in (size, at))
        return self.shape.files(turned, voxel, begin, box.id)


def _factors(fine: Voxels, coarse: Voxels) -> tuple[Fraction, ...]:
    """How many voxels became one, along each axis."""
    return times_as_large(coarse.frame.placement, fine.frame.placement)


def _level_for(box: ObjectBox, levels: Sequence[Voxels]) -> int | None:
    """The finest level in which an object isn't too large."""
    fits = (
        n
        for n, level in enumerate(levels)
        if voxels_of(box.coarser(_factors(levels[0], level))) <= _MOST_VOXELS
    )
    return next(fits, None)
