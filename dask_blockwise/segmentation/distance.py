"""Distance-seeded watershed: what is furthest from a boundary floods its object."""

from __future__ import annotations

from typing import Literal, get_args

import bioimage_cpp
import numpy as np
from numpy.typing import NDArray

from ..labels.parts import connected_parts

Backend = Literal["bioimage-cpp", "skimage"]

__all__ = ["Backend", "check_backend", "distance_watershed"]


def distance_watershed(
    inside: NDArray[np.float32],
    bias: float,
    sigma: float,
    mask: NDArray[np.bool_] | None,
    fill: bool,
    backend: Backend,
    max_distance: float | None = None,
) -> NDArray[np.uint64]:
    """Flood from the maxima of the smoothed distance to the nearest boundary.

    Parameters
    ----------
    inside : ndarray of float32
        Probability that a voxel is inside an object; at most the bias is boundary.
    bias : float
    sigma : float
        Of the Gaussian that smooths the distances, in voxels.
    mask : ndarray of bool, optional
        Where it is False nothing is labelled.
    fill : bool
        Whether the boundary is flooded too.
    backend : "bioimage-cpp" or "skimage"
    max_distance : float, optional
        Smoothed distances above it count as this, in voxels: what is further inside is one seed.

    Returns
    -------
    ndarray of uint64

    Raises
    ------
    ValueError
        If there is no such backend.

    Examples
    --------
    >>> inside = np.array([[1, 1, 1, 0, 1, 1, 1]], np.float32)
    >>> distance_watershed(inside, 0.5, 0, None, False, "bioimage-cpp")
    array([[1, 1, 1, 0, 2, 2, 2]], dtype=uint64)
    """
    objects = inside > bias
    if mask is not None:
        objects &= mask
    distance = bioimage_cpp.distance.distance_transform(objects)
    seeds = _maxima(distance, objects, sigma, max_distance)
    # Distances inside, probabilities outside: one landscape, lowest at the seeds, the same
    # whatever the region it is computed on.
    height = np.where(objects, -distance, 1 - inside)
    return _flood(height, seeds, mask if fill else objects, backend).astype(np.uint64)


def check_backend(backend: Backend) -> None:
    """Refuse a backend that there isn't.

    Raises
    ------
    ValueError
    """
    if backend not in get_args(Backend):
        raise ValueError(f"backend must be 'bioimage-cpp' or 'skimage', got {backend!r}.")


def _maxima(
    distance: NDArray[np.float32],
    objects: NDArray[np.bool_],
    sigma: float,
    max_distance: float | None,
) -> NDArray[np.int32]:
    """Numbered local maxima of the smoothed distance."""
    from scipy import ndimage

    smooth = bioimage_cpp.filters.gaussian_smoothing(distance, sigma) if sigma else distance
    if max_distance is not None:
        smooth = np.minimum(smooth, max_distance)
    around = 2 * max(1, round(sigma)) + 1
    peaks = (smooth == ndimage.maximum_filter(smooth, around, mode="nearest")) & objects
    parts, parts_count = ndimage.label(objects)
    # Maxima that touch are one seed, but not those of two objects that meet at a corner.
    seeds = connected_parts(np.where(peaks, parts, 0))
    count = int(seeds.max(initial=0))
    # Smoothing moves the maximum of a small object out of it; such an object is its own seed.
    without = np.ones(parts_count + 1, bool)
    without[parts[peaks]] = without[0] = False
    labels: NDArray[np.int32] = np.where(without[parts], parts + count, seeds)
    return labels.astype(np.int32, copy=False)


def _flood(
    height: NDArray[np.float32],
    seeds: NDArray[np.int32],
    mask: NDArray[np.bool_] | None,
    backend: Backend,
) -> NDArray[np.int32]:
    check_backend(backend)
    if backend == "bioimage-cpp":
        watershed = bioimage_cpp.segmentation.watershed
    else:
        from skimage.segmentation import watershed
    labels: NDArray[np.int32] = watershed(height, seeds, mask=mask)
    return labels
