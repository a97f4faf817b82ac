"""Fragments of a mutex watershed: what each block can merge by itself as the whole volume would."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..geometry.boxes import Box, Index, bounded_growth, within
from ..volumes.frame import Frame
from ..volumes.masks import Mask
from ..volumes.reach import Halo, Reach
from ..volumes.source import Source, Voxels
from ..volumes.time_points import each_time_point
from .affinities import check_scale
from .between import Between
from .mutex import MutexEdges
from .segmented import Segmented
from .watershed import check_mutex, segment_function

__all__ = ["MutexFragments", "check_has_channels"]


@dataclass(frozen=True, eq=False, kw_only=True)
class MutexFragments(Source):
    """Parts of the objects of a mutex watershed of the whole volume, by blocks."""

    frame: Frame
    # The affinities, and a mask if there is one.
    inputs: tuple[Voxels, ...]
    edges: MutexEdges
    # The watershed, which labels a region as one piece.
    watershed: Segmented

    kind = "MutexFragments"
    apart = False
    title = "watershed"

    @classmethod
    def of(cls, labels: Voxels) -> Self | None:
        """Of a mutex watershed that isn't computed yet; None for all other labels.

        Raises
        ------
        TypeError, ValueError
            If its affinities and parameters don't fit one another.
        """
        source = labels.source
        if not isinstance(source, Segmented) or source.function.plain is not segment_function:
            return None
        parameters = source.function.parameters
        if parameters.get("seeds") is not None:
            return None
        _check(source.inputs[0].frame, parameters)
        edges = MutexEdges.of(parameters)
        return cls(frame=labels.frame, inputs=source.inputs, edges=edges, watershed=source)

    @property
    def halo(self) -> Halo:
        """None: a block labels its own voxels."""
        return ((0, 0),) * len(self.edges.reach)

    @property
    def reach(self) -> Reach:
        """As far as edges go."""
        return Reach.of_voxels(self.frame, tuple((n, n) for n in self.edges.reach))

    def read(self, begin: Index, end: Index) -> NDArray[Any]:
        """Objects of a region, labelled as one piece with the halo of the watershed."""
        return self.watershed.read(begin, end)

    def seen(self, core: Box, seen: Box) -> NDArray[Any]:
        """Labels of the block's own voxels."""
        return self.parts(core)[0]

    def parts(self, core: Box) -> tuple[NDArray[Any], list[Between]]:
        """Labels of a block, and what is between them at each time point; of an empty one none."""
        begin, end = tuple(s.start for s in core), tuple(s.stop for s in core)
        if self.is_empty(begin, end):
            return np.zeros([e - b for b, e in zip(begin, end, strict=True)], np.uint64), []
        found: list[Between] = []

        def point(sources: Sequence[Voxels], begin: Index, end: Index) -> NDArray[Any]:
            labels, between = self._point(sources, begin, end)
            found.append(between)
            return labels

        return each_time_point(self.frame, self.inputs, begin, end, point), found

    def masked(self, mask: Mask) -> Self:
        """See `Source.masked`: no edge leads to what is outside."""
        watershed = self.watershed.masked(mask) or self.watershed
        return replace(self, inputs=watershed.inputs, watershed=watershed)

    def is_empty(self, begin: Index, end: Index) -> bool:
        """See `Source.is_empty`."""
        return self.watershed.is_empty(begin, end)

    @property
    def masks(self) -> tuple[Any, ...]:
        """See `Source.masks`."""
        return self.watershed.masks

    def over(self, inputs: tuple[Any, ...]) -> Self:
        """See `Source.over`."""
        return replace(self, inputs=inputs, watershed=self.watershed.over(inputs))

    def _point(
        self, sources: Sequence[Voxels], begin: Index, end: Index
    ) -> tuple[NDArray[Any], Between]:
        origin = self.watershed.origin[-len(begin) :]
        core = tuple(map(slice, begin, end))
        box = bounded_growth(core, self.edges.reach, self.frame.space)
        first = tuple(s.start for s in box)
        low, high = (
            tuple(i + o for i, o in zip(side, origin, strict=True))
            for side in (first, tuple(s.stop for s in box))
        )
        affinities, *masks = (source.source.read(low, high) for source in sources)
        mask = masks[0] != 0 if masks else None
        weights, own = self.edges.weights(affinities), within(core, box)
        labels, edges = self.edges.parts(weights, own, first, mask)
        return labels, Between(edges, own, self.edges.over_bias(weights[(slice(None), *own)]))


def check_has_channels(frame: Frame) -> None:
    """Refuse affinities without an axis of channels.

    Raises
    ------
    ValueError
    """
    if frame.channels is None:
        raise ValueError(
            f"A mutex watershed needs affinities with a channel for each offset, got the axes "
            f"{frame.axes}: name the channels' axis, open_volume(path, axes=...). Or give "
            "seeds='distance' where this is a mask, or one map of what is inside objects."
        )


def _check(frame: Frame, parameters: Mapping[str, Any]) -> None:
    """Refuse what the segment function would refuse in each block."""
    check_has_channels(frame)
    check_scale(frame.dtype, frame.stands_for)
    check_mutex(frame.channels or 1, len(frame.space), parameters)
