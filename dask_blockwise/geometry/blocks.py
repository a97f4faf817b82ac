"""Regions, blocks, and how a total region is tiled by blocks.

World units are integers, so that ``Roi`` and ``Coordinate`` (of funlib.geometry) are exact.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import cached_property
from math import prod
from typing import Literal, Self, get_args

from funlib.geometry.coordinate import Coordinate
from funlib.geometry.roi import Roi

Fit = Literal["valid", "overhang", "shrink"]

__all__ = ["Block", "BlockGrid", "BlockStatus", "Coordinate", "Fit", "Roi", "check_region"]


class BlockStatus(Enum):
    """How far a block is, as daisy has it; a worker may set it to ``FAILED``.

    It is ``PROCESSING`` while the process function, or the body of ``acquire_block``, has the
    block, and ``SUCCESS`` or ``FAILED`` from then on.
    """

    CREATED = auto()
    PROCESSING = auto()
    SUCCESS = auto()
    FAILED = auto()


@dataclass(unsafe_hash=True)
class Block:
    """One unit of work: what to read, what to write, and which block of which task it is.

    Parameters
    ----------
    total_roi
        Region of the whole task, context included, in world units.
    read_roi
        Region the block reads: its core grown by the context, in world units.
    write_roi
        Region the block writes, in world units. Write ROIs of two blocks never meet.
    block_id
        The task's id and the block's number in raster order, from 0 without gaps.
    status
        How far it is. Of use to say that it failed without an exception: ``BlockStatus.FAILED``.

    Examples
    --------
    >>> block = Block(Roi((0,), (42,)), Roi((10,), (14,)), Roi((12,), (10,)), ("smooth", 1))
    >>> block.write_roi
    [12:22] (10)
    >>> block.number
    1
    """

    total_roi: Roi
    read_roi: Roi
    write_roi: Roi
    block_id: tuple[str, int]
    status: BlockStatus = field(default=BlockStatus.CREATED, compare=False, repr=False)

    @classmethod
    def of(cls, grid: BlockGrid, task_id: str, number: int) -> Self:
        """A block of a grid. Its ROIs are made when they are asked for, as few stages do."""
        block = cls.__new__(cls)
        vars(block).update(total_roi=grid.total_roi, block_id=(task_id, number), _grid=grid)
        block.status = BlockStatus.CREATED
        return block

    def __getattr__(self, name: str) -> Roi:
        """A ROI that isn't made yet."""
        if name not in ("read_roi", "write_roi") or "_grid" not in vars(self):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        self.read_roi, self.write_roi = vars(self).pop("_grid").rois(self.number)
        return self.read_roi if name == "read_roi" else self.write_roi

    @property
    def task_id(self) -> str:
        """Id of the task the block belongs to."""
        return self.block_id[0]

    @property
    def number(self) -> int:
        """Number of the block within its task, in raster order."""
        return self.block_id[1]

    @property
    def roi(self) -> Roi:
        """The write ROI, under the name that dacapo's example worker prints."""
        return self.write_roi


@dataclass(frozen=True)
class BlockGrid:
    """The tiling of a total ROI by blocks, as daisy does it.

    Blocks step by the shape of the write ROI; the first block's read ROI begins where the total
    ROI begins. ``fit`` says what becomes of the last blocks, which may not fit: ``"valid"`` leaves
    them out, ``"overhang"`` lets them leave the total ROI, ``"shrink"`` cuts them.

    Parameters
    ----------
    total_roi
        Region of the whole task, context included, in world units.
    read_roi, write_roi
        Regions that a block reads and writes; only their shapes and the distance between them
        count.
    fit
        ``"valid"``, ``"overhang"`` or ``"shrink"``.

    Raises
    ------
    ValueError
        If the ROIs differ in dimensions, the write ROI is empty or leaves the read ROI, or
        ``fit`` is unknown.

    References
    ----------
    daisy 2.0.0, ``BlockwiseDependencyGraph``.

    Examples
    --------
    >>> grid = BlockGrid(Roi((0,), (42,)), Roi((0,), (14,)), Roi((2,), (10,)), "shrink")
    >>> [write for read, write in map(grid.rois, range(len(grid)))]
    [[2:12] (10), [12:22] (10), [22:32] (10), [32:40] (8)]
    """

    total_roi: Roi
    read_roi: Roi
    write_roi: Roi
    fit: Fit = "valid"

    def __post_init__(self) -> None:
        _check_fit(self.fit)
        _check_rois(self.total_roi, self.read_roi, self.write_roi)

    @cached_property
    def context(self) -> tuple[Coordinate, Coordinate]:
        """What a block reads before and after its write ROI, in world units."""
        begin = self.write_roi.begin - self.read_roi.begin
        return begin, self.read_roi.end - self.write_roi.end

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Blocks per axis."""
        room = self.total_roi.shape - self.context[0] - self.context[1]
        count = _floor_count if self.fit == "valid" else _ceil_count
        return tuple(count(size, step) for size, step in zip(room, self.write_roi.shape))

    def __len__(self) -> int:
        return prod(self.shape)

    @cached_property
    def writable_roi(self) -> Roi:
        """The total ROI without its context: what the blocks could write at most."""
        before, after = self.context
        return self.total_roi.grow(-before, -after)

    @cached_property
    def writable(self) -> int:
        """Volume of the writable ROI, in world units."""
        return prod(max(0, int(size)) for size in self.writable_roi.shape)

    @property
    def unwritten(self) -> int:
        """World units of volume that lie in the writable ROI and in no block."""
        if self.fit != "valid":
            return 0
        written = prod(n * int(step) for n, step in zip(self.shape, self.write_roi.shape))
        return self.writable - written

    def index(self, number: int) -> tuple[int, ...]:
        """Position of a block on the grid, one index an axis."""
        index = []
        for size in reversed(self.shape):
            number, at = divmod(number, size)
            index.append(at)
        return tuple(reversed(index))

    def rois(self, number: int) -> tuple[Roi, Roi]:
        """Read ROI and write ROI of a block."""
        begin = self.total_roi.begin + self.write_roi.shape * Coordinate(self.index(number))
        read = Roi(begin, self.read_roi.shape)
        write = Roi(begin + self.context[0], self.write_roi.shape)
        if self.fit == "shrink":
            return read.intersect(self.total_roi), write.intersect(self.writable_roi)
        return read, write

    def block(self, task_id: str, number: int) -> Block:
        """The block of that number."""
        return Block.of(self, task_id, number)

    def blocks(self, task_id: str) -> Iterator[Block]:
        """All blocks in raster order."""
        return (self.block(task_id, number) for number in range(len(self)))


def _floor_count(size: int, step: int) -> int:
    return max(0, size // step)


def _ceil_count(size: int, step: int) -> int:
    return max(0, -(-size // step))


def _check_fit(fit: str) -> None:
    if fit not in get_args(Fit):
        raise ValueError(f"fit must be one of {', '.join(get_args(Fit))}, got {fit!r}.")


def check_region(roi: object, axes: Sequence[str]) -> None:
    """Refuse what isn't a region of the world with a begin and an end along these axes.

    Raises
    ------
    TypeError, ValueError

    Examples
    --------
    >>> check_region(Roi((0, 0), (8, 8)), ("y", "x"))
    >>> check_region(((0, 0), (8, 8)), ("y", "x"))
    Traceback (most recent call last):
    TypeError: A region is a Roi in the world's units, ... got ((0, 0), (8, 8)): give one...
    """
    if not isinstance(roi, Roi):
        raise TypeError(
            f"A region is a Roi in the world's units, Roi(begin, shape) with a number for each of "
            f"{tuple(axes)}, got {roi!r}: give one, such as volume.roi."
        )
    if roi.dims != len(axes):
        raise ValueError(
            f"The region {roi} has {roi.dims} axes, and the volume {len(axes)} beside channels: "
            f"give begin and shape along each of {tuple(axes)}."
        )
    if roi.empty:
        raise ValueError(
            f"The region from {tuple(roi.begin)} of shape {tuple(roi.shape)} has no voxels: "
            "a Roi has whole numbers of the world's units, as volume.roi has, and makes 0 of 0.5."
        )
    if roi.unbounded:
        raise ValueError(
            f"The region {roi} has no end: give begin and shape along each of {tuple(axes)}, such "
            "as those of roi.intersect(volume.roi)."
        )


def _check_rois(total: Roi, read: Roi, write: Roi) -> None:
    if other := [roi for roi in (total, read, write) if not isinstance(roi, Roi)]:
        raise TypeError(
            f"total_roi, read_roi and write_roi must be Roi(begin, shape), got {other[0]!r}."
        )
    if not total.dims == read.dims == write.dims:
        raise ValueError(
            f"total_roi, read_roi and write_roi must have the same number of axes, got "
            f"{total.dims}, {read.dims} and {write.dims}."
        )
    if any(roi.unbounded for roi in (total, read, write)):
        raise ValueError("total_roi, read_roi and write_roi must have a begin and an end.")
    if write.empty:
        raise ValueError(f"write_roi {write} is empty: give it a positive shape on each axis.")
    if not read.contains(write):
        raise ValueError(
            f"read_roi {read} does not contain write_roi {write}: a block cannot write what it "
            "does not read. Grow read_roi by the context on both sides of write_roi."
        )
