"""Relabel: one id for each object of the volume, from labels that blocks made by themselves."""

from __future__ import annotations

from os import PathLike
from typing import get_args

import numpy as np

from ..segmentation.segmented import SegmentVolume
from ..volumes.volume import Volume
from .kept import KeptFragments
from .match_rule import Match, MatchRule
from .relabelled import RelabelVolume

__all__ = ["relabel"]


def relabel(
    fragments: Volume | str | PathLike[str],
    *,
    match: Match = "iou",
    min_iou: float = 0.5,
    min_fraction: float = 0.9,
    connectivity: int = 1,
    min_size: int = 0,
    keep_scratch: bool = False,
) -> RelabelVolume:
    """One id for each object of the volume, from labels made block by block, lazily.

    Parameters
    ----------
    fragments : Volume of int, or path
        From ``segment``, ``watershed`` or ``connected_components``; or a stored one, of which the
        blocks are its shards or chunks, and its labels those of each block by itself; or the path
        of the scratch that an earlier relabelling has kept, of which the labels are taken as they
        are, so that another rule costs no segmenting.
    match : "iou", "fraction" or "touch"
        When labels of neighbouring blocks are one object. ``"iou"``: each is the other's best
        partner on the voxels that both blocks saw. ``"fraction"``: within two voxels of the face
        between the blocks, the smaller lies in the other, so that an object that one block sees
        in several parts becomes one. ``"touch"``: they touch at the face.
    min_iou : float
        For ``"iou"``: the least intersection over union.
    min_fraction : float
        For ``"fraction"``: the least part of the smaller label that both share.
    connectivity : int
        Blocks, and for ``"touch"`` voxels, are neighbours across faces (1), edges (2), corners (3).
    min_size : int
        Objects of fewer voxels become background.
    keep_scratch : bool
        Leave the labels of single blocks, their sizes, edges and table in ``<path>.scratch``, from
        which ``relabel("<path>.scratch", ...)`` makes other objects; the same labels relabelled by
        another rule to the same path are not segmented again either.

    Returns
    -------
    RelabelVolume of uint64
        Ids 1..n in the order in which blocks first see them; 0 is background. Each time point is
        relabelled by itself.

    Raises
    ------
    ValueError
        If the fragments have channels, no halo to compare in, or a number is out of range; or if
        a scratch lacks blocks.
    FileNotFoundError
        If there is no scratch at a path.

    Notes
    -----
    Where a label's part in the block's own voxels is held together by the halo alone, its pieces
    are matched one by one: only those are linked that touch what the label matches. So what a
    block fuses outside of its own voxels does not fuse objects.

    Examples
    --------
    >>> from dask_blockwise import connected_components, open_volume
    >>> mask = np.array([[1, 1, 1, 1, 0, 1]], np.uint8)
    >>> volume = Volume.from_array(mask, chunks=(1, 2))
    >>> objects = relabel(connected_components(volume), match="touch", keep_scratch=True)
    >>> _ = objects.to_zarr("objects.zarr/ids", progress=False)
    >>> open_volume("objects.zarr/ids")[:]
    array([[1, 1, 1, 1, 0, 2]], dtype=uint64)

    The same labels by another rule, without segmenting again:

    >>> large = relabel("objects.zarr/ids.scratch", match="touch", min_size=2)
    >>> _ = large.to_zarr("objects.zarr/large", progress=False)
    >>> open_volume("objects.zarr/large")[:]
    array([[1, 1, 1, 1, 0, 0]], dtype=uint64)
    """
    rule = MatchRule(match, min_iou, min_fraction, connectivity, min_size)
    volume = fragments if isinstance(fragments, Volume) else KeptFragments.at(fragments)
    _check_rule(rule, volume)
    apart = match == "touch" and isinstance(volume, SegmentVolume) and volume.apart
    return RelabelVolume(
        shape=volume.shape,
        dtype=np.dtype(np.uint64),
        placement=volume.placement,
        chunks=volume.block_shape,
        inputs=(volume, volume.inputs[0]) if apart else (volume,),
        rule=rule,
        keep_scratch=keep_scratch,
    )


def _check_rule(rule: MatchRule, fragments: Volume) -> None:
    if fragments.dtype.kind not in "iu" or "c" in fragments.axes:
        raise ValueError(
            f"relabel needs labels: integers without channels, got {fragments!r}. Segment it first."
        )
    space = sum(axis != "t" for axis in fragments.axes)
    if rule.match not in get_args(Match):
        raise ValueError(f"match must be one of {get_args(Match)}, got {rule.match!r}.")
    if not 0 < min(rule.min_iou, rule.min_fraction) <= max(rule.min_iou, rule.min_fraction) <= 1:
        raise ValueError(
            f"min_iou and min_fraction must be in (0, 1], got {rule.min_iou}, {rule.min_fraction}."
        )
    if not 1 <= rule.connectivity <= space or rule.min_size < 0:
        raise ValueError(
            f"connectivity must be in 1..{space} and min_size at least 0, got "
            f"{rule.connectivity} and {rule.min_size}."
        )
    if rule.match != "touch" and not _seen_twice(fragments):
        raise ValueError(
            f'match="{rule.match}" compares labels on voxels that two blocks saw, but these '
            "fragments have no halo: segment with halo=(16, 16, 16) or the like, or use "
            'match="touch".'
        )
    if rule.match == "touch" and isinstance(fragments, KeptFragments) and fragments.apart:
        raise ValueError(
            'match="touch" needs the values that kept these components apart, which a scratch '
            "does not hold: relabel(connected_components(volume, each_value=True)) anew."
        )


def _seen_twice(fragments: Volume) -> bool:
    if isinstance(fragments, KeptFragments):
        return any(map(any, fragments.grid.halo))
    return isinstance(fragments, SegmentVolume) and any(map(any, fragments.halo))
