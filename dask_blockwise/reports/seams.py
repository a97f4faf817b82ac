"""Seams: whether labels show where the blocks were in which they were made."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from dask.base import compute
from dask.delayed import delayed
from numpy.typing import NDArray

from ..geometry.boxes import Index
from ..segmentation.segmented import Segmented
from ..volumes.kinds import Checkpoint
from ..volumes.opening import open_volume
from ..volumes.volume import Volume
from .seam_measures import Difference, Labels, Planes, compare, named_alike, parts, planes
from .seam_remake import Remake, fragments_of
from .seam_report import FUSED, Comparison, Example, SeamReport, contrast
from .seam_windows import Window, drawn, window_shape, windows_astride, windows_inside

__all__ = ["seams"]

_LOOKS_A_WINDOW = 20


class _Remade(NamedTuple):
    """A window as it is stored, and as one piece."""

    window: Window
    stored: Labels
    one_piece: Labels
    difference: Difference


def seams(
    segments: Volume,
    stored: Volume | str | os.PathLike[str] | None = None,
    *,
    block_shape: Sequence[int] | None = None,
    windows: int = 16,
    halos: Sequence[int] | None = None,
    tolerance: float = 0.05,
    boundary_tolerance: float = 0.5,
    flat_tolerance: float = 0.05,
    seed: int = 0,
) -> SeamReport:
    """Report whether labels show where the blocks were in which they were made.

    Three things are looked at in windows of half a block, drawn at random, which have a face
    between two blocks in their middle:

    1. Each window is computed again as one piece, with as much around it as a window in the middle
       of a block had, and compared with what is stored: variation of information (VOI), for
       splits and merges, and voxels that differ. Windows inside blocks are the control: they too
       differ from one piece, since many methods depend on all that they see. Their one piece is
       what their block alone had seen, so objects that are fused in them were fused by stitching,
       through other blocks: that is a seam too, which shows everywhere.
    2. How often labels change from one voxel to the next across the face, beside the planes
       parallel to it in the same window.
    3. How many of the objects that reach the face end flat within a voxel of it, beside the same
       planes: with a last layer nearly as large as two layers before.

    Verdict: the difference of means between faces and elsewhere has a 95 % interval from a
    bootstrap over windows (in 1 over both kinds of windows; in 2 and 3 over differences within
    windows). A measure shows seams if the whole interval lies above what is allowed, and is clean
    if none of it does; else, or with fewer than five windows, it is unclear. The report shows seams
    if any measure does.

    Then the windows are put together from two blocks that meet at the face, by the same functions
    and with smaller to larger halos, to find one that is enough; not where objects are fused
    within blocks, which no halo mends.

    Parameters
    ----------
    segments : Volume
        What ``relabel`` returned, lazily; or labels made elsewhere, of which nothing can be
        computed again: then 1 and the halos are left out.
    stored : Volume or path, optional
        Where the labels lie that ``segments`` made; not needed after
        ``.checkpoint(path)``, nor for labels made elsewhere.
    block_shape : sequence of int, optional
        Voxels of a block along each axis but "c"; the shards (or chunks) of what is stored unless
        given.
    windows : int
        At most so many astride faces, and as many inside blocks, are computed again. Twenty
        times as many are looked at for 2 and 3.
    halos : sequence of int, optional
        Those to try, in voxels; 0 to what a block sees around the middle unless given.
    tolerance : float
        Bits of VOI by which windows astride may be worse.
    boundary_tolerance : float
        Share by which boundaries may be more frequent at faces.
    flat_tolerance : float
        By how much the share of objects that end flat may be greater at faces.
    seed : int
        Of the choice of windows.

    Returns
    -------
    SeamReport
        ``print`` it; ``.verdict``, ``.enough_halo``, ``.picture("seams.png")``.

    Raises
    ------
    ValueError
        If there is nothing stored to look at, it lies elsewhere, or it has no face within.

    Examples
    --------
    >>> stripes = (np.arange(64)[:, None] + np.arange(64)) // 7 + 1
    >>> report = seams(Volume.from_array(stripes, chunks=(16, 16)))
    >>> print(report)
    CLEAN: faces of blocks look like the rest of the volume.
    Blocks of 16 x 16; 48 windows of 8 x 8 voxels astride their faces.
    ...
    >>> cut = stripes + 100 * (np.arange(64) // 16)
    >>> seams(Volume.from_array(cut, chunks=(16, 16))).verdict
    'seams'
    """
    pipeline, labels = _pipeline_and_labels(segments, stored)
    block = labels.frame.checked_block(block_shape)
    stitched = tuple(axis != "t" for axis in labels.axes)
    size, rng = window_shape(labels.shape, block, stitched), np.random.default_rng(seed)
    faces = windows_astride(labels.shape, block, size, stitched, _LOOKS_A_WINDOW * windows, rng)
    _check_faces(faces, labels, block)
    seen = _all(partial(_planes_of, labels), faces)
    comparisons = _across_planes(seen, boundary_tolerance, flat_tolerance, rng)
    report = partial(
        SeamReport,
        block_shape=block,
        window_shape=size,
        looked_at=len(faces),
        cut_flat=(sum(p.cut_flat[0] for p in seen), sum(p.cut_flat[1] for p in seen)),
        profile=_profile(seen),
    )
    if pipeline is None:
        worst = faces[int(np.argmax([np.subtract(*p.boundaries()) for p in seen]))]
        return report(comparisons, example=_example(worst, parts(labels[worst.slices()])))
    halo = _halo(pipeline)
    pieces = Remake.like_inside(pipeline, block, size, (*(0,) * ("t" in labels.axes), *halo))
    remake = partial(_remake, pieces, labels)
    astride = _all(remake, drawn(faces, windows, rng))
    inside = _all(remake, windows_inside(labels.shape, block, size, windows, rng))
    found = _against_one_piece(astride, inside, tolerance, rng)
    mended_by_halos = all(c.verdict != "seams" for c in found if c.name == FUSED)
    to_try = _halos(halos, pieces) if mended_by_halos else []
    worst = max(astride, key=lambda made: made.difference.voi)
    return report(
        (*found, *comparisons),
        remade=(len(astride), len(inside)),
        halo=halo,
        halos=_try_halos(pieces, astride, inside, to_try, tolerance, rng),
        example=_example(worst.window, worst.stored, worst.one_piece),
    )


def _all(function: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
    """Results for all items, from the present cluster or else from threads."""
    return list(compute(*(delayed(function)(item) for item in items)))


def _planes_of(labels: Volume, window: Window) -> Planes:
    return planes(parts(labels[window.slices()]), int(window.axis or 0))


def _remake(pieces: Remake, labels: Volume, window: Window) -> _Remade:
    stored, one_piece = parts(labels[window.slices()]), pieces.one_piece(window)
    return _Remade(window, stored, one_piece, compare(stored, one_piece))


def _voi_of_two_blocks(pieces: Remake, halo: int, made: _Remade) -> float:
    return compare(pieces.two_blocks(made.window, halo), made.one_piece).voi


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


def _against_one_piece(
    astride: list[_Remade], inside: list[_Remade], tolerance: float, rng: np.random.Generator
) -> tuple[Comparison, ...]:
    at_faces, elsewhere = (
        np.array([[made.difference.voi, *made.difference] for made in some]).reshape(-1, 4).T
        for some in (astride, inside)
    )
    names = (
        "VOI from one piece, bits",
        "  of it split",
        "  of it merge",
        "voxels that differ, share",
    )
    allowed = tolerance, None, None, None
    rows = zip(names, at_faces, elsewhere, allowed, strict=True)
    fused = elsewhere[2]
    return (
        *(contrast(name, here, there, rng, limit) for name, here, there, limit in rows),
        contrast(FUSED, fused, 0 * fused, rng, tolerance, paired=True),
    )


def _try_halos(
    pieces: Remake,
    astride: list[_Remade],
    inside: list[_Remade],
    halos: Sequence[int],
    tolerance: float,
    rng: np.random.Generator,
) -> dict[int, Comparison]:
    """VOI of windows put together from two blocks, for ever larger halos until one is enough."""
    elsewhere = np.array([made.difference.voi for made in inside])
    tried: dict[int, Comparison] = {}
    for halo in halos:
        voi = np.array(_all(partial(_voi_of_two_blocks, pieces, halo), astride))
        tried[halo] = contrast(f"VOI with a halo of {halo}", voi, elsewhere, rng, tolerance)
        if tried[halo].verdict == "clean":
            break
    return tried


def _halos(given: Sequence[int] | None, pieces: Remake) -> list[int]:
    """Those given, or 0, 1/8, 1/4, 1/2 and all of what is seen around a window."""
    most = max(pieces.margin)
    return sorted(set(given if given is not None else (0, most // 8, most // 4, most // 2, most)))


def _halo(pipeline: Volume) -> Index:
    """Of its blocks, along each axis of space."""
    fragments = fragments_of(pipeline)
    return tuple(max(pair) for pair in fragments.halo) if fragments is not None else ()


def _profile(seen: list[Planes]) -> dict[int, float]:
    """Mean share of boundaries by a plane's distance from the face."""
    shortest = min(p.face for p in seen)
    distances = range(-shortest, shortest + 1)
    return {d: float(np.mean([p.boundary[p.face + d] for p in seen])) for d in distances}


def _example(
    window: Window, stored: NDArray[np.int64], one_piece: NDArray[np.int64] | None = None
) -> Example:
    across = int(window.axis or 0)
    along = max((n, axis) for axis, n in enumerate(window.shape) if axis != across)[1]

    def section(labels: NDArray[np.int64]) -> NDArray[np.int64]:
        laid = np.moveaxis(labels, (along, across), (-2, -1))
        middle: NDArray[np.int64] = laid[tuple(n // 2 for n in laid.shape[:-2])]
        return middle

    if one_piece is None:
        return Example(section(stored), None, window)
    return Example(section(named_alike(stored, one_piece)), section(one_piece), window)


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
    pipeline = segments if fragments_of(segments) is not None else None
    if pipeline is not None and stored is None:
        raise ValueError(
            "Whether there are seams is seen in labels that are stored: say where they are, "
            'seams(segments, stored="out.zarr/segments"), after segments.to_zarr(...).'
        )
    labels = segments if stored is None else stored
    labels = labels if isinstance(labels, Volume) else open_volume(labels)
    if labels.dtype.kind not in "iu" or "c" in labels.axes:
        raise ValueError(f"Seams are looked for in integers without channels, got {labels!r}.")
    if labels.roi != segments.roi or labels.voxel_size != segments.voxel_size:
        raise ValueError(f"{labels!r} isn't where {segments!r} lies: give what was made of it.")
    return pipeline, labels


def _check_faces(faces: list[Window], labels: Volume, block: Index) -> None:
    if not faces:
        raise ValueError(
            f"{labels!r} has no face between blocks of {block} voxels with half a block on either "
            "side, so there is nothing to compare: give the block_shape that it was made with."
        )
