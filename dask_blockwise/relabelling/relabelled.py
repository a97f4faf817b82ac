"""A volume with one id for each object, from labels that blocks made by themselves.

Storing it takes five steps: blocks segment what they see into scratch arrays beside the output;
neighbours compare their labels; one block solves for all; blocks write their final ids; the scratch
arrays are removed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from math import prod
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from dask.delayed import delayed
from numpy.typing import NDArray

from ..geometry.boxes import Box, Index, grown, within
from ..labels.ids import apply_table, final_ids
from ..segmentation.mutex_fragments import MutexFragments
from ..volumes.frame import Frame
from ..volumes.masked import masked_by
from ..volumes.masks import Mask
from ..volumes.source import Source, Voxels
from ..volumes.step import Step
from ..volumes.volume import Volume
from .changed import changed_path, read_changed
from .fragments import channels_first, grid_of, label_block, values_of
from .grid import LabelGrid
from .pieces import Pieces, cut, ids_of
from .rule import Rule, Values
from .steps import PiecesInMemory, solve_blocks
from .storing import Storing

if TYPE_CHECKING:
    import dask.array as da

__all__ = ["Relabelled", "relabelled"]


def relabelled(
    fragments: Volume, values: Voxels | None, rule: Rule, keep_scratch: bool = False
) -> Volume:
    """Labels with one id for each object of the whole volume.

    Parameters
    ----------
    fragments : Volume of int
        Labels of single blocks.
    values : Volume, optional
        What the rule looks at beside them.
    rule : Rule
        When pieces of labels are one object.
    keep_scratch : bool
        Whether the arrays that blocks leave for one another stay beside the output.

    Returns
    -------
    Volume of uint64
    """
    inputs = (fragments,) if values is None else (fragments, values)
    frame = replace(fragments.frame.with_values(np.uint64), names=True)
    return Volume(frame, Relabelled(frame, inputs, rule, keep_scratch))


@dataclass(frozen=True, eq=False)
class Relabelled(Source):
    """Labels with one id for each object of the whole volume; a region is labelled as one piece."""

    frame: Frame
    # The fragments, and what the rule looks at beside them, if anything.
    inputs: tuple[Voxels, ...]
    rule: Rule
    keep_scratch: bool = False
    # Whether objects keep the ids that they have where they are stored.
    keeps_ids: bool = False

    kind = "RelabelVolume"
    needs_all = True

    @property
    def largest_id(self) -> int:
        """Of objects of at least so many voxels there are no more than these fill the volume."""
        return prod(self.frame.shape) // max(1, self.rule.min_size)

    def __recipe__(self) -> Any:
        """What the ids depend on."""
        return {"frame": self.frame, "inputs": self.inputs, "rule": self.rule}

    def read(self, begin: Index, end: Index) -> NDArray[Any]:
        """See `Source.read`."""
        if isinstance(self.inputs[0].source, MutexFragments):
            return self._one_piece(begin, end)
        labels, *others = (volume.source.read(begin, end) for volume in self.inputs)
        pieces = cut(labels, _whole(begin, end))
        pieces = replace(pieces, ids=ids_of(pieces, labels))
        stitched = tuple(axis != "t" for axis in self.frame.axes)
        grid = LabelGrid(labels.shape, labels.shape, ((0, 0),) * labels.ndim, stitched)
        values = [
            partial(_part, channels_first(array, volume.frame))
            for array, volume in zip(others, self.inputs[1:], strict=True)
        ]
        held = PiecesInMemory(grid, {0: pieces})
        edges = self.rule.edges(grid, 0, held, values[0] if values else None)
        _, ids = solve_blocks(self.rule, [pieces.sizes], [edges])
        return apply_table(pieces.values, _with_background(ids))

    def _one_piece(self, begin: Index, end: Index) -> NDArray[Any]:
        """Objects that the fragments' source itself tells of a region, renumbered."""
        pieces = cut(self.inputs[0].source.read(begin, end), _whole(begin, end))
        ids = final_ids(np.arange(pieces.sizes.size), pieces.sizes, self.rule.min_size)
        return apply_table(pieces.values, _with_background(ids))

    def masked(self, mask: Mask) -> Self:
        """See `Source.masked`: objects are made of labels within the mask."""
        fragments, *values = self.inputs
        return replace(self, inputs=(masked_by(fragments, mask), *values))

    def dask_array(self) -> da.Array:
        """The very ids that storing gives; any block of them needs all labels."""
        fragments, values = self.inputs[0], values_of(self.inputs)
        return _dask_array(fragments, values, grid_of(fragments, self.frame.block_shape), self.rule)

    def steps(self, volume: Voxels, block: Index) -> Sequence[Step]:
        """See `Source.steps`."""
        return Storing(volume, self.rule, self.keep_scratch, block, self.keeps_ids).steps()

    def repairing(self) -> Self:
        """See `Source.repairing`."""
        return replace(self, keeps_ids=True)

    def changed(self, path: str) -> Any:
        """See `Source.changed`."""
        return read_changed(changed_path(path)) if self.keeps_ids else None


def _whole(begin: Index, end: Index) -> Box:
    return tuple(slice(0, e - b) for b, e in zip(begin, end, strict=True))


def _part(values: NDArray[Any], box: Box) -> NDArray[Any]:
    return values[(slice(None),) * (values.ndim - len(box)) + box]


def _with_background(ids: NDArray[np.uint64]) -> NDArray[np.uint64]:
    return np.concatenate([np.zeros(1, np.uint64), ids])


def _dask_array(fragments: Voxels, values: Values | None, grid: LabelGrid, rule: Rule) -> da.Array:
    """The steps of storing as a graph: labels, edges, one table for all, ids."""
    import dask.array as da  # see `kinds.is_dasks`

    numbers = range(grid.blocks)
    pieces = [delayed(label_block)(fragments, grid, n) for n in numbers]
    edges = [
        delayed(_edges)(grid, rule, n, {m: pieces[m] for m in _around(grid, rule, n)}, values)
        for n in numbers
    ]
    tables = delayed(_tables)(rule, [delayed(_sizes_and_within)(part) for part in pieces], edges)
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
    grid: LabelGrid, rule: Rule, number: int, pieces: dict[int, Pieces], values: Values | None
) -> NDArray[np.uint64]:
    return rule.edges(grid, number, PiecesInMemory(grid, pieces), values)


def _sizes_and_within(pieces: Pieces) -> tuple[NDArray[np.int64], NDArray[np.uint64] | None]:
    """What of a block's pieces is needed to solve for all: little beside the labels."""
    return pieces.sizes, pieces.within


def _tables(
    rule: Rule,
    known: Sequence[tuple[NDArray[np.int64], NDArray[np.uint64] | None]],
    edges: list[NDArray[np.uint64]],
) -> list[NDArray[np.uint64]]:
    """For each block, the ids of its pieces, with that of the background before them."""
    sizes, rows = zip(*known, strict=True)
    starts, ids = solve_blocks(rule, sizes, chain((row for row in rows if row is not None), edges))
    return [_with_background(part) for part in np.split(ids, starts[1:-1])]
