"""Agglomerate: fragments become objects by the affinities between them, over the whole volume."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import get_args

import numpy as np

from ..labels.ids import check_min_size
from ..pipelines.stages import stage
from ..segmentation.affinities import check_scale
from ..segmentation.offsets import check_offsets
from ..volumes.few_values import check_not_flags, check_not_mask
from ..volumes.grey import check_not_grey
from ..volumes.same_place import in_units_of
from ..volumes.volume import Volume
from .agglomeration_rule import AgglomerationRule
from .kept import open_kept
from .partition import Method
from .relabelled import relabelled
from .rule import Rule

__all__ = ["agglomerate"]


@stage("segments")
def agglomerate(
    fragments: Volume | str | PathLike[str],
    affinities: Volume,
    *,
    offsets: Sequence[Sequence[int]] | None = None,
    method: Method | Rule = "mean",
    threshold: float | Sequence[float] = 0.5,
    min_size: int = 0,
    clip: bool = False,
    keep_scratch: bool = False,
) -> Volume:
    """One id for each object of the volume, from the affinities between fragments, lazily.

    Every pair of voxels that an affinity joins across two fragments is counted once, within blocks
    and across them; the graph of all fragments is solved at once; blocks write their final ids.
    Fragments are those of single blocks: a cell that several blocks see is put together by its
    affinities too. That graph is held in memory by one worker: some 80 bytes for each pair of
    fragments that meet and 5 GB more; with ``"multicut"``, 300 bytes a pair, and some 14 times the
    time. ``relabel`` streams its edges, and takes less than a quarter of it.

    Parameters
    ----------
    fragments : Volume of int, or path
        As for ``relabel``: from ``watershed`` or ``segment``, a stored volume, or the path of a
        scratch that was kept.
    affinities : Volume
        One channel an offset; float in [0, 1], or uint8, which stands for it.
    offsets : sequence of offsets
        One step an axis, in voxels, for each channel: direct neighbours (no component beyond
        -1..1) and longer ones. Not of a rule of one's own.
    method : "mean", "mutex" or "multicut", or a Rule
        ``"mean"``: the two neighbours with the highest mean affinity are merged, again and again,
        while that is above the threshold. ``"mutex"``: mean affinities are taken from the
        strongest to the weakest, and attract above the threshold or exclude below. ``"multicut"``:
        the sum of affinities over the threshold within objects is made as large as it gets. A
        `dask_blockwise.relabelling.rule.Rule` of one's own is given the affinities as its values,
        and needs none of the options.
    threshold : float, or one a channel
        Affinities above it hold together, below it push apart.
    min_size : int
        Objects of fewer voxels become background.
    clip : bool
        Whether affinities beyond [0, 1] count as 0 or 1, and NaN as 0; else a block that has some
        fails and says so.
    keep_scratch : bool
        Leave the labels of single blocks in ``<path>.scratch``, from which ``agglomerate`` and
        ``relabel`` make other objects without segmenting again.

    Returns
    -------
    Volume of uint64
        Ids 1..n in the order in which blocks first see them; 0 is background. The same for any
        number of workers. Each time point is agglomerated by itself.

    Raises
    ------
    ValueError
        If fragments, affinities, offsets and threshold don't fit one another.
    TypeError
        If the affinities are neither float nor uint8.

    References
    ----------
    `dask_blockwise.relabelling.partition.partition` names the methods' papers. Computed by
    bioimage-cpp.

    Examples
    --------
    >>> from dask_blockwise import open_volume
    >>> affinities = np.ones((1, 1, 6), np.float32)
    >>> affinities[0, 0, 3] = 0
    >>> volume = Volume.from_array(affinities, axes="cyx", chunks=(1, 1, 2))
    >>> fragments = Volume.from_array(np.array([[1, 1, 2, 3, 4, 4]]), chunks=(1, 2))
    >>> objects = agglomerate(fragments, volume, offsets=[(0, -1)])
    >>> _ = objects.to_zarr("agglomerated.zarr/ids", progress=False)
    >>> open_volume("agglomerated.zarr/ids")[:]
    array([[1, 1, 1, 2, 2, 2]], dtype=uint64)
    """
    volume = fragments if isinstance(fragments, Volume) else open_kept(fragments)
    affinities = in_units_of(affinities, volume.frame)
    _check_volumes(volume, affinities)
    if isinstance(method, Rule):
        return relabelled(volume, affinities, method, keep_scratch)
    _check_options(volume, affinities, offsets, method, threshold, min_size)
    steps = () if offsets is None else offsets
    rule = AgglomerationRule(
        method,
        tuple(tuple(map(int, offset)) for offset in steps),
        tuple(float(t) for t in np.broadcast_to(threshold, len(steps))),
        min_size,
        clip,
    )
    return relabelled(volume, affinities, rule, keep_scratch)


def _check_volumes(fragments: Volume, affinities: Volume) -> None:
    if fragments.dtype.kind not in "iu" or "c" in fragments.axes:
        raise ValueError(
            f"agglomerate needs fragments: integers without channels, got {fragments!r}. Make them "
            "with watershed(...)."
        )
    check_not_grey(fragments, "agglomerate", stacklevel=5)
    check_not_mask(fragments, "agglomerate")
    if "c" not in affinities.axes or affinities.placement.block_axes != fragments.axes:
        raise ValueError(
            f"agglomerate needs affinities with a channel for each offset, and else the axes of "
            f"the fragments, {fragments.axes}, got {affinities!r}."
        )
    if not affinities.frame.lies_as(fragments.frame):
        raise ValueError(
            f"Fragments and affinities must cover the same region in the same voxels, got "
            f"{fragments!r} and {affinities!r}: "
            f"{affinities.frame.how_to_lie_as(fragments.frame)}."
        )


def _check_options(
    fragments: Volume,
    affinities: Volume,
    offsets: Sequence[Sequence[int]] | None,
    method: str,
    threshold: float | Sequence[float],
    min_size: int,
) -> None:
    check_scale(affinities.dtype, affinities.frame.stands_for)
    check_not_flags(affinities)
    channels, space = affinities.frame.channels or 0, len(fragments.frame.space)
    check_offsets(offsets, channels, space, threshold)
    check_min_size(min_size)
    if method not in get_args(Method):
        raise ValueError(f"method must be one of {get_args(Method)}, got {method!r}.")
