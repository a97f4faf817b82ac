"""Segment: a function that labels objects, applied block by block."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.blocks import Roi
from ..labels.ids import check_min_size
from ..pipelines.stages import stage
from ..volumes.few_values import check_not_flags, seen_values
from ..volumes.frame import check_real
from ..volumes.grey import check_not_grey
from ..volumes.map_overlap import alike
from ..volumes.masks import check_within
from ..volumes.padding import Margin, halo_of
from ..volumes.volume import Volume
from . import components
from . import watershed as watershed_kernel
from .affinities import check_between, check_scale
from .function import Parameters, SegmentFunction
from .mutex_fragments import check_has_channels
from .offsets import check_offsets
from .segmented import Segmented
from .split_mask import mask_in
from .watershed import check_mutex, check_seeded, check_seeds

__all__ = ["connected_components", "segment", "watershed"]

# Arguments of `segment` and `watershed` that stand beside the function's.
_OWN = ("block_shape", "halo", "mask", "parameters", "roi")
# Parameters of a distance-seeded watershed that are checked together.
_OF_SEEDS = ("sigma", "max_distance", "backend")


@stage("fragments")
def segment(
    volume: Volume,
    function: Callable[..., NDArray[Any]] | str | os.PathLike[str],
    *,
    halo: Any,
    mask: Volume | None = None,
    roi: Roi | None = None,
    block_shape: Sequence[int] | None = None,
    parameters: Parameters | None = None,
    **more: Any,
) -> Volume:
    """Label objects by a function, lazily, each block with a halo around it.

    Parameters
    ----------
    volume : Volume
    function : callable, or path of a Python file that has ``segment_function``
        Called with an array of one time point, the `Block` where it takes one (its second
        parameter), ``mask`` where there is one, and the parameters; returns labels of the array's
        shape in space, 0 for background and none negative. The array can be indexed with
        ``block.read_roi``, as dacapo's segment functions do.
    halo : int, or one for each axis of space
        Voxels that a block reads beyond what it writes.
    mask : Volume, optional
    roi : Roi, optional
        What to label, in world units; all unless given. A halo may lie beyond it.
    block_shape : sequence of int, optional
    parameters : mapping, or YAML: a path or an open file
        Of the function; a file's ``default_parameters`` hold where none is given.
    **more
        Over those.

    Returns
    -------
    Volume of uint64
        Ids are local to a region request; stored, or by blocks of ``.data``, they are unique over
        the volume. ``relabel`` makes one id an object of them.

    Raises
    ------
    FileNotFoundError, AttributeError
        If there is no such file, or no ``segment_function`` in it.
    TypeError
        If the function has no such parameter, or one that it needs is missing.
    ValueError
        If the halo, mask or roi doesn't fit the volume.

    References
    ----------
    dacapo, ``dacapo/blockwise/segment_worker.py``.

    Examples
    --------
    >>> from scipy.ndimage import label
    >>> volume = Volume.from_array(np.array([[1, 1, 0, 1]], np.uint8), chunks=(1, 2))
    >>> labels = segment(volume, lambda array: label(array)[0], halo=1)
    >>> labels[:], labels.data.compute()
    (array([[1, 1, 0, 2]], dtype=uint64), array([[1, 1, 0, 3]], dtype=uint64))
    """
    called = SegmentFunction.of(function, parameters, mask is not None, _OWN, **more)
    return _labelled(called, volume, mask, halo, roi, block_shape)


@stage("fragments")
def watershed(
    affinities: Volume,
    *,
    offsets: Sequence[Sequence[int]] | None = None,
    bias: float | Sequence[float] = 0.5,
    halo: Any = 16,
    mask: Volume | None = None,
    block_shape: Sequence[int] | None = None,
    **parameters: Any,
) -> Volume:
    """Segment affinities by mutex watershed, or a map by distance-seeded watershed, lazily.

    Parameters
    ----------
    affinities : Volume
        One channel an offset, and others after them with ``more_channels=True``; uint8 stands for
        [0, 1]. With ``seeds="distance"`` the probability that a voxel is inside an object; or a
        mask of truth values, 0 and 1, or 0 and 255, which is split where it is narrow, and outside
        of which all is background, unless ``fill=True``. Of classes say which, ``classes == 1``.
    offsets : sequence of offsets
        One step an axis, in voxels, for each channel.
    bias : float, or one a channel
    halo : int, or one for each axis of space
        Seen around a region that is looked at, and around blocks whose labels are compared; not
        needed by ``relabel(match="mutex")``, which is the default for a mutex watershed.
    mask : Volume, optional
        0 where nothing is to be segmented.
    block_shape : sequence of int, optional
    **parameters
        Others of `dask_blockwise.segmentation.watershed.segment_function`, such as
        ``seeds="distance"``, which floods all that isn't masked unless ``fill=False`` leaves what
        is at most the bias background.

    Returns
    -------
    Volume of uint64

    Raises
    ------
    ValueError
        If offsets, bias or strides don't match the channels or axes, or seeds are sought in
        classes, or in bytes that are all the same wherever they were looked at.
    TypeError
        If there is no such parameter, or the values are neither float nor uint8.
    """
    of_distance = parameters.get("seeds") == "distance"
    mask_to_split = mask_in(affinities, parameters.get("fill")) if of_distance else None
    if mask_to_split is not None:
        affinities, parameters = mask_to_split, {"fill": False, **parameters}
    chosen = {"offsets": offsets, "bias": bias, "mask": mask, **parameters}
    function = watershed_kernel.segment_function
    # Which names a parameter that there isn't, before what is missing for want of it.
    labels = segment(affinities, function, halo=halo, block_shape=block_shape, **chosen)
    check_real(affinities.frame, "watershed")
    check_scale(affinities.dtype, affinities.frame.stands_for)
    check_between("bias", bias)
    check_seeds(parameters.get("seeds"))
    check_min_size(parameters.get("min_size", 0))
    channels, space = affinities.frame.channels or 1, len(affinities.frame.space)
    if parameters.get("seeds") is None:
        check_mutex(channels, space, {"offsets": offsets, "bias": bias, **parameters})
        check_has_channels(affinities.frame)
    else:
        seeded = {n: v for n, v in parameters.items() if n in _OF_SEEDS}
        check_seeded(bias, **seeded)
        _check_one_map(affinities, offsets)
        if offsets is not None:
            check_offsets(offsets, channels, space, bias)
    check_not_flags(affinities)
    return labels


def _check_one_map(volume: Volume, offsets: Sequence[Sequence[int]] | None) -> None:
    if len(volume.frame.space) == 1:
        raise ValueError(
            f"seeds='distance' needs two or three axes of space, got {volume!r}: give a line a "
            "second axis, Volume.from_array(volume.data[None], ...)."
        )
    if offsets is None and volume.frame.channels is not None:
        raise ValueError(
            f"seeds='distance' looks at one map, or at affinities with their offsets=, got "
            f"{volume!r}: choose a channel, volume.isel(c=0), or give the offsets."
        )
    unsaid = volume.dtype == np.uint8 and volume.frame.stands_for is None
    if offsets is None and unsaid and (seen := seen_values(volume)) is not None:
        warnings.warn(
            f"seeds='distance' splits a mask, or a map of what is inside objects, and {volume!r} "
            f"holds bytes such as {seen[seen.size // 2]}, of which it isn't known what they stand "
            "for: they are taken for probabilities from 0 to 255. If they are, say so, "
            "open_volume(path, stands_for=(0, 1)); of an image make a mask first, such as by "
            "threshold.",
            stacklevel=4,
        )


@stage("fragments")
def connected_components(
    mask: Volume,
    *,
    connectivity: int = 1,
    each_value: bool = False,
    halo: Any = 0,
    block_shape: Sequence[int] | None = None,
) -> Volume:
    """Label the connected components of a mask, or of each label of a volume, lazily.

    With ``relabel(..., match="touch")`` they are exactly those of the whole volume.

    Parameters
    ----------
    mask : Volume of bool or int
    connectivity : int
        Voxels are neighbours when they differ by 1 along at most so many axes. ``relabel`` takes it
        over; of labels that are stored and opened again it can't know it.
    each_value : bool
        Whether touching voxels of different values are different objects, as in cc3d; else all
        that aren't 0 are alike.
    halo : int, or one for each axis of space
    block_shape : sequence of int, optional

    Returns
    -------
    Volume of uint64

    Raises
    ------
    TypeError
        If the values aren't truth values or integers, or there are channels.
    ValueError
        If the connectivity isn't between 1 and the number of axes of space.
    """
    if mask.dtype.kind not in "bui" or "c" in mask.axes:
        raise TypeError(
            f"connected_components needs a mask or labels: truth values or integers without "
            f"channels, got {mask!r}. Apply threshold or argmax first."
        )
    alike_but_0 = "all that isn't 0 for objects"
    takes = {} if each_value else {"takes": alike_but_0}
    check_not_grey(mask, "connected_components", stacklevel=4, **takes)
    components.check_connectivity(connectivity, len(mask.frame.space))
    function = SegmentFunction.of(
        components.segment_function, connectivity=connectivity, each_value=each_value
    )
    return _labelled(function, mask, None, halo, None, block_shape)


def _labelled(
    function: SegmentFunction,
    volume: Volume,
    mask: Volume | None,
    halo: Any,
    roi: Roi | None,
    block_shape: Sequence[int] | None,
) -> Volume:
    axes = len(volume.frame.space)
    if mask is not None:
        check_within(mask)
    inputs = volume, *alike(volume, () if mask is None else (mask,))
    margin = Margin(halo_of(halo, axes), ("none",) * axes)
    begin, end = volume.frame.voxels(roi or volume.roi)
    whole = replace(volume.frame.with_values(np.uint64, channels=None), names=True)
    frame = whole.box(begin, tuple(np.subtract(end, begin).tolist()))
    block = whole.checked_block(block_shape)
    connectivity, apart = _of_components(function)
    segmented = Segmented(
        frame=frame.with_block(tuple(min(b, n) for b, n in zip(block, frame.extent))),
        inputs=inputs,
        function=function,
        margin=margin,
        origin=begin,
        apart=apart,
        connectivity=connectivity,
    )
    return Volume(segmented.frame, segmented)


def _of_components(function: SegmentFunction) -> tuple[int | None, bool]:
    """Connectivity of connected components, and whether each value is apart; also by their file."""
    if function.plain is not components.segment_function:
        return None, False
    given = function.parameters
    return given.get("connectivity", 1), given.get("each_value", False)
