"""A segment function: mutex watershed on affinities, or distance-seeded watershed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any, Literal, get_args

import fastremap
import numpy as np
from numpy.typing import NDArray

from ..geometry.blocks import Block
from ..labels.ids import check_min_size
from .affinities import as_unit, check_between, check_scale, check_unit, clipped
from .distance import Backend, distance_watershed
from .mutex import Attract, MutexEdges, Offsets, are_nearest

__all__ = ["check_mutex", "check_offsets", "check_seeded", "check_seeds", "segment_function"]


def segment_function(
    input_array: NDArray[Any],
    block: Block | None = None,
    offsets: Offsets | None = None,
    bias: float | Sequence[float] = 0.5,
    *,
    attract: Attract = "all",
    strides: Sequence[int] | None = None,
    mask: NDArray[Any] | None = None,
    min_size: int = 0,
    filter_fragments: bool = True,
    seeds: Literal["distance"] | None = None,
    sigma: float = 2.0,
    max_distance: float | None = None,
    fill: bool = True,
    backend: Backend = "bioimage-cpp",
    more_channels: bool = False,
    clip: bool = False,
) -> NDArray[np.uint64]:
    """Segment affinities by mutex watershed, or a map by distance-seeded watershed.

    Mutex watershed (``seeds=None``): the affinity of ``offsets[c]`` at voxel ``v`` says how sure
    it is that ``v`` and ``v + offsets[c]`` are in one object. The bias is subtracted, then edges
    are taken from the strongest to the weakest. With ``attract="all"``, as in dacapo, an offset of
    any length joins its voxels above the bias and keeps them apart below it. With ``"nearest"``,
    as Wolf et al. have it, nearest-neighbour offsets (no component beyond -1..1) join, longer ones
    keep apart: objects are connected, it is faster and takes half the memory. A voxel to which
    nothing that joins has an affinity above the bias is background. On clean affinities the
    partitions are equal.

    Distance-seeded watershed (``seeds="distance"``): seeds are maxima of the smoothed distance to
    the nearest boundary, and flood the object from there. The input is the probability that a
    voxel is inside an object, or, with offsets, affinities: the smallest of a voxel's affinities
    to its nearest neighbours counts as that probability.

    Parameters
    ----------
    input_array : ndarray, shape (c, z, y, x) or (c, y, x), or without c for one map
        Float in [0, 1], or uint8, which stands for [0, 1] in steps of 1/255.
    block : Block, optional
        Not used: the result depends on the values alone.
    offsets : sequence of c offsets, one step an axis in voxels
    bias : float, or one a channel
        Affinities above it hold together, below it push apart. For ``seeds="distance"``: what is
        at most this is boundary.
    attract : "all" or "nearest"
        Which offsets may join voxels.
    strides : sequence of int, optional
        Take edges that aren't nearest neighbours' at every so many voxels an axis alone: faster,
        less splitting.
    mask : ndarray, shape (z, y, x) or (y, x), optional
        Voxels where it is 0 become background.
    min_size : int
        Fragments of fewer voxels become background.
    filter_fragments : bool
        Fragments whose mean affinity (over all offsets) is under the bias become background.
    seeds : None or "distance"
    sigma : float
        Of the Gaussian that smooths the distances before maxima are sought, in voxels: larger
        gives fewer seeds.
    max_distance : float, optional
        Distances above it count as this, in voxels: all that is further inside of an object is one
        seed. So seeds depend on what is near, and thick objects aren't cut. With a halo larger than
        ``max_distance + 8 * sigma`` and ``relabel(match="fraction")``, labels by blocks are nearly
        those of the whole volume, unless wide boundaries are flooded.
    fill : bool
        For ``seeds="distance"``: flood the boundary too, so that objects touch.
    backend : "bioimage-cpp" or "skimage"
        Who floods from seeds; where several objects are equally near, they may differ.
    more_channels : bool
        Whether channels without an offset may follow those with one, such as local shape
        descriptors; they are left out, as in dacapo.
    clip : bool
        Whether values beyond [0, 1] count as 0 or 1, and NaN as 0; else they are refused.

    Returns
    -------
    ndarray of uint64, shape (z, y, x) or (y, x)
        0 is background. The same input gives the same labels.

    Raises
    ------
    ValueError
        If channels, offsets, bias, strides, mask or axes don't fit each other, or values aren't in
        [0, 1].
    TypeError
        If the values are neither float nor uint8.

    References
    ----------
    Wolf et al., "The Mutex Watershed and its Objective", 2019; dacapo/blockwise/
    watershed_function.py. Seeds are flooded by bioimage-cpp.

    Examples
    --------
    >>> affinities = np.ones((2, 1, 6), np.float32)
    >>> affinities[0, 0, 3] = affinities[1, 0, 3:5] = 0
    >>> segment_function(affinities, offsets=[(0, -1), (0, -2)])
    array([[1, 1, 1, 2, 2, 2]], dtype=uint64)
    """
    check_scale(input_array.dtype)
    check_seeds(seeds)
    if more_channels:
        input_array = input_array[: len(() if offsets is None else offsets)]
    if not clip:
        check_unit(input_array)
    inside_mask = None if mask is None else np.asarray(mask) != 0
    check_min_size(min_size)
    if seeds == "distance":
        check_seeded(bias, sigma, max_distance)
        inside = _inside(input_array, offsets, clip)
        _check_mask(mask, inside.shape)
        boundary = np.asarray(bias).item()
        labels = distance_watershed(
            inside, boundary, sigma, inside_mask, fill, backend, max_distance
        )
    else:
        parameters = {
            "offsets": offsets,
            "bias": bias,
            "attract": attract,
            "strides": strides,
            "clip": clip,
        }
        check_mutex(input_array.shape[0], input_array.ndim - 1, parameters)
        _check_mask(mask, input_array.shape[1:])
        edges = MutexEdges.of(parameters)
        labels = _mutex(edges, input_array, inside_mask, filter_fragments)
    return _without_small(labels, min_size)


def check_seeds(seeds: Any) -> None:
    """Refuse seeds that there aren't.

    Raises
    ------
    ValueError
    """
    if seeds not in (None, "distance"):
        raise ValueError(f"seeds must be None (mutex watershed) or 'distance', got {seeds!r}.")


def check_seeded(
    bias: float | Sequence[float] = 0.5, sigma: float = 2.0, max_distance: float | None = None
) -> None:
    """Refuse parameters of a distance-seeded watershed that make no sense.

    Raises
    ------
    ValueError
    """
    if np.ndim(bias):
        raise ValueError(f"seeds='distance' takes a single bias, got {bias}.")
    check_between("bias", bias)
    if not isinstance(sigma, Real) or not 0 <= sigma < np.inf:
        raise ValueError(f"sigma must be a number of voxels from 0 up, got {sigma!r}.")
    if max_distance is not None and not (isinstance(max_distance, Real) and max_distance > 0):
        raise ValueError(f"max_distance must be above 0 voxels or None, got {max_distance!r}.")


def check_mutex(channels: int, axes: int, parameters: Mapping[str, Any]) -> None:
    """Refuse parameters of a mutex watershed that don't fit so many channels and axes.

    Raises
    ------
    ValueError
    """
    offsets = parameters.get("offsets")
    if parameters.get("more_channels") and offsets is not None:
        channels = min(channels, len(offsets))
    bias, strides = parameters.get("bias", 0.5), parameters.get("strides")
    check_offsets(offsets, channels, axes, bias, strides)
    _check_attract(parameters.get("attract", "all"))


def check_offsets(
    offsets: Offsets | None,
    channels: int,
    axes: int,
    bias: float | Sequence[float] = 0.5,
    strides: Sequence[int] | None = None,
) -> None:
    """Refuse offsets, bias and strides that don't fit the affinities.

    Raises
    ------
    ValueError
        If there isn't one offset a channel and one step an axis, if no offset attracts, if there
        are several biases but not one a channel, or one beyond [0, 1], or strides that are not one
        positive int an axis.
    """
    if offsets is None or len(offsets) != channels:
        given = "none" if offsets is None else str(len(offsets))
        one = " Or name the axis of channels. Or give seeds='distance' where this is a mask or map."
        raise ValueError(
            f"The affinities have {channels} channels, so watershed needs {channels} offsets, got "
            f"{given}: give one offset for each channel, in the channels' order (or take the "
            "channels that have offsets first). Where others follow them, such as local shape "
            "descriptors, more_channels=True leaves these out." + (one if channels == 1 else "")
        )
    if any(len(o) != axes or not all(isinstance(n, Integral) for n in o) for o in offsets):
        raise ValueError(
            f"An offset is a whole number of voxels for each of the {axes} axes, got {[*offsets]}."
        )
    if not any(are_nearest(offsets)):
        raise ValueError(
            f"No offset of {list(offsets)} is a nearest neighbour (all steps within -1..1), so "
            "nothing would hold voxels together: include the affinities to direct neighbours, and "
            "give steps in voxels, not in the world's units."
        )
    if np.ndim(bias) and np.shape(bias) != (channels,):
        raise ValueError(
            f"bias must be one number or one for each of the {channels} offsets, got {bias}."
        )
    check_between("bias or threshold", bias)
    if strides is not None and (
        np.ndim(strides) != 1 or len(strides) != axes or any(n < 1 or n % 1 for n in strides)
    ):
        raise ValueError(
            f"strides must be a positive integer for each of the {axes} axes, got {strides}."
        )


def _check_mask(mask: NDArray[Any] | None, shape: tuple[int, ...]) -> None:
    if mask is not None and mask.shape != shape:
        raise ValueError(
            f"The mask has shape {mask.shape}, the volume {shape} without its channels: cut the "
            "mask to the same region."
        )


def _check_attract(attract: str) -> None:
    if attract not in get_args(Attract):
        raise ValueError(f"attract must be 'all' or 'nearest', got {attract!r}.")


def _mutex(
    edges: MutexEdges,
    affinities: NDArray[Any],
    mask: NDArray[np.bool_] | None,
    filter_fragments: bool,
) -> NDArray[np.uint64]:
    """Objects of a mutex watershed, numbered as they first appear."""
    weights = edges.weights(affinities)
    whole = tuple(slice(0, n) for n in weights.shape[1:])
    labels, _ = fastremap.renumber(edges.labels(weights, whole, (0,) * len(whole), mask))
    labels = labels.astype(np.uint64)
    return _without_weak(labels, edges.over_bias(weights)) if filter_fragments else labels


def _without_weak(labels: NDArray[np.uint64], affinity: NDArray[np.float64]) -> NDArray[np.uint64]:
    """Set fragments to 0 whose mean affinity is under the bias."""
    return _keep(labels, np.bincount(_countable(labels), weights=affinity.ravel()) >= 0)


def _without_small(labels: NDArray[np.uint64], min_size: int) -> NDArray[np.uint64]:
    if min_size <= 1:
        return labels
    return _keep(labels, np.bincount(_countable(labels)) >= min_size)


def _countable(labels: NDArray[np.uint64]) -> NDArray[np.int64]:
    """As numpy before 2.4 counts them."""
    return labels.ravel().view(np.int64)


def _keep(labels: NDArray[np.uint64], kept: NDArray[np.bool_]) -> NDArray[np.uint64]:
    table = np.where(kept, np.arange(len(kept)), 0).astype(np.uint64)
    table[:1] = 0
    return table[labels]


def _inside(array: NDArray[Any], offsets: Offsets | None, clip: bool) -> NDArray[np.float32]:
    """Probability that a voxel is inside an object."""
    if offsets is None:
        return as_unit(array, clip)
    check_offsets(offsets, array.shape[0], array.ndim - 1)
    nearest = array[np.array(are_nearest(offsets))]
    return as_unit((clipped(nearest) if clip else nearest).min(0))
