"""Boxes of labels made anew: as one piece, or put together from blocks by other rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from ..geometry.boxes import Box, Index
from ..labels.ids import apply_table
from ..relabelling.fragments import connectivity_of, grid_of, label_block, values_of
from ..relabelling.match_rule import ByFraction, ByIou, Matcher, MatchRule
from ..relabelling.relabelled import Relabelled
from ..relabelling.rule import Rule
from ..relabelling.steps import PiecesInMemory, solve_blocks
from ..segmentation.mutex_fragments import MutexFragments
from ..segmentation.segmented import Segmented
from ..volumes.frame import Frame
from ..volumes.kinds import Checkpoint
from ..volumes.lineage import own_reach, prepared
from ..volumes.map_overlap import Mapped
from ..volumes.reach import Halo
from ..volumes.source import LabelSource, Voxels
from ..volumes.views import Cropped
from ..volumes.volume import Volume
from .seam_measures import Labels, counted

__all__ = ["Remake", "halo_of", "name_of", "named_by_most", "pipeline_of", "seen_by"]


@dataclass(frozen=True)
class Remake:
    """Makes boxes anew by the functions that made the whole.

    Parameters
    ----------
    segments
        What ``relabel`` or ``agglomerate`` returned.
    labels
        What is stored of it.
    """

    segments: Volume
    labels: Volume

    def one_piece(self, box: Box) -> Labels:
        """The labels of a box that is labelled as one piece; nothing around it is seen.

        A mutex watershed may hang on what is far away, so of one only that is labelled anew which
        is sure whatever lies around the box; each part has the stored label of most of its voxels.
        """
        sure = self._sure
        if sure is not None:
            return named_by_most(sure.seen(box, box), self.labels[box])
        shape = tuple(s.stop - s.start for s in box)
        return _anew(self.segments, box, shape, 0)[...]

    @property
    def rules(self) -> dict[str, Rule]:
        """The rule that put the labels together, and others that could."""
        relabelled = pipeline_of(self.segments)
        if relabelled is None or not isinstance(_fragments(relabelled), Segmented):
            return {}
        source: Any = relabelled.source
        own: Rule = source.rule
        matchers: Mapping[str, Matcher] = {"iou": ByIou(0.5), "fraction": ByFraction(0.9)}
        others: dict[str, Rule] = {
            f'match="{name}"': MatchRule(matcher, min_size=own.min_size)
            for name, matcher in matchers.items()
        }
        return {name_of(own): own} | {n: r for n, r in others.items() if n != name_of(own)}

    @property
    def exact(self) -> bool:
        """Whether nothing around a box matters, as for connected components."""
        if self._sure is not None:
            return True
        relabelled = pipeline_of(self.segments)
        return relabelled is not None and connectivity_of(relabelled.inputs[0]) is not None

    @property
    def _sure(self) -> MutexFragments | None:
        """What is sure in any box, of a mutex watershed that was solved over the whole volume."""
        source = self.segments.source
        if not isinstance(source, Relabelled):
            return None
        fragments = prepared(source.inputs[0]).source
        return fragments if isinstance(fragments, MutexFragments) else None

    def two_blocks(self, box: Box, axis: int, halo: int) -> dict[str, Labels]:
        """A box of two blocks that meet in its middle along an axis, put together by each rule."""
        shape = tuple(s.stop - s.start for s in box)
        block = tuple(n // 2 if a == axis else n for a, n in enumerate(shape))
        relabelled = pipeline_of(self.segments)
        if relabelled is None:
            return {}
        made = _anew(relabelled, box, block, halo)
        inputs = tuple(map(prepared, made.inputs))
        grid = grid_of(inputs[0], block)
        pieces = {n: label_block(inputs[0], grid, n) for n in range(grid.blocks)}
        held, values = PiecesInMemory(grid, pieces), values_of(inputs)
        return {name: _by_rule(rule, held, values) for name, rule in self.rules.items()}

    def cost_of_two(self, box: Box, axis: int, halo: int) -> int:
        """Voxels that both blocks see, of which either sees the halo at their face alone."""
        sizes: list[int] = [s.stop - s.start for s in box]
        return prod(sizes) // max(1, sizes[axis]) * (sizes[axis] + 2 * halo)


def named_by_most(parts: Labels, names: Labels) -> Labels:
    """Each part under the name that most of its voxels have; background stays.

    Examples
    --------
    >>> named_by_most(np.array([0, 4, 4, 4, 6]), np.array([7, 1, 2, 2, 2]))
    array([0, 2, 2, 2, 2])
    """
    values, name, _ = counted(names)
    pieces, part, _ = counted(parts)
    keys, _, voxels = counted(part * len(values) + name)
    pairs = np.divmod(keys, len(values))
    most = np.zeros(len(pieces), np.intp)
    # The last of those that are written stays: that of the most voxels.
    order = np.argsort(voxels, kind="stable")
    most[pairs[0][order]] = pairs[1][order]
    named: Labels = np.where(parts == 0, 0, values[most][part])
    return named


def pipeline_of(volume: Volume) -> Volume | None:
    """What put labels of single blocks together, if they can be made anew."""
    source = volume.source
    if isinstance(source, Relabelled):
        return volume if _fragments(volume) is not None else None
    if isinstance(source, Mapped | Checkpoint):
        below = map(pipeline_of, volume.inputs)
        return next((found for found in below if found is not None), None)
    return None


def halo_of(volume: Volume) -> Halo:
    """Of the blocks whose labels were put together, along each axis of space."""
    relabelled = pipeline_of(volume)
    fragments = _fragments(relabelled) if relabelled is not None else None
    return fragments.halo if fragments is not None else ()


def seen_by(volume: Volume) -> Halo:
    """What each block was computed from around it, along each axis of space.

    More than the halo of a mutex watershed that is solved over the whole volume, of which a block
    labels its own voxels by all edges that reach out of them.
    """
    relabelled = pipeline_of(volume)
    if relabelled is None:
        return ()
    labelled = _labelled(relabelled)
    reach = own_reach(labelled).voxels(labelled.frame)
    axes = zip(reach, halo_of(volume), strict=True)
    return tuple((max(r[0], h[0]), max(r[1], h[1])) for r, h in axes)


def name_of(rule: Rule) -> str:
    """As it was given to ``relabel``, or what it is.

    Examples
    --------
    >>> name_of(MatchRule(ByIou(0.5)))
    'match="iou"'
    """
    matcher = rule.match if isinstance(rule, MatchRule) else rule
    name = type(matcher).__name__
    return f'match="{name[2:].lower()}"' if isinstance(rule, MatchRule) else name


def _fragments(relabelled: Voxels) -> LabelSource | None:
    source = _labelled(relabelled).source
    return source if isinstance(source, LabelSource) else None


def _labelled(relabelled: Voxels) -> Voxels:
    """The labels of single blocks that were put together."""
    fragments: Voxels = relabelled.source.inputs[0]
    while isinstance(fragments.source, Checkpoint):
        fragments = fragments.source.made
    return fragments


def _by_rule(rule: Rule, held: PiecesInMemory, values: Any) -> Labels:
    grid = held.grid
    edges = [rule.edges(grid, n, held, values) for n in held.pieces]
    starts, ids = solve_blocks(rule, [p.sizes for p in held.pieces.values()], edges)
    labels = np.zeros(grid.shape, np.uint64)
    for number, own in enumerate(np.split(ids, starts[1:-1])):
        core = grid.core(number)
        pieces = held.values(number, core)
        labels[core] = apply_table(pieces, np.concatenate([np.zeros(1, np.uint64), own]))
    return labels


def _anew(volume: Volume, box: Box, block: Index, halo: int) -> Volume:
    """A box of a volume, in which blocks of this shape and halo are segmented anew."""
    source = volume.source
    if isinstance(source, Segmented):
        return _segmented(source, volume, box, block, halo)
    if not _leads_to_labels(volume):
        return _crop(volume, box)
    if isinstance(source, Checkpoint):
        return _anew(volume.inputs[0], box, block, halo)
    if isinstance(source, Relabelled) and not isinstance(_fragments(volume), Segmented):
        # What it is made of may be no labels by itself: it knows best what one piece is.
        read = source.prepared(tuple(map(prepared, source.inputs)))
        return _cropped(replace(volume, source=read), box)
    inputs = tuple(_anew(inner, box, block, halo) for inner in volume.inputs)
    frame = _frame(volume, box).with_block(block)
    # Either of those that are left has a frame and inputs.
    made: Any = source
    return Volume(frame, replace(made, frame=frame, inputs=inputs))


def _segmented(source: Segmented, volume: Volume, box: Box, block: Index, halo: int) -> Volume:
    frame = _frame(volume, box).with_block(block)
    there = tuple(slice(s.start + o, s.stop + o) for s, o in zip(box, source.origin, strict=True))
    made = replace(
        source,
        frame=frame,
        inputs=tuple(_crop(inner, there) for inner in volume.inputs),
        margin=replace(source.margin, halo=((halo, halo),) * len(source.halo)),
        origin=(0,) * len(source.origin),
    )
    return Volume(frame, made)


def _leads_to_labels(volume: Volume) -> bool:
    """Whether labels of single blocks are among what a volume is made of."""
    source = volume.source
    if isinstance(source, LabelSource | Relabelled):
        return True
    return isinstance(source, Mapped | Checkpoint) and any(map(_leads_to_labels, volume.inputs))


def _crop(volume: Volume, box: Box) -> Volume:
    return _cropped(prepared(volume), box)


def _cropped(volume: Volume, box: Box) -> Volume:
    return Volume(_frame(volume, box), Cropped((volume,), _begin(box)))


def _frame(volume: Volume, box: Box) -> Frame:
    return volume.frame.box(_begin(box), tuple(s.stop - s.start for s in box))


def _begin(box: Box) -> Index:
    return tuple(s.start for s in box)
