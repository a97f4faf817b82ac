"""A volume with one id for each object, from labels that blocks made by themselves.

Storing it runs five tasks: blocks segment what they see into scratch arrays beside the output;
neighbours compare their labels; one block solves for all; blocks write their final ids; the scratch
arrays are removed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
from dask.delayed import delayed
from numpy.typing import NDArray

from ..engine.ledger import Ledger, holds
from ..engine.task import Task
from ..geometry.blocks import Block, Coordinate
from ..geometry.boxes import Index, grown, within
from ..labels.ids import apply_table
from ..segmentation.segmented import SegmentVolume
from ..storage.arrays import StoredArray
from ..volumes.plan import StagePlan
from ..volumes.volume import Context, StoreOptions, Volume
from .grid import LabelGrid
from .kept import KeptFragments
from .pieces import Pieces, cut
from .rule import Rule
from .scratch import Scratch
from .steps import PiecesInMemory, Relabelling, label_block, solve_blocks

__all__ = ["RelabelVolume"]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class RelabelVolume(Volume):
    """Labels with one id for each object of the whole volume, stored or as ``.data``.

    Its inputs are the fragments, and what its rule looks at beside them, if anything. A region
    request labels the region as one piece.
    """

    rule: Rule
    # Whether the arrays that blocks leave for one another stay beside the output.
    keep_scratch: bool = False

    @property
    def data(self) -> da.Array:
        """A dask array of the very ids that storing gives; any block of it needs all labels."""
        grid, fragments = self._grid(self.block_shape)
        return _dask_array(fragments, self._values(self.inputs), grid, self.rule)

    def _region(self, begin: Index, end: Index) -> NDArray[Any]:
        fragments, *others = (volume._region(begin, end) for volume in self.inputs)
        pieces = cut(fragments, tuple(slice(0, n) for n in fragments.shape))
        stitched = tuple(axis != "t" for axis in self.axes)
        none = ((0, 0),) * fragments.ndim
        grid = LabelGrid(fragments.shape, fragments.shape, none, stitched)
        values = tuple(
            Volume.from_array(array, axes=volume.axes)
            for array, volume in zip(others, self.inputs[1:], strict=True)
        )
        labels = PiecesInMemory(grid, {0: pieces})
        edges = self.rule.edges(grid, 0, labels, values[0] if values else None)
        _, ids = solve_blocks(self.rule, [pieces.sizes], [edges])
        return apply_table(pieces.values, _with_background(ids))

    def _in_dask(self) -> bool:
        return True

    def _from_stores(self) -> Volume:
        self._check_regional()
        return self

    def _check_regional(self, stored: bool = False) -> None:
        raise ValueError(
            "A stage after relabel needs its final ids: store them on the way, "
            "relabel(...).checkpoint(path), and open what is stored for .data."
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
        step = partial(self._step, Path(path).name, options)
        relabel = step(steps.relabel, block, upstream, target.path)
        if options.resume and _complete(relabel):
            return [relabel]
        scratch, whole = steps.scratch, self._without_channels(self.shape)
        # A ledger lies in an array that is made anew or removed when its marks no longer hold.
        segment = step(steps.segment, block, upstream, f"{scratch.path}/labels", self.context)
        # Labels are the same whatever the rule, so that another rule can be tried on them.
        segment = replace(segment, fingerprint=self.inputs[0]._fingerprint(block))
        near = Coordinate(self.rule.reach(steps.grid)) * self.voxel_size
        labelled = upstream if scratch.kept else [segment]
        stitch = step(steps.stitch, block, labelled, f"{scratch.path}/edges", (near, near))
        solve = step(steps.solve, whole, [stitch], f"{scratch.path}/edges/solved")
        relabel = replace(relabel, upstream_tasks=[solve])
        if not scratch.kept and not _goes_on(segment, options):
            scratch.create_labels(steps.grid, self._origin_of_labels())
        if not _goes_on(stitch, options):
            scratch.create_edges(steps.grid.blocks, self.rule.most(steps.grid))
        if self.keep_scratch:
            return [relabel]
        return [relabel, replace(step(steps.clean, whole, [relabel], scratch.path), ledger=None)]

    def _own_plans(self, name: str, block: Index) -> list[StagePlan]:
        """One for each task. What it takes to solve isn't known before."""
        grid, fragments = self._grid(block)
        frame, core, own = prod(grid.frame_shape), prod(block), prod(self.shape)
        labels, ids = np.dtype(np.uint32).itemsize, self.dtype.itemsize
        segment = StagePlan.of("", fragments, block)
        beside = [StagePlan.of("", volume, block) for volume in self.inputs[1:]]
        read = grid.blocks * frame * labels + sum(plan.read_bytes for plan in beside)
        held = 2 * frame * labels + sum(plan.worker_bytes for plan in beside)
        plans = {
            "segment": replace(
                segment,
                write_bytes=grid.blocks * frame * labels,
                worker_bytes=max(segment.worker_bytes, frame * (labels + ids)),
            ),
            "stitch": StagePlan("", block, grid.blocks, read, 0, held),
            "solve": StagePlan("", self._without_channels(self.shape), 1, 0, 0, 0),
            "relabel": StagePlan(
                "", block, grid.blocks, own * labels, own * ids, core * (labels + 2 * ids)
            ),
        }
        if isinstance(fragments, KeptFragments):
            del plans["segment"]
        return [replace(plan, name=f"{name}: {step}") for step, plan in plans.items()]

    def _origin_of_labels(self) -> dict[str, Any]:
        """What one needs to know to relabel kept labels."""
        return {
            "placement": asdict(self.placement),
            "made_from": self.inputs[0].token,
            "apart": getattr(self.inputs[0], "apart", False),
        }

    def _step(
        self,
        name: str,
        options: StoreOptions,
        process: Callable[[Block], None],
        block: Index,
        upstream: list[Task],
        array: str,
        context: Context | None = None,
    ) -> Task:
        title, context = f"{name}: {process.__name__}", context or self._own_context
        return self._task(title, process, context, block, options, upstream, array)

    def _relabelling(self, path: str, target: StoredArray, block: Index) -> Relabelling:
        grid, fragments = self._grid(block)
        kept = fragments.scratch.path if isinstance(fragments, KeptFragments) else None
        scratch = Scratch(f"{path}.scratch", kept)
        stored = tuple(volume._from_stores() for volume in (fragments, *self.inputs[1:]))
        return Relabelling(stored[0], self._values(stored), grid, self.rule, scratch, target)

    def _checked_block(self, block: Index | None) -> Index:
        checked = super()._checked_block(block)
        if isinstance(self.inputs[0], KeptFragments) and checked != self.block_shape:
            raise ValueError(
                f"block_shape must be {self.block_shape}, that of the blocks whose labels were "
                f"kept, got {block}: leave it out, or segment again."
            )
        self._grid(checked)  # which refuses what can't be told apart
        return checked

    @staticmethod
    def _values(inputs: tuple[Volume, ...]) -> Volume | None:
        return inputs[1] if len(inputs) > 1 else None

    def _grid(self, block: Index) -> tuple[LabelGrid, Volume]:
        """The blocks with their halo, and the fragments."""
        fragments = self.inputs[0]
        if isinstance(fragments, KeptFragments):
            return fragments.grid, fragments
        halo: tuple[tuple[int, int], ...] = ((0, 0),) * len(block)
        if isinstance(fragments, SegmentVolume):
            halo = (*((0, 0),) * ("t" in self.axes), *fragments.halo)
        stitched = tuple(axis != "t" for axis in self.axes)
        return LabelGrid(self.shape, block, halo, stitched), fragments


def _complete(task: Task) -> bool:
    """Whether an earlier run has done all blocks."""
    if task.ledger is None or not holds(task.ledger, task.fingerprint):
        return False
    ledger = Ledger(task.ledger, task.grid, task.fingerprint)
    ledger.close()
    return bool(ledger.done.all())


def _goes_on(task: Task, options: StoreOptions) -> bool:
    """Whether an earlier run left something of the task to go on with."""
    wanted = options.resume and not options.overwrite and task.ledger is not None
    return wanted and holds(str(task.ledger), task.fingerprint)


def _with_background(ids: NDArray[np.uint64]) -> NDArray[np.uint64]:
    return np.concatenate([np.zeros(1, np.uint64), ids])


def _dask_array(fragments: Volume, values: Volume | None, grid: LabelGrid, rule: Rule) -> da.Array:
    """The steps of storing as a graph: labels, edges, one table for all, ids."""
    numbers = range(grid.blocks)
    pieces = [delayed(label_block)(fragments, grid, n) for n in numbers]
    edges = [
        delayed(_edges)(grid, rule, n, {m: pieces[m] for m in _around(grid, rule, n)}, values)
        for n in numbers
    ]
    tables = delayed(_tables)(rule, [part.sizes for part in pieces], edges)
    blocks = np.empty(grid.counts, object)
    for n, index in enumerate(np.ndindex(grid.counts)):
        core = grid.core(n)
        ids = delayed(apply_table)(pieces[n].values[within(core, grid.frame(n))], tables[n])
        blocks[index] = da.from_delayed(ids, [s.stop - s.start for s in core], np.uint64)
    array: da.Array = da.block(blocks.tolist())
    return array


def _around(grid: LabelGrid, rule: Rule, number: int) -> list[int]:
    """A block and those that it may look at."""
    return list(grid.meeting(grown(grid.core(number), rule.reach(grid))))


def _edges(
    grid: LabelGrid, rule: Rule, number: int, pieces: dict[int, Pieces], values: Volume | None
) -> NDArray[np.uint64]:
    return rule.edges(grid, number, PiecesInMemory(grid, pieces), values)


def _tables(
    rule: Rule, sizes: list[NDArray[np.int64]], edges: list[NDArray[np.uint64]]
) -> list[NDArray[np.uint64]]:
    """For each block, the ids of its pieces, with that of the background before them."""
    starts, ids = solve_blocks(rule, sizes, edges)
    return [_with_background(part) for part in np.split(ids, starts[1:-1])]
