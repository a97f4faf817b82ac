"""Relabel: one id for each object of the volume, from labels that blocks made by themselves.

Storing a relabelled volume runs four tasks: blocks segment what they see into a scratch array;
neighbours compare their labels; one block solves for all; blocks write their final ids.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from .blockwise_task import Task
from .geometry import Block, Coordinate
from .label_grid import Box, LabelGrid, common, layer, within
from .scratch import Scratch
from .stitching import (
    Direction,
    apply_table,
    compact,
    final_ids,
    iou_pairs,
    merge,
    touching_pairs,
)
from .segment_worker import SegmentVolume
from .store import StoredArray, exists, remove
from .volume import Context, Index, StoreOptions, Volume, open_volume

Match = Literal["iou", "touch"]

_EDGES_AT_ONCE = 1 << 23
_LABEL_BITS = np.uint64(32)
_LABEL_MASK = np.uint64(0xFFFFFFFF)


@dataclass(frozen=True)
class Rule:
    """Which labels of neighbouring blocks are one object, and which objects are kept.

    Parameters
    ----------
    match
        ``"iou"``: on the voxels that both blocks saw; ``"touch"``: across the face between them.
    min_iou
        For ``"iou"``: the least intersection over union of mutual best partners.
    connectivity
        Neighbours across faces (1), edges too (2), corners too (3).
    min_size
        Objects of fewer voxels become background.
    """

    match: Match
    min_iou: float
    connectivity: int
    min_size: int


@dataclass(frozen=True)
class Relabelling:
    """The four steps of storing a relabelled volume, each for one block.

    Parameters
    ----------
    fragments
        The volume of labels.
    grid
        Its blocks, with the halo in which their labels are compared.
    rule
        When two labels are one object.
    scratch
        What blocks leave for one another.
    target
        The array that gets the final ids.
    """

    fragments: Volume
    grid: LabelGrid
    rule: Rule
    scratch: Scratch
    target: StoredArray

    def segment(self, block: Block) -> None:
        """Label what the block sees, and count the voxels of its labels."""
        number = block.number
        core, seen, frame = (at(number) for at in (self.grid.core, self.grid.seen, self.grid.frame))
        labels, sizes = compact(self._labels(number), within(core, seen))
        framed = np.zeros(self.scratch.labels.shape[1:], np.uint32)
        framed[within(seen, frame)] = labels
        self.scratch.labels.write(_row(number, framed.shape), framed[None])
        self.scratch.sizes.write(number, sizes)

    def stitch(self, block: Block) -> None:
        """Find the pairs of labels, one of the block and one of a later neighbour, to be merged."""
        one = block.number
        pairs = [
            _numbered(one, other, self._match(one, other, direction))
            for direction, other in self.grid.later(one, self.rule.connectivity)
        ]
        self.scratch.edges.write(one, np.concatenate([np.empty(0, np.uint64), *pairs]))

    def solve(self, block: Block) -> None:
        """Give every label of every block its final id."""
        sizes = list(self.scratch.sizes)
        counts = np.array([row.size for row in sizes])
        starts = np.concatenate([[0], np.cumsum(counts)])
        edges = (_dense(row, counts, starts) for row in self.scratch.edges)
        component = merge(int(starts[-1]), _batches(edges))
        ids = final_ids(component, np.concatenate(sizes), self.rule.min_size)
        self.scratch.write_table(starts, ids)

    def relabel(self, block: Block) -> None:
        """Write the final ids of the block's own voxels."""
        core = self.grid.core(block.number)
        labels = self._read(block.number, core)
        self.target.write(core, apply_table(labels, self.scratch.read_table(block.number)))

    def _labels(self, number: int) -> NDArray[np.integer]:
        """Labels of all voxels that the block sees."""
        seen = self.grid.seen(number)
        return self.fragments._region(tuple(s.start for s in seen), tuple(s.stop for s in seen))

    def _match(self, one: int, other: int, direction: Direction) -> NDArray[np.uint32]:
        grid, rule = self.grid, self.rule
        if rule.match == "iou":
            both = common(grid.seen(one), grid.seen(other))
            return iou_pairs(self._read(one, both), self._read(other, both), rule.min_iou)
        back = tuple(-step for step in direction)
        first = self._read(one, layer(grid.core(one), direction))
        second = self._read(other, layer(grid.core(other), back))
        return touching_pairs(first, second, direction, rule.connectivity)

    def _read(self, number: int, box: Box) -> NDArray[np.integer]:
        """A block's labels in a box of the volume."""
        there = within(box, self.grid.frame(number))
        return self.scratch.labels.read((slice(number, number + 1), *there))[0]


def _row(number: int, shape: tuple[int, ...]) -> Box:
    return (slice(number, number + 1), *(slice(0, size) for size in shape))


def _numbered(one: int, other: int, pairs: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """Pairs of labels with the numbers of their blocks above them, flattened."""
    blocks = np.array([one, other], np.uint64) << _LABEL_BITS
    return (blocks | pairs.astype(np.uint64)).ravel()


def _dense(
    row: NDArray[np.uint64], counts: NDArray[np.int64], starts: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Pairs as positions among all labels, without those that lie in a halo only."""
    pairs = row.reshape(-1, 2)
    block, label = (pairs >> _LABEL_BITS).astype(np.intp), (pairs & _LABEL_MASK).astype(np.int64)
    own: NDArray[np.bool_] = (label <= counts[block]).all(axis=1)
    dense: NDArray[np.int64] = (starts[block] + label - 1)[own]
    return dense


def _batches(rows: Iterable[NDArray[np.int64]]) -> Iterator[NDArray[np.int64]]:
    """Gather rows, so that merging them costs a few passes over all labels, not one a block."""
    batch: list[NDArray[np.int64]] = []
    held = 0
    for row in rows:
        batch.append(row)
        held += len(row)
        if held >= _EDGES_AT_ONCE:
            yield np.concatenate(batch)
            batch, held = [], 0
    if batch:
        yield np.concatenate(batch)


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class RelabelVolume(Volume):
    """Labels with one id for each object of the whole volume, once stored.

    A region request labels the region as one piece.
    """

    rule: Rule

    @property
    def data(self) -> Any:
        """Refused: no block has its final ids before all have been compared."""
        raise ValueError(
            "relabel needs the whole volume, so its blocks can't be computed one by one: store it, "
            "segments.to_zarr(path), and take dask_blockwise.open_volume(path).data."
        )

    def to_zarr(self, path: str | os.PathLike[str], **options: Any) -> Any:
        """Store the volume as `Volume.to_zarr` does, and remove what its blocks left beside it."""
        summary = super().to_zarr(path, **options)
        scratch = _scratch(os.fspath(path))
        for name in "labels", "sizes", "edges", "starts", "table":
            remove(f"{scratch}/{name}")
        return summary

    def _region(self, begin: Index, end: Index) -> NDArray[Any]:
        fragments = self.inputs[0]._region(begin, end)
        labels, sizes = compact(fragments, (slice(None),) * fragments.ndim)
        ids = final_ids(np.arange(sizes.size), sizes, self.rule.min_size)
        return apply_table(labels, np.concatenate([np.zeros(1, np.uint64), ids]))

    def _from_stores(self) -> Volume:
        raise ValueError(
            "A stage after relabel needs its final ids: store them on the way, "
            "relabel(...).checkpoint(path)."
        )

    def _tasks(
        self,
        path: str,
        target: StoredArray,
        block: Index,
        options: StoreOptions,
        upstream: list[Task],
    ) -> list[Task]:
        steps = self._relabelling(path, target, block)
        if not exists(f"{steps.scratch.path}/segment"):
            grid = steps.grid
            steps.scratch.create(grid.blocks, grid.frame_shape, grid.most_pairs, overwrite=True)
        none = self._own_context
        near = (Coordinate(self.voxel_size), Coordinate(self.voxel_size))
        whole = self._without_channels(self.shape)
        name, scratch = Path(path).name, steps.scratch.path

        def step(process: Callable[[Block], None], context: Context, shape: Index, ledger: str,
                 before: list[Task]) -> list[Task]:
            task_id = f"{process.__name__}-{name}"
            return [self._task(task_id, process, context, shape, options, before, ledger)]

        segment = step(steps.segment, self.context, block, f"{scratch}/segment", upstream)
        stitch = step(steps.stitch, near, block, f"{scratch}/stitch", segment)
        solve = step(steps.solve, none, whole, f"{scratch}/solve", stitch)
        return step(steps.relabel, none, block, target.path, solve)

    def _relabelling(self, path: str, target: StoredArray, block: Index) -> Relabelling:
        fragments = self.inputs[0]
        halo: tuple[tuple[int, int], ...] = ((0, 0),) * len(block)
        if isinstance(fragments, SegmentVolume):
            time = ((0, 0),) * ("t" in self.axes)
            halo = (*time, *fragments.halo)
            fragments = replace(fragments, halo=((0, 0),) * len(fragments.halo))
        grid = LabelGrid(
            shape=self.shape,
            block_shape=block,
            halo=halo,
            stitched=tuple(axis != "t" for axis in self.axes),
        )
        scratch = Scratch(_scratch(path))
        return Relabelling(fragments._from_stores(), grid, self.rule, scratch, target)


def relabel(
    fragments: Volume,
    *,
    match: Match = "iou",
    min_iou: float = 0.5,
    connectivity: int = 1,
    min_size: int = 0,
) -> Volume:
    """One id for each object of the volume, from labels made block by block, lazily.

    Parameters
    ----------
    fragments : Volume of int
        From ``segment``, ``watershed`` or ``connected_components``, or a stored one, of which the
        blocks are its shards or chunks.
    match : "iou" or "touch"
        Labels of neighbouring blocks are one object when they are each other's best partner on the
        voxels that both blocks saw; or when they touch at the face between the blocks.
    min_iou : float
        For ``"iou"``: the least intersection over union.
    connectivity : int
        Blocks, and for ``"touch"`` voxels, are neighbours across faces (1), edges (2), corners (3).
    min_size : int
        Objects of fewer voxels become background.

    Returns
    -------
    Volume of uint64
        Ids 1..n in the order in which blocks first see them; 0 is background.

    Raises
    ------
    ValueError
        If the fragments have channels, no halo to compare by IoU, or a number is out of range.

    Examples
    --------
    >>> from dask_blockwise.segment_worker import connected_components
    >>> mask = np.array([[1, 1, 1, 1, 0, 1]], np.uint8)
    >>> volume = Volume.from_array(mask, chunks=(1, 2))
    >>> objects = relabel(connected_components(volume), match="touch")
    >>> _ = objects.to_zarr("objects.zarr/ids", progress=False)
    >>> open_volume("objects.zarr/ids")[:]
    array([[1, 1, 1, 1, 0, 2]], dtype=uint64)
    """
    rule = Rule(match, min_iou, connectivity, min_size)
    _check_rule(rule, fragments)
    return RelabelVolume(
        shape=fragments.shape,
        dtype=np.dtype(np.uint64),
        placement=fragments.placement,
        chunks=fragments.block_shape,
        inputs=(fragments,),
        rule=rule,
    )


def _check_rule(rule: Rule, fragments: Volume) -> None:
    if fragments.dtype.kind not in "iu" or "c" in fragments.axes:
        raise ValueError(
            f"relabel needs labels: integers without channels, got {fragments!r}. Segment it first."
        )
    space = sum(axis != "t" for axis in fragments.axes)
    if rule.match not in get_args(Match):
        raise ValueError(f"match must be one of {get_args(Match)}, got {rule.match!r}.")
    if not 0 < rule.min_iou <= 1 or not 1 <= rule.connectivity <= space or rule.min_size < 0:
        raise ValueError(
            f"min_iou must be in (0, 1], connectivity in 1..{space} and min_size at least 0, got "
            f"{rule.min_iou}, {rule.connectivity} and {rule.min_size}."
        )
    seen = isinstance(fragments, SegmentVolume) and any(map(any, fragments.halo))
    if rule.match == "iou" and not seen:
        raise ValueError(
            'match="iou" compares labels on voxels that two blocks saw, but these fragments have '
            'no halo: segment with halo=(16, 16, 16) or the like, or use match="touch".'
        )


def _scratch(path: str) -> str:
    return f"{path.rstrip('/')}.scratch"
