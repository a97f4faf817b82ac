"""Seams: whether labels show where the blocks were in which they were made."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from ..geometry.boxes import Index
from ..pipelines.given_volumes import check_volumes
from ..segmentation.segmented import Segmented
from ..volumes.grey import check_not_grey
from ..volumes.kinds import Checkpoint, Turned
from ..volumes.opening import open_volume
from ..volumes.same_place import in_units_of
from ..volumes.source import Voxels
from ..volumes.views import Cropped
from ..volumes.volume import Volume
from .seam_contrast import Comparison, contrast
from .seam_judge import Judge
from .seam_measures import Planes, parts, planes
from .seam_meets import Section, section
from .seam_remake import halo_of, pipeline_of
from .seam_report import SeamReport
from .seam_windows import Window, window_shape, windows_astride
from .seam_work import Work, together

__all__ = ["seams"]

# Windows that one task looks at.
_AT_ONCE = 8


def seams(
    segments: Volume,
    stored: Volume | str | os.PathLike[str] | None = None,
    *,
    block_shape: Sequence[int] | None = None,
    budget: float = 0.4,
    windows: int = 100,
    halos: Sequence[int] | None = None,
    tolerance: float = 0.05,
    boundary_tolerance: float = 0.5,
    flat_tolerance: float = 0.05,
    seed: int = 0,
) -> SeamReport:
    """Report whether labels depend on where the blocks lay, how much, and where it shows most.

    How far are the labels from those of the whole volume as one piece, in bits of variation of
    information (VOI)? Boxes around faces of blocks are computed again as one piece, with something
    around them, drawn by how many bits hang on the objects that meet at their faces. Where one
    piece joins two stored objects, or cuts one, that is carried to all of their voxels: a bad link
    between two large objects weighs as much as they do. The worst places are computed again in the
    middle of a window, and what that doesn't confirm doesn't count. What wasn't seen is taken to be
    wrong as often as what was, within the interval. All that is computed is at most ``budget`` of
    what the run computed, but for one window, on volumes of two or three blocks; and no more than
    makes a result surely clean. Then the worst places are put together anew from two blocks, by
    other rules and halos, as far as that budget goes.

    A mutex watershed may hang on what is far away. Of one that was solved over the whole volume,
    which is exact, that alone is computed again which no voxel outside of a box could change.

    Beside that, in windows with a face in their middle: how often labels change from one voxel to
    the next across the face, and how many objects end flat within a voxel of it, with a last layer
    nearly as large as two layers before; both beside the planes parallel to it.

    Verdict: seams if all of an interval of 95 % lies above what is allowed; clean if none of the
    estimate's does; else unclear.

    Parameters
    ----------
    segments : Volume
        What ``relabel`` or ``agglomerate`` returned, lazily; or labels made elsewhere, of which
        nothing can be computed again: then boundaries and flat ends alone tell.
    stored : Volume or path, optional
        Where the labels lie that ``segments`` made; not needed after
        ``.checkpoint(path)``, nor for labels made elsewhere.
    block_shape : sequence of int, optional
        Voxels of a block along each axis but "c"; the shards (or chunks) of what is stored unless
        given.
    budget : float
        How many voxels may be computed again, as a share of those that the run computed with its
        halos. With 2 everything is seen.
    windows : int
        At most so many are looked at for boundaries and flat ends.
    halos : sequence of int, optional
        Those to try at the worst places, in voxels; twice that of the run unless given.
    tolerance : float
        Bits of VOI that are allowed.
    boundary_tolerance : float
        Share by which boundaries may be more frequent at faces.
    flat_tolerance : float
        By how much the share of objects that end flat may be greater at faces.
    seed : int
        Of what is drawn.

    Returns
    -------
    SeamReport
        ``print`` it; ``.verdict``, ``.estimate``, ``.worst``, ``.mends``, ``.enough_halo``,
        ``.picture("seams.png")``.

    Raises
    ------
    ValueError
        If there is nothing stored to look at, it lies elsewhere, or it has no face within; or is a
        part that begins within a block.

    Examples
    --------
    >>> stripes = (np.arange(64)[:, None] + np.arange(64)) // 7 + 1
    >>> report = seams(Volume.from_array(stripes, chunks=(16, 16)))
    >>> print(report)
    CLEAN: the result doesn't depend on where the blocks lay.
    Blocks of 16 x 16; 48 windows of 8 x 8 voxels astride their faces.
    ...
    >>> cut = stripes + 100 * (np.arange(64) // 16)
    >>> seams(Volume.from_array(cut, chunks=(16, 16))).verdict
    'seams'

    Stripes that were put together by any contact are one object:

    >>> from dask_blockwise import relabel, segment
    >>> parts = segment(Volume.from_array(stripes, chunks=(16, 16)), np.copy, halo=2)
    >>> fused = relabel(parts, match="touch")
    >>> report = seams(fused, Volume.from_array(fused.compute(), chunks=(16, 16)), budget=2)
    >>> report.verdict, report.worst[0].kind
    ('seams', 'merge')
    """
    check_volumes("seams", segments=segments)
    pipeline, labels = _pipeline_and_labels(segments, stored)
    block = labels.frame.checked_block(block_shape)
    _check_budget(budget)
    _check_begin(labels, block)
    stitched = tuple(axis != "t" for axis in labels.axes)
    size, rng = window_shape(labels.shape, block, stitched), np.random.default_rng(seed)
    faces = windows_astride(labels.shape, block, size, stitched, windows, rng)
    _check_faces(faces, labels, block)
    judge = Judge(pipeline, labels, block, budget, tolerance) if pipeline is not None else None
    to_meet = [judge.to_meet()] if judge is not None else []
    seen, *met = together(Work(partial(_planes_of, labels), faces, _AT_ONCE), *to_meet)
    worst = faces[int(np.argmax([np.subtract(*p.boundaries()) for p in seen]))]
    return SeamReport(
        _across_planes(seen, boundary_tolerance, flat_tolerance, rng),
        placement=labels.placement,
        block_shape=block,
        window_shape=size,
        looked_at=len(faces),
        cut_flat=(sum(p.cut_flat[0] for p in seen), sum(p.cut_flat[1] for p in seen)),
        profile=_profile(seen),
        example=_section(labels, worst),
        found=judge.found(met[0], halos, rng) if judge else None,
        halo=tuple(max(pair) for pair in halo_of(pipeline)) if pipeline is not None else None,
        tolerance=tolerance,
    )


def _planes_of(labels: Volume, window: Window) -> Planes:
    return planes(parts(labels[window.slices()]), int(window.axis or 0))


def _across_planes(
    seen: list[Planes], boundary_tolerance: float, flat_tolerance: float, rng: np.random.Generator
) -> tuple[Comparison, ...]:
    """Boundaries and flat ends at faces, beside those at other planes."""
    here, there = np.array([p.boundaries() for p in seen]).T
    allowed = boundary_tolerance * float(there.mean())
    flat, elsewhere = np.array([p.flat_ends() for p in seen]).T
    return (
        contrast("boundaries, share of voxel pairs", here, there, rng, allowed, paired=True),
        contrast("objects cut flat, share", flat, elsewhere, rng, flat_tolerance, paired=True),
    )


def _profile(seen: list[Planes]) -> dict[int, float]:
    """Mean share of boundaries by a plane's distance from the face."""
    shortest = min(p.face for p in seen)
    distances = range(-shortest, shortest + 1)
    return {d: float(np.mean([p.boundary[p.face + d] for p in seen])) for d in distances}


def _section(labels: Volume, window: Window) -> Section:
    """The middle of a window, across its face."""
    stored, axis = labels[window.slices()], int(window.axis or 0)
    middle = tuple(n // 2 for n in stored.shape)
    begin = (0,) * stored.ndim
    shown = section(np.stack([stored, stored]), middle, begin, (axis, middle[axis]))
    return replace(shown, one_piece=None)


def _check_budget(budget: float) -> None:
    if not 0 < budget <= 100:
        raise ValueError(
            f"budget is the share of the run's voxels that may be computed again, such as 0.5, got "
            f"{budget!r}."
        )


def _pipeline_and_labels(
    segments: Volume, stored: Volume | str | os.PathLike[str] | None
) -> tuple[Volume | None, Volume]:
    """What can make labels anew, if anything, and the labels that are stored."""
    if isinstance(segments.source, Segmented):
        raise ValueError(
            "These are the labels of single blocks, which always end at faces: give what "
            "relabel(...) made of them."
        )
    if isinstance(segments.source, Checkpoint):
        stored = segments.path if stored is None else stored
        segments = segments.inputs[0]
    pipeline = segments if pipeline_of(segments) is not None else None
    if pipeline is not None and stored is None:
        raise ValueError(
            "Whether there are seams is seen in labels that are stored: say where they are, "
            'seams(segments, stored="out.zarr/segments"), after segments.to_zarr(...).'
        )
    labels = segments if stored is None else stored
    labels = labels if isinstance(labels, Volume) else open_volume(labels)
    if labels.dtype.kind not in "iu" or "c" in labels.axes:
        raise ValueError(f"Seams are looked for in integers without channels, got {labels!r}.")
    check_not_grey(labels, "seams", stacklevel=4)
    labels = in_units_of(labels, segments.frame)
    if not labels.frame.lies_as(segments.frame):
        raise ValueError(
            f"{labels!r} isn't where {segments!r} lies: give what was made of it, or "
            f"{labels.frame.how_to_lie_as(segments.frame)}."
        )
    return pipeline, labels


def _check_begin(labels: Volume, block: Index) -> None:
    """Refuse a part of which it would be looked beside the faces of blocks."""
    within = [at % size for at, size in zip(_first(labels), block, strict=True)]
    axes = [n for n, axis in enumerate(labels.axes) if axis != "t" and within[n]]
    if axes:
        names = ", ".join(labels.axes[n] for n in axes)
        raise ValueError(
            f"{labels!r} begins {tuple(within[n] for n in axes)} voxels within a block of "
            f"{tuple(block[n] for n in axes)}, along {names}, so that its blocks don't meet where "
            "those of such a part would: give a part that begins where a block does, or all of it; "
            "or the block_shape that it was made with."
        )


def _first(volume: Voxels) -> Index:
    """Where a part begins in what is stored, in voxels."""
    source = volume.source
    if isinstance(source, Turned):
        inner = _first(source.inputs[0])
        return tuple(inner[axis] for axis in source.order)
    if isinstance(source, Cropped):
        return tuple(map(sum, zip(_first(source.inputs[0]), source.begin, strict=True)))
    return (0,) * len(volume.frame.extent)


def _check_faces(faces: list[Window], labels: Volume, block: Index) -> None:
    if not faces:
        raise ValueError(
            f"{labels!r} has no face between blocks of {block} voxels with half a block on either "
            "side, so there is nothing to compare: give the block_shape that it was made with."
        )
