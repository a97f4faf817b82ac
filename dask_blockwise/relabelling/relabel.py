"""Relabel: one id for each object of the volume, from labels that blocks made by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from numbers import Real
from os import PathLike
from typing import Literal

from ..labels.ids import check_min_size
from ..pipelines.stages import stage
from ..segmentation.mutex_fragments import MutexFragments
from ..volumes.few_values import check_not_mask
from ..volumes.grey import check_not_grey
from ..volumes.kinds import Checkpoint
from ..volumes.source import Voxels
from ..volumes.volume import Volume
from .fragments import are_as_stored, connectivity_of, halo_of, kept_apart_by, labelled_by
from .kept import Kept, open_kept
from .match_rule import ByFraction, ByIou, ByTouch, Matcher, MatchRule
from .mutex_rule import MutexRule
from .relabelled import relabelled
from .rule import Rule

__all__ = ["relabel"]

Match = Literal["mutex", "iou", "fraction", "touch"]

# What decides beside the fragments themselves, for each way to match.
_DECIDES: dict[str, tuple[str, ...]] = {
    "mutex": (),
    "iou": ("min_iou", "connectivity"),
    "fraction": ("min_fraction", "connectivity"),
    "touch": ("connectivity",),
}
# Of a volume whose graph one worker can hold, at some 42 bytes a voxel, if it has 360 GB.
_MOST_VOXELS = 1 << 33


@stage("segments")
def relabel(
    fragments: Volume | str | PathLike[str],
    *,
    match: Match | Rule | None = None,
    min_iou: float | None = None,
    min_fraction: float | None = None,
    connectivity: int | None = None,
    min_size: int = 0,
    keep_scratch: bool = False,
) -> Volume:
    """One id for each object of the volume, from labels made block by block, lazily.

    Parameters
    ----------
    fragments : Volume of int, or path
        From ``segment``, ``watershed`` or ``connected_components``; or a stored one, of which the
        blocks are its shards or chunks, and its labels those of each block by itself, under ids of
        its own (for labels of the whole volume there is ``renumber``); or the path of the scratch
        that an earlier relabelling has kept, of which the labels are taken as they are, so that
        another rule costs no segmenting.
    match : "mutex", "iou", "fraction" or "touch", or a Rule, optional
        When labels of neighbouring blocks are one object. ``"mutex"``, for a mutex watershed: as
        if it had seen the whole volume at once, voxel by voxel, whatever the blocks and the halo.
        ``"iou"``: each is the other's best partner on the voxels that both blocks saw.
        ``"fraction"``: within two voxels of the face between the blocks, the smaller lies in the
        other, so that an object that one block sees in several parts becomes one. ``"touch"``: they
        touch at the face, which is exact for connected components. Or a
        `dask_blockwise.relabelling.rule.Rule` of one's own, which then needs none of the options.
        Unless given, ``"mutex"`` for what ``watershed`` makes of affinities, ``"touch"`` for
        connected components, and ``"iou"`` for all others.
    min_iou : float, optional
        For ``"iou"``: the least intersection over union; 0.5 unless given.
    min_fraction : float, optional
        For ``"fraction"``: the least part of the smaller label that both share; 0.9 unless given.
    connectivity : int, optional
        Blocks, and for ``"touch"`` voxels, are neighbours across faces (1), edges (2), corners (3).
        Unless given that of the connected components that the fragments are, else 1; labels that
        were stored and opened again don't know it.
    min_size : int
        Objects of fewer voxels become background.
    keep_scratch : bool
        Leave the labels of single blocks, their sizes, edges and table in ``<path>.scratch``, from
        which ``relabel("<path>.scratch", ...)`` makes other objects; the same labels relabelled by
        another rule to the same path are not segmented again either.

    Returns
    -------
    Volume of uint64
        Ids 1..n in the order in which blocks first see them; 0 is background. Each time point is
        relabelled by itself.

    Raises
    ------
    ValueError
        If the fragments have channels, no halo to compare in, or are connected components of
        another connectivity; if a number is out of range, or is given that the rule has no use for;
        or a scratch lacks blocks.
    FileNotFoundError
        If there is no scratch at a path.

    Notes
    -----
    For ``"mutex"`` a block does not label what it sees, but merges those of its voxels which the
    whole volume would surely merge (`dask_blockwise.segmentation.contraction.Contraction`). What is
    left, some eighth of the voxels, is solved at once, the strongest edge first. That graph is
    held in memory by one worker: some 42 bytes for each voxel of the volume, and up to 200
    where affinities are mere noise or blocks are small.

    Where a label's part in the block's own voxels is held together by the halo alone, its pieces
    are matched one by one: only those are linked that touch what the label matches. So what a
    block fuses outside of its own voxels does not fuse objects.

    Examples
    --------
    >>> from dask_blockwise import connected_components, open_volume
    >>> import numpy as np
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
    volume = fragments if isinstance(fragments, Volume) else open_kept(fragments)
    _check_labels(volume)
    given = {"min_iou": min_iou, "min_fraction": min_fraction, "connectivity": connectivity}
    if isinstance(match, Rule):
        _check_no_options({**given, "min_size": min_size or None})
        return relabelled(volume, kept_apart_by(volume), match, keep_scratch)
    rule = _best(volume, min_iou, min_fraction) if match is None else match
    if not isinstance(rule, str) or rule not in _DECIDES:
        raise ValueError(f"match must be one of {tuple(_DECIDES)} or a Rule, got {match!r}.")
    check_min_size(min_size)
    _check_parts(min_iou=min_iou, min_fraction=min_fraction)
    _check_decides(rule, given)
    if rule == "mutex":
        return _by_mutexes(volume, min_size, keep_scratch)
    matchers: dict[str, Matcher] = {
        "iou": ByIou(0.5 if min_iou is None else min_iou),
        "fraction": ByFraction(0.9 if min_fraction is None else min_fraction),
        "touch": ByTouch(own_ids=are_as_stored(volume)),
    }
    own = connectivity_of(volume)
    connectivity = own or 1 if connectivity is None else connectivity
    _check_connectivity(volume, own, connectivity)
    matcher = matchers[rule]
    _check_fit(volume, rule, matcher)
    values = kept_apart_by(volume) if matcher.compares_values else None
    return relabelled(volume, values, MatchRule(matcher, connectivity, min_size), keep_scratch)


def _best(fragments: Volume, min_iou: float | None, min_fraction: float | None) -> Match:
    """The rule that is meant by what is given of it, or else is nearest to one piece."""
    if min_iou is not None or min_fraction is not None:
        return "fraction" if min_iou is None else "iou"
    if MutexFragments.of(fragments) is not None:
        return "mutex"
    return "iou" if connectivity_of(fragments) is None else "touch"


def _check_no_options(given: Mapping[str, float | None]) -> None:
    if told := _told(given):
        raise ValueError(
            f"A Rule of one's own decides by itself, got {told} beside it: leave that out, and "
            "have the rule's own attributes say it."
        )


def _check_decides(rule: str, given: Mapping[str, float | None]) -> None:
    """Refuse options that say nothing for a way to match."""
    told = _told({name: value for name, value in given.items() if name not in _DECIDES[rule]})
    if told and rule == "mutex":
        raise ValueError(
            'match="mutex" takes min_size and nothing else (the offsets say which voxels meet), '
            f'got {told}: leave these out, or give match="iou" or "fraction".'
        )
    if told:
        taken = " and ".join(("min_size", *_DECIDES[rule]))
        raise ValueError(
            f'match="{rule}" takes {taken}, got {told}, which would decide nothing: leave it out, '
            'or choose the match that it is for (min_iou for "iou", min_fraction for "fraction").'
        )


def _told(given: Mapping[str, float | None]) -> str:
    return ", ".join(f"{name}={value}" for name, value in given.items() if value is not None)


def _by_mutexes(volume: Volume, min_size: int, keep_scratch: bool) -> Volume:
    source = MutexFragments.of(volume)
    if source is None:
        raise ValueError(
            f'match="mutex" is for what watershed(affinities, offsets=...) makes, not yet '
            f"computed, got {volume!r}: relabel that, or choose another match."
        )
    if prod(source.frame.extent) > _MOST_VOXELS:
        raise ValueError(
            f'match="mutex" holds a graph of the whole volume in the memory of one worker, and '
            f'{source.frame.extent} voxels are too many for it: give match="fraction", which '
            "takes any number."
        )
    parameters = source.watershed.function.parameters
    rule = MutexRule(
        source.edges,
        max(min_size, parameters.get("min_size", 0)),
        parameters.get("filter_fragments", True),
    )
    values = labelled_by(source.watershed)
    return relabelled(Volume(source.frame, source), values, rule, keep_scratch)


def _check_labels(fragments: Volume) -> None:
    if fragments.dtype.kind not in "iu" or "c" in fragments.axes:
        raise ValueError(
            f"relabel needs labels: integers without channels, got {fragments!r}. Segment it first."
        )
    check_not_grey(fragments, "relabel", stacklevel=5)
    check_not_mask(fragments, "relabel")


def _check_parts(**parts: float | None) -> None:
    for name, part in parts.items():
        if part is not None and not (isinstance(part, Real) and 0 < part <= 1):
            raise ValueError(f"{name} must be in (0, 1], got {part!r}.")


def _check_connectivity(fragments: Volume, own: int | None, given: int) -> None:
    space = len(fragments.frame.space)
    if given not in range(1, space + 1):
        raise ValueError(f"connectivity must be in 1..{space}, got {given!r}.")
    if own not in (None, given):
        raise ValueError(
            f"These are connected components of connectivity {own}, and relabel was given "
            f"connectivity={given}: voxels must be neighbours across blocks as they are within "
            f"them. Leave it out, or give connected_components(..., connectivity={given})."
        )


def _check_fit(fragments: Volume, match: str, matcher: Matcher) -> None:
    if matcher.needs_halo and not _has_halo(fragments):
        _check_not_stored_on_the_way(fragments, match)
        raise ValueError(
            f'match="{match}" compares labels on voxels that two blocks saw, but these '
            "fragments have no halo. Labels made block by block: segment with halo=(16, 16, 16) or "
            'the like, or use match="touch". Labels of the whole volume, from another tool, in '
            "which equal ids are one object: renumber(labels)."
        )
    if matcher.compares_values and isinstance(fragments.source, Kept) and fragments.source.apart:
        raise ValueError(
            f'match="{match}" needs the values that kept these components apart, which a scratch '
            "does not hold: relabel(connected_components(volume, each_value=True)) anew."
        )


def _has_halo(fragments: Voxels) -> bool:
    return any(map(any, halo_of(fragments)))


def _check_not_stored_on_the_way(fragments: Volume, match: str) -> None:
    source = fragments.source
    if not isinstance(source, Checkpoint):
        return
    if _has_halo(source.made) or MutexFragments.of(source.made) is not None:
        raise ValueError(
            f'match="{match}" compares labels on voxels that two blocks saw, and a checkpoint has '
            "each block's own voxels alone: relabel what this checkpoint stores, the "
            "watershed(...) or segment(...) itself, and store what that makes (keep_scratch=True "
            "keeps the labels of blocks beside it)."
        )
