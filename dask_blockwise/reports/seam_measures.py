"""What a window of labels shows of the face of blocks in its middle."""

from __future__ import annotations

from dataclasses import dataclass

import fastremap
import numpy as np
from numpy.typing import NDArray

from ..labels.ids import check_labels
from ..labels.parts import connected_parts

Labels = NDArray[np.integer]

__all__ = ["Labels", "Planes", "counted", "named_alike", "parts", "planes"]

# A flat end has at least so many voxels along each axis of its plane, and at least such a share of
# the object's voxels so many layers before.
_LEAST_WIDTH = 4
_SHARE = 0.6
_LAYERS = 2
# Where there is background along a face, objects end just before it.
_NEAR = 1


@dataclass(frozen=True)
class Planes:
    """What planes across an axis of a window show; a face is in the middle of them."""

    # Share of voxel pairs across the plane whose labels differ.
    boundary: NDArray[np.float64]
    # Objects that end flat at the plane, and those that reach it, on either side.
    flat: NDArray[np.int64]
    objects: NDArray[np.int64]

    @property
    def face(self) -> int:
        """Which plane is the face."""
        return len(self.boundary) // 2

    def boundaries(self) -> tuple[float, float]:
        """Share of boundaries at the face, and the mean of the other planes, if there are any."""
        here, others = self.boundary[self.face], np.delete(self.boundary, self.face)
        return float(here), float(others.mean() if others.size else here)

    def flat_ends(self) -> tuple[float, float]:
        """Share of the objects that end flat within a voxel of the face, and of other planes."""
        flat, objects = self.cut_flat
        # Near the window's border, the layers before an end aren't seen.
        seen = np.arange(_LAYERS, len(self.flat) - _LAYERS)
        others = seen[abs(seen - self.face) > _NEAR]
        there = self.flat[others].sum() / max(1, self.objects[others].sum())
        return flat / max(1, objects), float((2 * _NEAR + 1) * there)

    @property
    def cut_flat(self) -> tuple[int, int]:
        """Objects that end flat within a voxel of the face, and those that reach it."""
        near = slice(self.face - _NEAR, self.face + _NEAR + 1)
        return int(self.flat[near].sum()), int(self.objects[near].max())


def parts(labels: Labels, corners: bool = True) -> NDArray[np.int64]:
    """The connected parts of each label, numbered 1..n; what joins them outside isn't seen.

    Examples
    --------
    >>> parts(np.array([[7, 0, 7, 8]]))
    array([[1, 0, 2, 3]])
    """
    check_labels(labels)
    return connected_parts(labels, corners).astype(np.int64)


def counted(labels: Labels) -> tuple[Labels, NDArray[np.int64], NDArray[np.int64]]:
    """The labels that there are, which of them each voxel has, and how many voxels each has.

    Examples
    --------
    >>> counted(np.array([7, 0, 7]))
    (array([0, 7]), array([1, 0, 1]), array([1, 2]))
    """
    names, which, voxels = fastremap.unique(labels, return_inverse=True, return_counts=True)
    # Counts without a sign would turn round where they are sorted downwards.
    return names, which.reshape(labels.shape).astype(np.int64), voxels.astype(np.int64)


def named_alike(labels: Labels, one_piece: Labels) -> NDArray[np.int64]:
    """Parts under the names of their partners: one to one, with the most voxels in common.

    Those without a partner get names that the other has not.

    Examples
    --------
    >>> named_alike(np.array([[1, 1, 1, 2]]), np.array([[0, 5, 5, 5]]))
    array([[5, 5, 5, 7]])
    """
    shared = _shared(labels, one_piece)
    from scipy.optimize import linear_sum_assignment

    own, partner = linear_sum_assignment(shared[1:, 1:], maximize=True)
    met = shared[1:, 1:][own, partner] > 0
    names = np.arange(len(shared)) + shared.shape[1] - 1
    names[own[met] + 1] = partner[met] + 1
    names[0] = 0
    alike: NDArray[np.int64] = names[labels]
    return alike


def planes(labels: Labels, axis: int) -> Planes:
    """Boundaries and flat ends of parts at all planes across an axis.

    An object ends flat at a plane when its last layer is nearly as large as one of some layers
    before.
    """
    layers = np.moveaxis(labels, axis, 0).reshape(labels.shape[axis], -1)
    area, least = _areas(layers), _LEAST_WIDTH ** (labels.ndim - labels.shape.count(1) - 1)
    after, before = _flat_ends(area, least), _flat_ends(area[::-1], least)[::-1]
    large = area >= least
    reach = large[:-1].sum(1) + large[1:].sum(1)
    return Planes((layers[1:] != layers[:-1]).mean(1), (after | before).sum(1), reach)


def _shared(labels: Labels, others: Labels) -> NDArray[np.int64]:
    """Voxels that each part has in common with each of the others."""
    pairs = (labels.reshape(-1), others.reshape(-1))
    from scipy.sparse import coo_array

    shared: NDArray[np.int64] = coo_array((np.ones(labels.size, np.int64), pairs)).toarray()
    return shared


def _areas(layers: Labels) -> NDArray[np.int64]:
    """Voxels of each object in each layer."""
    number = np.broadcast_to(np.arange(len(layers))[:, None], layers.shape)
    return _shared(number, layers)[:, 1:]


def _flat_ends(area: NDArray[np.int64], least: int) -> NDArray[np.bool_]:
    """For each plane and object, whether the object's layer before the plane is its flat end."""
    last, after = area[:-1], area[1:]
    earlier = np.zeros_like(last)
    earlier[_LAYERS:] = area[: -_LAYERS - 1]
    ends: NDArray[np.bool_] = (last >= least) & (after == 0)
    return ends & (earlier > 0) & (last >= _SHARE * earlier)
