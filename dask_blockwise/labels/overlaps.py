"""How many voxels each object of the truth shares with each segment, and what follows from that."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import fastremap
import numpy as np
from numpy.typing import NDArray

__all__ = ["Overlaps", "SegmentationScore", "joined", "overlaps_of"]


class SegmentationScore(NamedTuple):
    """How far a segmentation is from the truth: 0 is best in each.

    Parameters
    ----------
    voi_split
        Bits of variation of information for objects that were cut in pieces.
    voi_merge
        Bits for objects that were fused.
    adapted_rand
        Adapted Rand error, in [0, 1].
    """

    voi_split: float
    voi_merge: float
    adapted_rand: float

    @property
    def voi(self) -> float:
        """Variation of information, in bits."""
        return self.voi_split + self.voi_merge


@dataclass(frozen=True)
class Overlaps:
    """Pairs of an object of the truth and a segment that have voxels in common.

    Parameters
    ----------
    truth, segment
        Ids of each pair, which is there once.
    voxels
        Shape ``(pairs,)``, int64.
    """

    truth: NDArray[Any]
    segment: NDArray[Any]
    voxels: NDArray[np.int64]

    @property
    def score(self) -> SegmentationScore:
        """Variation of information and adapted Rand error.

        Raises
        ------
        ValueError
            If there is no voxel.
        """
        if not self.voxels.size:
            raise ValueError(
                "No voxel is labelled in the truth (and the segmentation), so there is nothing to "
                "compare: check that both are of the same region."
            )
        split, merge = (float(bits.sum()) for bits in (self._split_bits, self._merge_bits))
        return SegmentationScore(max(0.0, split), max(0.0, merge), self._adapted_rand)

    @property
    def splits(self) -> tuple[NDArray[Any], NDArray[np.int64], NDArray[np.int64], NDArray[Any]]:
        """Of each object of the truth: id, voxels, segments, and bits for its being cut."""
        return _by_object(self.truth, self.voxels, self._split_bits)

    @property
    def merges(self) -> tuple[NDArray[Any], NDArray[np.int64], NDArray[np.int64], NDArray[Any]]:
        """Of each segment: id, voxels, objects of the truth, and bits for its fusing them."""
        return _by_object(self.segment, self.voxels, self._merge_bits)

    @property
    def _split_bits(self) -> NDArray[np.float64]:
        return self._bits(self.truth)

    @property
    def _merge_bits(self) -> NDArray[np.float64]:
        return self._bits(self.segment)

    def _bits(self, ids: NDArray[Any]) -> NDArray[np.float64]:
        """Of each pair, its part of the entropy of the others, given the object of an id."""
        _, inverse = np.unique(ids, return_inverse=True)
        whole = np.bincount(inverse, self.voxels)[inverse]
        bits: NDArray[np.float64] = self.voxels / self.voxels.sum() * np.log2(whole / self.voxels)
        return bits

    @property
    def _adapted_rand(self) -> float:
        """Pairs of voxels that are together in both, beside those that are in either; whole."""
        both, one, other = (
            sum(n * n for n in sizes) - sum(sizes)
            for sizes in (
                self.voxels.tolist(),
                *(_sizes(ids, self.voxels) for ids in (self.truth, self.segment)),
            )
        )
        return 1 - 2 * both / (one + other) if one + other else 0.0


def overlaps_of(truth: NDArray[Any], segments: NDArray[Any]) -> Overlaps:
    """Count the pairs of ids of two arrays of one shape, voxel by voxel.

    Examples
    --------
    >>> overlaps_of(np.array([7, 7, 8]), np.array([1, 2, 2])).voxels
    array([1, 1, 1])
    """
    if not truth.size:
        return Overlaps(truth.ravel(), segments.ravel(), np.zeros(0, np.int64))
    dense = [fastremap.renumber(array.ravel(), preserve_zero=False) for array in (truth, segments)]
    (one, ones), (other, others) = dense
    span = len(others) + 1
    pairs, counts = fastremap.unique(
        one.astype(np.int64) * span + other.astype(np.int64), return_counts=True
    )
    names = ({new: old for old, new in found.items()} for found in (ones, others))
    named, segment = (
        np.array([name[n] for n in numbers.tolist()], array.dtype)
        for name, numbers, array in zip(
            names, (pairs // span, pairs % span), (truth, segments), strict=True
        )
    )
    return Overlaps(named, segment, counts.astype(np.int64))


def joined(parts: Iterable[Overlaps]) -> Overlaps:
    """Those of several regions together."""
    parts = list(parts)
    truth, segment, voxels = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("truth", "segment", "voxels")
    )
    order = np.lexsort((segment, truth))
    truth, segment, voxels = truth[order], segment[order], voxels[order]
    first = np.ones(truth.size, bool)
    first[1:] = (truth[1:] != truth[:-1]) | (segment[1:] != segment[:-1])
    starts = np.flatnonzero(first)
    total = np.add.reduceat(voxels, starts) if starts.size else voxels
    return Overlaps(truth[starts], segment[starts], total)


def _by_object(
    ids: NDArray[Any], voxels: NDArray[np.int64], bits: NDArray[np.float64]
) -> tuple[NDArray[Any], NDArray[np.int64], NDArray[np.int64], NDArray[Any]]:
    """The worst first."""
    found, inverse, pieces = np.unique(ids, return_inverse=True, return_counts=True)
    whole, lost = np.bincount(inverse, voxels).astype(np.int64), np.bincount(inverse, bits)
    order = np.argsort(-lost, kind="stable")
    return found[order], whole[order], pieces[order], lost[order]


def _sizes(ids: NDArray[Any], voxels: NDArray[np.int64]) -> list[int]:
    _, inverse = np.unique(ids, return_inverse=True)
    sizes: list[int] = np.bincount(inverse, voxels).astype(np.int64).tolist()
    return sizes
