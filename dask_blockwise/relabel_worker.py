"""Relabel: one id for each object of the volume, from labels that blocks made by themselves.

Storing a relabelled volume runs five tasks: blocks segment what they see into scratch arrays beside
the output; neighbours compare their labels; one block solves for all; blocks write their final ids;
the scratch arrays are removed.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import dask.array as da
import numpy as np
from dask import delayed
from numpy.typing import NDArray

from .blockwise_task import Task
from .geometry import Block, Coordinate
from .label_grid import Box, LabelGrid, within
from .ledger import Ledger, holds
from .relabelling import Match, Relabelling, Rule, label_block, match_block, solve_blocks
from .scratch import Scratch
from .segment_worker import SegmentVolume
from .stitching import apply_table, compact, final_ids
from .store import StoredArray
from .volume import Context, Index, StoreOptions, Volume, open_volume

__all__ = ["RelabelVolume", "fit", "read_write_conflict", "relabel", "spawn_worker"]

fit = "shrink"
read_write_conflict = False

_task_numbers = itertools.count(1)


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class RelabelVolume(Volume):
    """Labels with one id for each object of the whole volume, once stored.

    A region request labels the region as one piece.
    """

    rule: Rule
    # Whether the arrays that blocks leave for one another stay beside the output.
    keep_scratch: bool = False

    @property
    def data(self) -> da.Array:
        """A dask array of the very ids that storing gives; any block of it needs all labels."""
        grid, fragments = self._grid(self.block_shape)
        return _dask_array(fragments, grid, self.rule)

    def _region(self, begin: Index, end: Index) -> NDArray[Any]:
        fragments = self.inputs[0]._region(begin, end)
        labels, sizes = compact(fragments, (slice(None),) * fragments.ndim)
        ids = final_ids(np.arange(sizes.size), sizes, self.rule.min_size)
        return apply_table(labels, _with_background(ids))

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
        relabel = self._step(steps.relabel, block, options, upstream, target.path)
        if options.resume and _complete(relabel):
            return [relabel]
        scratch = steps.scratch.path
        near = Coordinate(steps.grid.stitched) * self.voxel_size
        whole = self._without_channels(self.shape)
        segment = self._step(
            steps.segment, block, options, upstream, f"{scratch}/labels", self.context
        )
        stitch = self._step(
            steps.stitch, block, options, [segment], f"{scratch}/edges", (near, near)
        )
        solve = self._step(steps.solve, whole, options, [stitch], f"{scratch}/sizes")
        relabel = replace(relabel, upstream_tasks=[solve])
        if not _goes_on(segment, options):
            steps.scratch.create(steps.grid)
        if self.keep_scratch:
            return [relabel]
        clean = self._step(steps.clean, whole, options, [relabel], scratch)
        return [relabel, replace(clean, ledger=None)]

    def _step(
        self,
        process: Callable[[Block], None],
        block: Index,
        options: StoreOptions,
        upstream: list[Task],
        array: str,
        context: Context | None = None,
    ) -> Task:
        """A task whose ledger lies in an array, so that it is removed with it."""
        name = f"{process.__name__}-{Path(self._name(array)).name}-{next(_task_numbers)}"
        return self._task(
            name, process, context or self._own_context, block, options, upstream, array
        )

    def _relabelling(self, path: str, target: StoredArray, block: Index) -> Relabelling:
        grid, fragments = self._grid(block)
        scratch = Scratch(f"{path.rstrip('/')}.scratch")
        return Relabelling(fragments._from_stores(), grid, self.rule, scratch, target)

    def _grid(self, block: Index) -> tuple[LabelGrid, Volume]:
        """The blocks with their halo, and the fragments without it."""
        fragments = self.inputs[0]
        halo: tuple[tuple[int, int], ...] = ((0, 0),) * len(block)
        if isinstance(fragments, SegmentVolume):
            halo = (*((0, 0),) * ("t" in self.axes), *fragments.halo)
            fragments = replace(fragments, halo=((0, 0),) * len(fragments.halo))
        stitched = tuple(axis != "t" for axis in self.axes)
        return LabelGrid(self.shape, block, halo, stitched), fragments
