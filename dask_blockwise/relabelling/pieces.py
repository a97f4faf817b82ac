"""What of a block's labels is its own: the pieces that its core holds, joined within the core."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..labels.ids import Labels, apply_table, compact, numbered_on
from ..labels.parts import connected_parts
from .pairs import firsts

__all__ = ["Pieces", "cut", "ids_of", "labels_seen"]


@dataclass(frozen=True)
class Pieces:
    """A block's labels, cut into pieces where only its halo holds them together.

    Parameters
    ----------
    values
        uint32, of the labels' shape: in the core pieces 1..n, around it n + label; 0 is background.
    owners
        Shape ``(n,)``, uint32: the label, from 1, that each piece is of.
    sizes
        Shape ``(n,)``, int64: voxels of each piece.
    ids
        Shape ``(n,)``, uint64: the id that each piece came with, where labels weren't made for the
        block.
    within
        uint64: what of the rule's edges lies within the block, where the labels came with it.
    """

    values: NDArray[np.uint32]
    owners: NDArray[np.uint32]
    sizes: NDArray[np.int64]
    ids: NDArray[np.uint64] | None = None
    within: NDArray[np.uint64] | None = None


def cut(labels: Labels, core: tuple[slice, ...], points: bool = False) -> Pieces:
    """Cut labels into what their block itself holds together.

    A label that leaves the core and comes back may have fused two objects out there, where the
    block knows least; whether its pieces are one object is for the neighbours to say. A label that
    is in several parts even with the halo was made so, and stays one.

    Parameters
    ----------
    labels : ndarray of int
        Any ids; 0 is background.
    core : tuple of slice
        The part of the array that is the block's own.
    points : bool
        Whether the first axis is time.

    Examples
    --------
    >>> arch = np.array([[1, 1, 1, 0], [1, 0, 1, 0], [1, 0, 1, 2]])
    >>> cut(arch, (slice(1, 3), slice(0, 4)))
    Pieces(values=array([[4, 4, 4, 0],
           [2, 0, 3, 0],
           [2, 0, 3, 1]], dtype=uint32), owners=array([2, 1, 1], dtype=uint32),
           sizes=array([1, 2, 2]), ids=None, within=None)
    """
    if points:
        labels = numbered_on([compact(point, core[1:])[0] for point in labels])
    numbers, sizes = compact(labels, core)
    if numbers[core].size == numbers.size:
        # There is no halo that could have fused anything.
        return Pieces(numbers, np.arange(1, sizes.size + 1, dtype=np.uint32), sizes)
    parts = _parts(numbers[core], points)
    owners = _owners(parts, numbers[core])
    several = np.bincount(owners, minlength=sizes.size + 1) > 1
    if several.any():
        made_so = np.bincount(_owners(_parts(numbers, points), numbers)) > 1
        several[made_so[: several.size]] = False
    keys = np.where(several[owners], sizes.size + np.arange(1, owners.size + 1), owners)
    found, piece = np.unique(keys, return_inverse=True)
    values = np.where(numbers > 0, numbers + np.uint32(found.size), np.uint32(0))
    values[core] = apply_table(parts, np.concatenate([[0], piece + 1]).astype(np.uint32))
    held = np.bincount(values[core].ravel(), minlength=found.size + 1)[1:]
    owner = np.empty(found.size, np.uint32)
    owner[piece] = owners
    return Pieces(values, owner, held)


def ids_of(pieces: Pieces, labels: Labels) -> NDArray[np.uint64]:
    """The id that each piece came with, of labels without a halo.

    Examples
    --------
    >>> labels = np.array([[0, 70, 70, 50]])
    >>> ids_of(cut(labels, (slice(0, 1), slice(0, 4))), labels)
    array([70, 50], dtype=uint64)
    """
    values = pieces.values.reshape(-1)
    # Few runs tell as much as all voxels.
    runs = np.flatnonzero(firsts(values))
    ids = np.zeros(pieces.sizes.size + 1, np.uint64)
    ids[values[runs]] = labels.reshape(-1)[runs]
    return ids[1:]


def labels_seen(values: Labels, owners: NDArray[np.integer]) -> NDArray[np.uint32]:
    """The labels, from 1, of which a block's values are pieces.

    Examples
    --------
    >>> labels_seen(np.array([0, 1, 2, 3, 4, 5]), np.array([1, 1, 2]))
    array([0, 1, 1, 2, 1, 2], dtype=uint32)
    """
    beyond = max(0, int(values.max(initial=0)) - owners.size)
    table = np.concatenate([[0], owners, np.arange(1, beyond + 1)])
    return np.asarray(apply_table(values, table.astype(np.uint32)), np.uint32)


def _parts(labels: NDArray[np.uint32], points: bool) -> NDArray[np.uint32]:
    """Connected components of each label, numbered from 1 in one array."""
    if points:
        return numbered_on([_parts(point, False) for point in labels])
    return connected_parts(labels)


def _owners(parts: NDArray[np.uint32], numbers: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """The label of each part, from the first."""
    owners = np.zeros(int(parts.max(initial=0)) + 1, np.uint32)
    owners[parts.ravel()] = numbers.ravel()
    return owners[1:]
