"""What storing a volume would take, known before anything runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from html import escape
from itertools import product
from math import ceil, prod
from typing import get_args

from dask.utils import format_bytes

from ..engine.worker.spent import NOTHING, Spent, in_all
from ..geometry.boxes import Index
from ..tables import Table, html_columns, text_columns, without_columns
from .frame import Frame
from .kinds import Turned
from .lineage import is_stored, takes_long
from .reads import Counted, Read, ranges_read, reads_of
from .source import Source, Voxels
from .step import StagePlan
from .suggestion import Suggestion

__all__ = ["Plan", "empty_blocks", "plan_of"]

_COLUMNS = (
    "stage",
    "block",
    "blocks",
    "empty",
    "read",
    "written",
    "a worker holds",
    "recompute factor",
)
# Of more voxels, or in more blocks, it isn't counted which are empty.
_MOST_COUNTED, _MOST_COUNTED_BLOCKS = 1 << 30, 100_000


@dataclass(frozen=True, repr=False)
class Plan:
    """Cost of storing a volume, and what is stored on the way to it, block by block.

    What a stage's function or network allocates while it works is not known, and comes on top of
    what a worker holds; so do Python with its libraries (some 200 MB), and the cache of decoded
    chunks (256 MB, or what ``DASK_BLOCKWISE_CACHE_MB`` says). Putting objects together goes by how
    many fragments there are: of ``match="mutex"`` it is said what it takes at most, of other rules
    nothing.
    """

    stages: tuple[StagePlan, ...]
    # Of which inputs chunks are absent, and what they are read as, or that it wasn't counted.
    absent: tuple[str, ...] = ()
    # What workers will spend on each stage, but for waiting, where it was said what they spent on
    # such stages before.
    estimates: tuple[Spent, ...] = ()
    # With which blocks it would take least, where that was asked for.
    suggestion: Suggestion | None = None
    # What they spent then, all of them together.
    measured: Spent = NOTHING

    @property
    def estimate(self) -> Spent | None:
        """What workers will spend on all stages, where that is known."""
        return in_all(self.estimates) if self.estimates else None

    @property
    def blocks(self) -> int:
        """Blocks of the volume."""
        return self.stages[-1].blocks

    @property
    def tasks(self) -> int:
        """Blocks of all stages: each is computed, and tried again, by itself."""
        return sum(stage.blocks for stage in self.stages)

    @property
    def empty(self) -> int | None:
        """Blocks of all stages that are skipped, as they hold nothing; None if not counted."""
        counts = [stage.empty for stage in self.stages]
        return None if None in counts else sum(count or 0 for count in counts)

    @property
    def block_shape(self) -> Index:
        """Voxels of a block of the volume, along all axes but "c"."""
        return self.stages[-1].block_shape

    @property
    def read_bytes(self) -> int:
        """Read from what is stored, halos included."""
        return sum(stage.read_bytes for stage in self.stages)

    @property
    def write_bytes(self) -> int:
        """Stored, on the way too, before compression."""
        return sum(stage.write_bytes for stage in self.stages)

    @property
    def worker_bytes(self) -> int:
        """Arrays that a worker holds at most."""
        return max(stage.worker_bytes for stage in self.stages)

    @property
    def recompute_factor(self) -> float:
        """Voxels that a stage computes for each one that is stored, where that is most."""
        return max(stage.recompute_factor for stage in self.stages)

    def __str__(self) -> str:
        return "\n".join([text_columns(*self._table()), *self._told])

    __repr__ = __str__

    def to_html(self) -> str:
        """The same as a table of HTML, as notebooks show it."""
        told = escape("\n".join(self._told))
        return html_columns(*self._table()) + (f"<pre>{told}</pre>" if told else "")

    _repr_html_ = to_html

    @property
    def _told(self) -> Iterator[str]:
        yield from self.absent
        if self.estimate is not None:
            yield f"{self.estimate}, in some {self.estimate.seconds:.3g} s of workers."
            if not self.measured.is_telling:
                yield (
                    "That is a hint at most: what was measured took "
                    f"{self.measured.seconds_busy:.2g} s of workers, too little to tell blocks "
                    "from how a run begins; measure a second or more."
                )
        if self.suggestion is not None:
            yield str(self.suggestion)

    def _table(self) -> Table:
        """How many blocks are empty is told where any is."""
        told = any(stage.empty != 0 for stage in self.stages)
        rows = self._rows()
        return (_COLUMNS, rows) if told else without_columns(["empty"], _COLUMNS, rows)

    def _rows(self) -> list[tuple[str, ...]]:
        rows = [_row(stage) for stage in self.stages]
        if len(rows) == 1:
            return rows
        total = StagePlan(
            *("in all", (), self.tasks, self.read_bytes, self.write_bytes, 0), empty=self.empty
        )
        return [*rows, (*_row(total)[:6], format_bytes(self.worker_bytes), "")]


def plan_of(volume: Voxels, block: Index) -> StagePlan:
    """The cost of storing a volume of which each block is computed by itself.

    Parameters
    ----------
    volume : Volume
    block : tuple of int
        Voxels along all axes but "c".
    """
    frame = volume.frame
    seen, given, needed = (list(reads_of(volume, block, how)) for how in get_args(Counted))
    world = prod(frame.extent) * prod(frame.voxel_size)
    return StagePlan(
        "",
        block,
        blocks=prod(-(-n // b) for n, b in zip(frame.extent, block)),
        read_bytes=_bytes_of(seen),
        write_bytes=prod(frame.extent) * _voxel_bytes(frame),
        worker_bytes=max(_peak(volume, block), 2 * prod(block) * _voxel_bytes(frame)),
        recompute_factor=max(
            (
                read.voxels * prod(read.frame.voxel_size) / max(1, world)
                for read in seen
                # Not of masks, of which few large voxels are read.
                if prod(read.frame.voxel_size) <= prod(frame.voxel_size)
            ),
            default=1.0,
        ),
        filled=_bytes_of(given) / max(1, _bytes_of(seen)),
        needed_bytes=_bytes_of(needed),
    )


def _bytes_of(reads: Iterable[Read]) -> int:
    return sum(read.voxels * _voxel_bytes(read.frame) for read in reads)


def empty_blocks(volume: Voxels, block: Index) -> int | None:
    """How many blocks of a volume are known to hold nothing; None where counting takes long.

    So it does where a mask is more than read.
    """
    source, extent = volume.source, volume.frame.extent
    if type(source).is_empty is Source.is_empty:
        return 0
    if any(map(takes_long, source.masks)):
        return None
    blocks = [range(0, n, b) for n, b in zip(extent, block, strict=True)]
    if prod(extent) > _MOST_COUNTED or prod(map(len, blocks)) > _MOST_COUNTED_BLOCKS:
        return None
    boxes = (
        (begin, tuple(min(b + s, n) for b, s, n in zip(begin, block, extent, strict=True)))
        for begin in product(*blocks)
    )
    return sum(source.is_empty(begin, end) for begin, end in boxes)


def _bytes(number: int) -> str:
    return format_bytes(number) if number else "-"


def _row(stage: StagePlan) -> tuple[str, ...]:
    return (
        stage.name,
        " x ".join(map(str, stage.block_shape)),
        f"{stage.blocks:,}",
        "not counted" if stage.empty is None else f"{stage.empty:,}",
        _bytes(stage.read_bytes),
        _bytes(stage.write_bytes),
        _bytes(stage.worker_bytes),
        f"{stage.recompute_factor:.2f}",
    )


def _peak(volume: Voxels, shape: Index) -> int:
    """Bytes of the arrays that are there at once while a region of a volume is computed."""
    own = prod(shape) * _voxel_bytes(volume.frame)
    if is_stored(volume):
        return own
    held = most = 0
    for inner in volume.source.inputs:
        seen = _seen_shape(inner.frame, volume, shape)
        most = max(most, held + _peak(inner, seen))
        held += prod(seen) * _voxel_bytes(inner.frame)
    return max(most, held + own)


def _seen_shape(source: Frame, volume: Voxels, shape: Index) -> Index:
    if isinstance(volume.source, Turned):
        return volume.source.back(shape)
    if not volume.frame.placement.measures_as(source.placement):
        return shape
    axes = enumerate(zip(source.extent, shape, volume.frame.offset, volume.frame.voxel_size))
    longest = (
        max(e - b for b, e in ranges_read(volume, axis, int(first), int(first + n * size)))
        for axis, (_, n, first, size) in axes
    )
    sides = zip(source.extent, longest, source.voxel_size, strict=True)
    return tuple(min(n, ceil(Fraction(length, int(size)))) for n, length, size in sides)


def _voxel_bytes(frame: Frame) -> int:
    return (frame.channels if frame.channels is not None else 1) * frame.dtype.itemsize
