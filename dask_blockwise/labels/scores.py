"""Scores of a result against the truth, on the voxels that the truth labels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .ids import check_labels
from .overlaps import SegmentationScore, overlaps_of

__all__ = ["SegmentationScore", "dice", "score_segmentation"]


def score_segmentation(
    truth: ArrayLike, segmentation: ArrayLike, ignore_background: bool = False
) -> SegmentationScore:
    """Compare two segmentations by variation of information and adapted Rand error.

    Parameters
    ----------
    truth : array of int
        Voxels with 0 are unlabelled and don't count.
    segmentation : array of int, of the same shape
        Here 0 counts as one more segment: voxels that the segmentation leaves out are errors.
    ignore_background : bool
        Leave voxels out that the segmentation has as 0, for instance cell membranes.

    Raises
    ------
    ValueError
        If the shapes differ, no voxel is left to compare, or a label is negative.
    TypeError
        If the labels aren't integers.

    References
    ----------
    Meilă, "Comparing clusterings", 2007; Arganda-Carreras et al., "Crowdsourcing the creation of
    image segmentation algorithms for connectomics", 2015; as skimage.metrics has them.

    Examples
    --------
    >>> score = score_segmentation([0, 1, 1, 2, 2], [9, 5, 6, 7, 7])
    >>> score.voi_split, score.voi_merge, round(score.adapted_rand, 3)
    (0.5, 0.0, 0.333)
    """
    one, other = _native(truth), _native(segmentation)
    _check_shapes(one, other)
    check_labels(one, "Labels of the truth")
    check_labels(other, "Labels")
    counted = (one != 0) & ((other != 0) | (not ignore_background))
    return overlaps_of(one[counted], other[counted]).score


def dice(truth: ArrayLike, prediction: ArrayLike) -> float:
    """Dice coefficient of two masks, in [0, 1]; 1 is best, and two empty masks are equal.

    Parameters
    ----------
    truth, prediction : array, of the same shape
        Not 0 is foreground; for one class of several, compare first: ``classes == 2``.

    Raises
    ------
    ValueError
        If the shapes differ.

    Examples
    --------
    >>> dice([1, 1, 0, 0], [0, 1, 1, 1])
    0.4
    """
    one, other = np.asarray(truth) != 0, np.asarray(prediction) != 0
    _check_shapes(one, other)
    total = int(one.sum()) + int(other.sum())
    return 2 * int((one & other).sum()) / total if total else 1.0


def _native(labels: ArrayLike) -> NDArray[Any]:
    """An array in the processor's order of bytes, as what counts them needs it."""
    array = np.asarray(labels)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _check_shapes(truth: NDArray[np.generic], other: NDArray[np.generic]) -> None:
    if truth.shape != other.shape:
        raise ValueError(
            f"Truth of shape {truth.shape} and result of shape {other.shape} can't be compared: "
            "cut both to the same region first."
        )
