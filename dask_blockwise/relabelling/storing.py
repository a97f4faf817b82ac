"""The steps of storing a relabelled volume: what each reads, writes and costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engine.evidence import LedgerOf
from ..geometry.blocks import Coordinate
from ..geometry.boxes import Index
from ..geometry.placement_json import placement_to_json
from ..volumes.frame import Frame
from ..volumes.left import left_in
from ..volumes.lineage import prepared, reach_of
from ..volumes.plan import empty_blocks, plan_of
from ..volumes.reach import Reach
from ..volumes.reading import readings
from ..volumes.source import Voxels
from ..volumes.spans import Reading, Span, spans_of
from ..volumes.step import Output, StagePlan, Step
from .changed import changed_path
from .fragments import (
    are_as_stored,
    came_with_ids,
    connectivity_of,
    grid_of,
    kept_apart_by,
    most_within,
    values_of,
)
from .grid import LabelGrid
from .kept import Kept
from .rule import Rule, Weighed
from .scratch import Scratch
from .steps import Relabelling

__all__ = ["Storing"]

# Of the numbers of pieces in scratch.
_LABEL_BYTES = np.dtype(np.uint32).itemsize


@dataclass(frozen=True)
class Storing:
    """The steps of storing a relabelled volume in blocks."""

    # What is stored.
    volume: Voxels
    rule: Rule
    keep_scratch: bool
    # Voxels of a block.
    block: Index
    # Whether objects keep the ids that they have where they are stored.
    keeps_ids: bool = False

    def steps(self) -> Sequence[Step]:
        """In their order; labels that were kept are not made again."""
        kept = isinstance(self.inputs[0].source, Kept)
        first = () if kept else (self._segment,)
        recall = (self._recall,) if self.keeps_ids else ()
        last = () if self.keep_scratch else (self._clean,)
        return *first, self._stitch, *recall, self._solve, self._relabel, *last

    @property
    def frame(self) -> Frame:
        """Of what is stored."""
        return self.volume.frame

    @property
    def inputs(self) -> tuple[Voxels, ...]:
        """The fragments, and what the rule looks at beside them, if anything."""
        return self.volume.source.inputs

    @cached_property
    def grid(self) -> LabelGrid:
        """The blocks, with what each sees."""
        return grid_of(self.inputs[0], self.block)

    @property
    def _segment(self) -> Step:
        return Step(
            "segment",
            self.block,
            lambda output: self._at(output).segment,
            reach=reach_of(self.volume),
            array=lambda output: f"{self._scratch(output).path}/labels",
            # The same whatever the rule, so that another rule can be tried on them.
            made_from=self.inputs[0].token,
            readings=lambda: readings(self.inputs[0], self._spans),
            in_region="again",
            left=lambda output: self._scratch(output).left_of_labels(),
            prepare=lambda output: self._scratch(output).create_labels(self.grid, self._origin),
            empty=self._empty,
            cost=self._cost_to_segment(),
        )

    @property
    def _stitch(self) -> Step:
        near = Coordinate(self.rule.reach(self.grid)) * self.frame.voxel_size
        return Step(
            "stitch",
            self.block,
            lambda output: self._at(output).stitch,
            reach=replace(Reach.none(len(near)), before=near, after=near),
            array=lambda output: f"{self._scratch(output).path}/edges",
            made_from=self.volume.token,
            readings=lambda: self._read_to_stitch(near),
            after=(("segment", False),),
            # Also where labels are the same, as what is looked at beside them may have changed.
            in_region="around",
            left=lambda output: self._scratch(output).left("edges"),
            prepare=lambda output: self._scratch(output).create_edges(
                self.grid.blocks, self.rule.most(self.grid)
            ),
            empty=self._empty,
            cost=self._cost_to_stitch(),
        )

    @property
    def _recall(self) -> Step:
        return Step(
            "recall",
            self.block,
            lambda output: self._at(output).recall,
            reach=self._alone,
            array=None,
            made_from=self.volume.token,
            prepare=lambda output: self._scratch(output).create_recalled(
                self.grid.blocks, 3 * prod(self.block)
            ),
        )

    @property
    def _solve(self) -> Step:
        return Step(
            "solve",
            self.frame.extent,
            lambda output: self._at(output).solve,
            reach=self._alone,
            array=lambda output: f"{self._scratch(output).path}/edges",
            beside="solved",
            made_from=self.volume.token,
            after=(("segment", True), ("stitch", True)),
            # What is kept depends on what is there.
            again=self.keeps_ids,
            left=lambda output: self._scratch(output).left_of_table(),
            cost=StagePlan("", self.frame.extent, 1, 0, 0, self._memory_to_solve),
        )

    @property
    def _relabel(self) -> Step:
        labels, ids = _LABEL_BYTES, self.frame.dtype.itemsize
        own, core = prod(self.frame.shape), prod(self.block)
        return Step(
            "relabel",
            self.block,
            lambda output: self._at(output).relabel,
            reach=self._alone,
            array=lambda output: output.target.path,
            made_from=self.volume.token,
            # An id depends on all voxels.
            readings=lambda: readings(self.volume, None),
            after=(("segment", False),),
            also=lambda output: [_OfTable(self._scratch(output))],
            left=lambda output: left_in(output.target, self.frame, self.block),
            last=True,
            keeps=self.keep_scratch,
            empty=self._empty,
            cost=StagePlan(
                *("", self.block, self.grid.blocks),
                *(own * labels, own * ids, core * (labels + 2 * ids)),
                needed_bytes=own * labels,
            ),
        )

    @property
    def _clean(self) -> Step:
        return Step(
            "clean",
            self.frame.extent,
            lambda output: self._at(output).clean,
            reach=self._alone,
            array=None,
            made_from=self.volume.token,
            needed=lambda output: self._scratch(output).is_there,
        )

    @property
    def _spans(self) -> tuple[Span, ...]:
        return spans_of(self.frame, self.block)

    def _read_to_stitch(self, near: Coordinate) -> list[Reading]:
        """Of what is stored, beside the labels of blocks; those that were kept are stored too."""
        around = tuple(span.grown(int(n), int(n)) for span, n in zip(self._spans, near))
        beside = [found for volume in self.inputs[1:] for found in readings(volume, around)]
        kept = isinstance(self.inputs[0].source, Kept)
        return beside + (readings(self.inputs[0], None) if kept else [])

    @property
    def _alone(self) -> Reach:
        return Reach.none(len(self.frame.extent))

    @property
    def _origin(self) -> dict[str, Any]:
        """What one needs to know to relabel kept labels."""
        fragments = self.inputs[0]
        return {
            "placement": placement_to_json(self.frame.placement),
            "made_from": fragments.token,
            "apart": kept_apart_by(fragments) is not None,
            "connectivity": connectivity_of(fragments),
            "as_stored": are_as_stored(fragments),
            "ids": came_with_ids(fragments),
            "within": most_within(fragments, self.grid),
        }

    def _scratch(self, output: Output) -> Scratch:
        source = self.inputs[0].source
        kept = source.scratch.path if isinstance(source, Kept) else None
        return Scratch(f"{output.path}.scratch", kept)

    def _at(self, output: Output) -> Relabelling:
        inputs = tuple(map(prepared, self.inputs))
        return Relabelling(
            fragments=inputs[0],
            values=values_of(inputs),
            grid=self.grid,
            rule=self.rule,
            scratch=self._scratch(output),
            target=output.target,
            changed=changed_path(output.path) if self.keeps_ids else "",
        )

    def _empty(self) -> int | None:
        fragments = self.inputs[0]
        return empty_blocks(fragments, self.block) if fragments.source.empty_is_zero else 0

    @property
    def _memory_to_solve(self) -> int:
        """It goes by how many pieces there are, which most rules can't know before."""
        return self.rule.memory(self.grid) if isinstance(self.rule, Weighed) else 0

    def _cost_to_segment(self) -> StagePlan:
        frame, cost = prod(self.grid.frame_shape), plan_of(self.inputs[0], self.block)
        held = frame * (_LABEL_BYTES + self.frame.dtype.itemsize)
        return replace(
            cost,
            write_bytes=self.grid.blocks * frame * _LABEL_BYTES,
            worker_bytes=max(cost.worker_bytes, held),
        )

    def _cost_to_stitch(self) -> StagePlan:
        frame = prod(self.grid.frame_shape) * _LABEL_BYTES
        beside = [plan_of(volume, self.block) for volume in self.inputs[1:]]
        read = self.grid.blocks * frame + sum(plan.read_bytes for plan in beside)
        held = 2 * frame + sum(plan.worker_bytes for plan in beside)
        return StagePlan("", self.block, self.grid.blocks, read, 0, held)


@dataclass(frozen=True)
class _OfTable:
    """Each block's part of the table of ids, once it is solved for."""

    scratch: Scratch
    fixed = False

    def of(self, blocks: NDArray[np.int64], ledger_of: LedgerOf) -> NDArray[np.uint64]:
        """See `Evidence.of`."""
        return self.scratch.hashes_of_table(blocks) if blocks.size else np.zeros(0, np.uint64)
