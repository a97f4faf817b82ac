"""Relabel: one id for each object of the volume, from labels that blocks made by themselves.

Storing a relabelled volume runs five tasks: blocks segment what they see into scratch arrays beside
the output; neighbours compare their labels; one block solves for all; blocks write their final ids;
the scratch arrays are removed.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, get_args

import dask.array as da
import numpy as np
from dask.delayed import delayed
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
    """Labels with one id for each object of the whole volume, stored or as ``.data``.

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
        scratch, whole = steps.scratch.path, self._without_channels(self.shape)
        near = Coordinate(steps.grid.stitched) * self.voxel_size
        # A ledger lies in an array that is made anew or removed when its marks no longer hold.
        segment = step(steps.segment, block, upstream, f"{scratch}/labels", self.context)
        # Labels are the same whatever the rule, so that another rule can be tried on them.
        segment = replace(segment, fingerprint=self.inputs[0]._fingerprint(block))
        stitch = step(steps.stitch, block, [segment], f"{scratch}/edges", (near, near))
        solve = step(steps.solve, whole, [stitch], f"{scratch}/edges/solved")
        relabel = replace(relabel, upstream_tasks=[solve])
        if not _goes_on(segment, options):
            steps.scratch.create_labels(steps.grid)
        if not _goes_on(stitch, options):
            steps.scratch.create_edges(steps.grid)
        if self.keep_scratch:
            return [relabel]
        return [relabel, replace(step(steps.clean, whole, [relabel], scratch), ledger=None)]

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
        task_id = f"{process.__name__}-{name}-{next(_task_numbers)}"
        context = context or self._own_context
        return self._task(task_id, process, context, block, options, upstream, array)

    def _relabelling(self, path: str, target: StoredArray, block: Index) -> Relabelling:
        grid, fragments = self._grid(block)
        scratch = Scratch(f"{path.rstrip('/')}.scratch")
        return Relabelling(fragments._from_stores(), grid, self.rule, scratch, target)

    def _grid(self, block: Index) -> tuple[LabelGrid, Volume]:
        """The blocks with their halo, and the fragments."""
        fragments = self.inputs[0]
        halo: tuple[tuple[int, int], ...] = ((0, 0),) * len(block)
        if isinstance(fragments, SegmentVolume):
            halo = (*((0, 0),) * ("t" in self.axes), *fragments.halo)
        stitched = tuple(axis != "t" for axis in self.axes)
        return LabelGrid(self.shape, block, halo, stitched), fragments


def relabel(
    fragments: Volume,
    *,
    match: Match = "iou",
    min_iou: float = 0.5,
    connectivity: int = 1,
    min_size: int = 0,
    keep_scratch: bool = False,
) -> RelabelVolume:
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
    keep_scratch : bool
        Leave the labels of single blocks, their sizes, edges and table in ``<path>.scratch``:
        the same labels relabelled by another rule to the same path are not segmented again.

    Returns
    -------
    RelabelVolume of uint64
        Ids 1..n in the order in which blocks first see them; 0 is background. Each time point is
        relabelled by itself.

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
        keep_scratch=keep_scratch,
    )


def spawn_worker(output_path: str, scratch_path: str) -> Callable[[Block], None]:
    """A function that writes the final ids of one block, once all have been solved for.

    Parameters
    ----------
    output_path : path or URL
        Of a stored volume of uint64; a block is one of its shards or chunks.
    scratch_path : path or URL
        What a relabelling with ``keep_scratch=True`` left for blocks of that shape.

    References
    ----------
    dacapo, ``dacapo/blockwise/relabel_worker.py``, whose ``tmpdir`` is the scratch.
    """
    output, scratch = open_volume(output_path), Scratch(scratch_path)
    halo = tuple((int(before), int(after)) for before, after in scratch.labels.attributes["halo"])
    grid = LabelGrid(output.shape, output.block_shape, halo, (True,) * len(halo))
    return Relabelling(output, grid, Rule("touch", 1, 1, 0), scratch, output.stored).relabel


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


def _dask_array(fragments: Volume, grid: LabelGrid, rule: Rule) -> da.Array:
    """The steps of storing as a graph: labels, edges, one table for all, ids."""
    numbers = range(grid.blocks)
    labelled = [delayed(label_block, nout=2)(fragments, grid, n) for n in numbers]
    edges = [
        delayed(_match_in_memory)(
            grid, rule, n, {m: labelled[m][0] for m in (n, *_later(grid, rule, n))}
        )
        for n in numbers
    ]
    tables = delayed(_tables)([sizes for _, sizes in labelled], edges, rule.min_size)
    blocks = np.empty(grid.counts, object)
    for n, index in enumerate(np.ndindex(grid.counts)):
        core = grid.core(n)
        ids = delayed(apply_table)(labelled[n][0][within(core, grid.frame(n))], tables[n])
        blocks[index] = da.from_delayed(ids, [s.stop - s.start for s in core], np.uint64)
    array: da.Array = da.block(blocks.tolist())
    return array


def _later(grid: LabelGrid, rule: Rule, number: int) -> list[int]:
    return [other for _, other in grid.later(number, rule.connectivity)]


def _match_in_memory(
    grid: LabelGrid, rule: Rule, number: int, labels: dict[int, NDArray[np.uint32]]
) -> NDArray[np.uint64]:
    def read(block: int, box: Box) -> NDArray[np.uint32]:
        return labels[block][within(box, grid.frame(block))]

    return match_block(grid, rule, number, read)


def _tables(
    sizes: list[NDArray[np.int64]], edges: list[NDArray[np.uint64]], min_size: int
) -> list[NDArray[np.uint64]]:
    """For each block, the ids of its labels, with that of the background before them."""
    starts, ids = solve_blocks(sizes, edges, min_size)
    return [_with_background(part) for part in np.split(ids, starts[1:-1])]


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
