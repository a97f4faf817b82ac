"""Scores of stored labels against the truth, counted block by block, and the worst objects."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, product
from typing import TYPE_CHECKING, Any

from dask.delayed import delayed

from ..geometry.boxes import Index
from ..geometry.meeting import meetings
from ..labels.ids import check_labels
from ..labels.overlaps import Overlaps, SegmentationScore, joined, overlaps_of
from ..pipelines.given_volumes import check_volumes
from ..tables import html_columns, text_columns
from ..volumes.few_values import check_objects
from ..volumes.lineage import is_made_by, prepared
from ..volumes.region import computed
from ..volumes.source import LabelSource, Voxels
from ..volumes.volume import Volume

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["Evaluation", "evaluate"]

# So many blocks are counted before what they found is joined.
_BLOCKS_AT_ONCE = 1024
_SHOWN = 5
_SPLIT = ("split object", "voxels", "segments", "bits")
_MERGED = ("merging segment", "voxels", "objects", "bits")


@dataclass(frozen=True, repr=False)
class Evaluation:
    """How far segments are from the truth, and which objects that hangs on.

    ``print(evaluation)`` gives the scores and the worst objects.
    """

    overlaps: Overlaps
    score: SegmentationScore

    @property
    def voi_split(self) -> float:
        """Bits of variation of information for objects that were cut in pieces."""
        return self.score.voi_split

    @property
    def voi_merge(self) -> float:
        """Bits for objects that were fused."""
        return self.score.voi_merge

    @property
    def voi(self) -> float:
        """Variation of information, in bits."""
        return self.score.voi

    @property
    def adapted_rand(self) -> float:
        """Adapted Rand error (ARAND), in [0, 1]."""
        return self.score.adapted_rand

    @property
    def splits(self) -> DataFrame:
        """Objects of the truth, the worst split first: ``id, voxels, segments, bits``."""
        return _table(("id", *_SPLIT[1:]), self.overlaps.splits)

    @property
    def merges(self) -> DataFrame:
        """Segments, those that fuse most first: ``id, voxels, objects, bits``."""
        return _table(("id", *_MERGED[1:]), self.overlaps.merges)

    def __str__(self) -> str:
        tables = (text_columns(names, rows) for names, rows in self._worst())
        return "\n\n".join([self._words(), *tables])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        tables = "".join(html_columns(names, rows) for names, rows in self._worst())
        return f"<p>{self._words()}</p>{tables}"

    def _words(self) -> str:
        return (
            f"VOI {self.voi:.4f} bits: {self.voi_split:.4f} split, {self.voi_merge:.4f} merge; "
            f"ARAND {self.adapted_rand:.4f}; {int(self.overlaps.voxels.sum()):,} voxels"
        )

    def _worst(self) -> Iterator[tuple[tuple[str, ...], list[tuple[str, ...]]]]:
        for names, table in (_SPLIT, self.overlaps.splits), (_MERGED, self.overlaps.merges):
            rows = zip(*(column[:_SHOWN].tolist() for column in table), strict=True)
            yield (
                names,
                [(str(i), f"{n:,}", str(k), f"{bits:.4f}") for i, n, k, bits in rows if bits],
            )


def evaluate(segments: Volume, truth: Volume, *, ignore_background: bool = False) -> Evaluation:
    """Compare stored segments with the truth by blocks, on the present cluster or in threads.

    Parameters
    ----------
    segments : Volume of int
        Stored, or in memory. Here 0 counts as one more segment: voxels that are left out are
        errors.
    truth : Volume of int
        Of the same voxels, of all of the region or a part of it, in any unit. Voxels with 0 are
        unlabelled and don't count.
    ignore_background : bool
        Leave voxels out that the segmentation has as 0, for instance cell membranes.

    Returns
    -------
    Evaluation
        Variation of information and adapted Rand error as of `skimage.metrics`, and what each
        object has part in them.

    Raises
    ------
    TypeError
        If one of them isn't of integers without channels.
    ValueError
        If they aren't of the same voxels, if the ids of segments depend on the region that is
        asked for, if a label is negative, or if nothing is labelled.

    References
    ----------
    Meilă, "Comparing clusterings", 2007; Arganda-Carreras et al., "Crowdsourcing the creation of
    image segmentation algorithms for connectomics", 2015.

    Examples
    --------
    >>> import numpy as np
    >>> truth = Volume.from_array(np.array([[0, 1, 1, 2, 2]]), chunks=(1, 2))
    >>> found = evaluate(Volume.from_array(np.array([[9, 5, 6, 7, 7]])), truth)
    >>> found.voi_split, found.voi_merge, round(found.adapted_rand, 3)
    (0.5, 0.0, 0.333)
    >>> found.splits.head(1).to_dict("records")
    [{'id': 1, 'voxels': 2, 'segments': 2, 'bits': 0.5}]
    """
    check_volumes("evaluate", segments=segments, truth=truth)
    for name, volume in (("segments", segments), ("truth", truth)):
        _check(name, volume)
    away = _away(segments, truth)
    pair = prepared(segments), prepared(truth)
    blocks = _blocks(truth)
    parts: list[Overlaps] = []
    count = delayed(_counted, pure=False)
    while some := list(islice(blocks, _BLOCKS_AT_ONCE)):
        found = computed(*(count(*pair, away, block, ignore_background) for block in some))
        parts = [joined([*parts, *found])]
    return Evaluation(parts[0], parts[0].score)


def _counted(
    segments: Voxels,
    truth: Voxels,
    away: Index,
    block: tuple[Index, Index],
    ignore_background: bool,
) -> Overlaps:
    """Of the labelled voxels of a block."""
    there = (tuple(n + step for n, step in zip(edge, away, strict=True)) for edge in block)
    one, other = truth.source.read(*block), segments.source.read(*there)
    check_labels(one, "Labels of the truth")
    check_labels(other, "Labels")
    counted = (one != 0) & ((other != 0) | (not ignore_background))
    return overlaps_of(one[counted], other[counted])


def _blocks(truth: Volume) -> Iterator[tuple[Index, Index]]:
    """Where each begins and ends, in voxels of the truth."""
    shape, step = truth.frame.extent, truth.block_shape
    for begin in product(*(range(0, n, s) for n, s in zip(shape, step, strict=True))):
        yield begin, tuple(min(n, b + s) for n, b, s in zip(shape, begin, step, strict=True))


def _table(names: tuple[str, ...], columns: tuple[Any, ...]) -> DataFrame:
    from pandas import DataFrame

    return DataFrame(dict(zip(names, columns, strict=True)))


def _check(name: str, volume: Volume) -> None:
    if volume.dtype.kind not in "iu" or "c" in volume.axes:
        raise TypeError(f"evaluate needs {name} to be integers without channels, got {volume!r}.")
    check_objects(volume, "evaluate", stacklevel=4)
    if volume.source.needs_all or is_made_by(volume, LabelSource):
        raise ValueError(
            f"The ids of {volume!r} depend on the region that is asked for: store it, "
            "to_zarr(path), and evaluate what is stored."
        )


def _away(segments: Volume, truth: Volume) -> Index:
    """Which of the segments' voxels the truth's first one is, in whatever units both are."""
    one, other = segments.frame, truth.frame
    if one.axes != other.axes:
        raise _not_alike(segments, truth)
    try:
        along = meetings(other.placement, one.placement)
    except ValueError as error:
        raise ValueError(f"{_not_alike(segments, truth)} As they are, {error}.") from None
    away = tuple(axis.away // axis.wide for axis in along)
    whole = all(axis.step == axis.wide and axis.away % axis.wide == 0 for axis in along)
    ends = (a + n for a, n in zip(away, other.extent, strict=True))
    if not whole or min(away) < 0 or any(e > n for e, n in zip(ends, one.extent, strict=True)):
        raise _not_alike(segments, truth)
    return away


def _not_alike(segments: Volume, truth: Volume) -> ValueError:
    return ValueError(
        f"The truth {truth!r} must have the voxels of the segments {segments!r}, and lie within "
        "them: crop it, or say where it lies as it is opened, truth = open_volume(path, "
        "voxel_size=..., offset=..., unit=...)."
    )
