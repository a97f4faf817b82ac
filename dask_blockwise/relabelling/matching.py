"""Which labels of two neighbouring blocks are one object: by what both saw, or where they touch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ..geometry.boxes import Direction
from .pairs import as_rows, distinct, ends, firsts, pack

Labels = NDArray[np.integer]


@dataclass(frozen=True)
class Overlap:
    """Which labels of two arrays meet, and in how many voxels; 0 is background and left out.

    Parameters
    ----------
    pairs
        Shape ``(k, 2)``, uint32, sorted, each pair once.
    voxels
        Shape ``(k,)``, int64.
    """

    pairs: NDArray[np.uint32]
    voxels: NDArray[np.int64]


def overlap(first: Labels, second: Labels) -> Overlap:
    """Count the voxels on which each pair of labels meets.

    Parameters
    ----------
    first, second : ndarray of int, of the same shape
        Labels of the same voxels, or of neighbouring ones, below 2 ** 32; 0 is background.

    Examples
    --------
    >>> overlap(np.array([1, 1, 2, 0]), np.array([5, 5, 5, 5]))
    Overlap(pairs=array([[1, 5],
           [2, 5]], dtype=uint32), voxels=array([2, 1]))
    """
    pairs = pack(first.reshape(-1), second.reshape(-1))
    # Neighbouring voxels mostly hold the same pair, so runs are sorted, not voxels.
    starts = np.flatnonzero(firsts(pairs))
    lengths = np.diff(starts, append=pairs.size)
    runs = pairs[starts]
    runs, lengths = _foreground(runs, lengths)
    order = np.argsort(runs, kind="stable")
    runs, lengths = runs[order], lengths[order]
    starts = np.flatnonzero(firsts(runs))
    voxels = np.add.reduceat(lengths, starts) if starts.size else lengths
    return Overlap(as_rows(runs[starts]), voxels)


def best_pairs(first: Labels, second: Labels, min_iou: float) -> NDArray[np.uint32]:
    """Pairs of labels that are each other's best match with an IoU of at least ``min_iou``.

    Parameters
    ----------
    first, second : ndarray of int, of the same shape
        Two blocks' labels of the voxels that both saw.
    min_iou : float
        Intersection over union on these voxels, in [0, 1]. Equally good partners count for the
        smaller label.

    Returns
    -------
    ndarray of uint32, shape (k, 2)
        Every label at most once.

    Examples
    --------
    >>> first, second = np.array([1, 1, 1, 1, 2, 2]), np.array([1, 1, 1, 2, 2, 2])
    >>> best_pairs(first, second, 0.5)
    array([[1, 1],
           [2, 2]], dtype=uint32)
    """
    met = overlap(first, second)
    if not len(met.pairs):
        return met.pairs
    one, other = met.pairs.T
    iou = met.voxels / (_sizes(first)[one] + _sizes(second)[other] - met.voxels)
    mutual = _best(one, other, iou) & _best(other, one, iou) & (iou >= min_iou)
    pairs: NDArray[np.uint32] = met.pairs[mutual]
    return pairs


def contained_pairs(first: Labels, second: Labels, min_fraction: float) -> NDArray[np.uint32]:
    """Pairs of labels of which the smaller lies in the other by at least ``min_fraction``.

    Parameters
    ----------
    first, second : ndarray of int, of the same shape
        Two blocks' labels of the voxels that both saw.
    min_fraction : float
        Common voxels over those of the smaller label, in [0, 1].

    Returns
    -------
    ndarray of uint32, shape (k, 2)
        A label may hold several of the other block's.

    Examples
    --------
    >>> first, second = np.array([1, 1, 2, 2, 3, 3]), np.array([7, 7, 7, 0, 8, 9])
    >>> contained_pairs(first, second, 0.6)
    array([[1, 7],
           [3, 8],
           [3, 9]], dtype=uint32)
    """
    met = overlap(first, second)
    if not len(met.pairs):
        return met.pairs
    one, other = met.pairs.T
    smaller = np.minimum(_sizes(first)[one], _sizes(second)[other])
    pairs: NDArray[np.uint32] = met.pairs[met.voxels >= min_fraction * smaller]
    return pairs


def link_pieces(
    matched: NDArray[np.uint32],
    touching: NDArray[np.uint32],
    owners: NDArray[np.integer],
    other_owners: NDArray[np.integer],
) -> NDArray[np.uint32]:
    """Pairs of pieces of two blocks, from pairs of their labels.

    Labels in one piece each are linked where they match; of several pieces, those that touch.

    Parameters
    ----------
    matched : ndarray of uint32, shape (k, 2)
        Labels, from 1.
    touching : ndarray of uint32, shape (m, 2)
        Pieces, from 1, that touch across the face between the blocks.
    owners, other_owners : ndarray of int
        The label of each piece of the one block and the other.

    Examples
    --------
    >>> matched, touching = np.array([[1, 1], [2, 2]]), np.array([[1, 1], [2, 2]])
    >>> link_pieces(matched, touching, np.array([1, 1, 2]), np.array([1, 2]))
    array([[1, 1],
           [3, 2]], dtype=uint32)
    """
    labels = np.stack([_at(owners, touching[:, 0]), _at(other_owners, touching[:, 1])], -1)
    linked = touching[np.isin(pack(*labels.T), pack(*matched.T))]
    alone = _only_pieces(owners, matched[:, 0]), _only_pieces(other_owners, matched[:, 1])
    whole = np.stack(alone, -1)[(alone[0] > 0) & (alone[1] > 0)]
    return as_rows(distinct(pack(*np.concatenate([linked, whole]).T)))


def touching_pairs(
    first: Labels,
    second: Labels,
    direction: Direction,
    connectivity: int,
    moving: tuple[bool, ...] | None = None,
    alike: tuple[Labels, Labels] | None = None,
) -> NDArray[np.uint32]:
    """Pairs of labels that touch across the face, edge or corner between two blocks.

    Parameters
    ----------
    first, second : ndarray of int
        Labels of the cores of two neighbours, of the same shape along the axes on which
        ``direction`` is 0.
    direction : tuple of -1, 0 or 1
        From the first block to the second.
    connectivity : int
        Voxels touch when they differ by at most 1 along at most so many axes.
    moving : tuple of bool, optional
        Along which axes they may differ: not along time.
    alike : tuple of ndarray, optional
        Of the shapes of ``first`` and ``second``: what must be equal where labels touch.

    Returns
    -------
    ndarray of uint32, shape (k, 2)

    Examples
    --------
    >>> first, second = np.array([[1, 2], [0, 3]]), np.array([[4, 0], [5, 5]])
    >>> touching_pairs(first, second, (0, 1), connectivity=1)
    array([[2, 4],
           [3, 5]], dtype=uint32)
    >>> touching_pairs(first, second, (0, 1), connectivity=2)
    array([[2, 4],
           [2, 5],
           [3, 4],
           [3, 5]], dtype=uint32)
    """
    faces = []
    for here, there in _contacts(direction, connectivity, moving or (True,) * len(direction)):
        one = first[here]
        if alike is not None:
            one = np.where(alike[0][here] == alike[1][there], one, 0)
        faces.append(overlap(one, second[there]).pairs)
    return as_rows(distinct(pack(*np.concatenate(faces).T)))


def _foreground(
    pairs: NDArray[np.uint64], lengths: NDArray[np.int64]
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Drop the pairs in which either label is background."""
    one, other = ends(pairs)
    kept = (one > 0) & (other > 0)
    return pairs[kept], lengths[kept]


def _sizes(labels: Labels) -> NDArray[np.int64]:
    return np.bincount(labels.reshape(-1))


def _best(
    one: NDArray[np.uint32], other: NDArray[np.uint32], iou: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Which pairs are the best of all with the same label in ``one``."""
    order = np.lexsort((other, -iou, one))
    best = np.zeros(len(one), bool)
    best[order] = np.diff(one[order], prepend=np.uint32(0)) != 0
    return best


def _at(owners: NDArray[np.integer], pieces: NDArray[np.uint32]) -> NDArray[np.integer]:
    """The labels of pieces, which count from 1."""
    return owners[pieces.astype(np.intp) - 1]


def _only_pieces(owners: NDArray[np.integer], labels: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """The piece of each label that has just one, else 0."""
    held = int(max(owners.max(initial=0), labels.max(initial=0)))
    counts = np.bincount(owners.astype(np.intp), minlength=held + 1)
    piece = np.zeros(held + 1, np.uint32)
    piece[owners] = np.arange(1, owners.size + 1)
    return np.where(counts == 1, piece, 0).astype(np.uint32)[labels]


def _contacts(
    direction: Direction, connectivity: int, moving: tuple[bool, ...]
) -> Iterator[tuple[tuple[slice, ...], tuple[slice, ...]]]:
    """Pairs of slices that lay the voxels of two blocks on those that they touch."""
    axes = zip(direction, moving, strict=True)
    shifts = product(*[(step,) if step or not moves else (-1, 0, 1) for step, moves in axes])
    for shift in shifts:
        if np.count_nonzero(shift) <= connectivity:
            yield (
                tuple(map(_facing, direction, shift)),
                tuple(_facing(-d, -s) for d, s in zip(direction, shift, strict=True)),
            )


def _facing(direction: int, shift: int) -> slice:
    """Along one axis, the voxels of a block that touch a voxel of the other by this shift."""
    if direction:
        return slice(-1, None) if direction > 0 else slice(0, 1)
    return (slice(None), slice(None, -1), slice(1, None))[shift]
