"""The report on seams: it finds planted ones and passes clean results."""

import dask
import numpy as np
import pytest
from scipy import ndimage

from dask_blockwise import (
    SeamReport,
    Volume,
    connected_components,
    relabel,
    seams,
    segment,
    threshold,
    watershed,
)
from dask_blockwise.reports.seam_measures import parts

BLOCK = (48, 48)


def blobs(shape, seed, sigma=3):
    """A probability map of touching blobs."""
    noise = np.random.default_rng(seed).random(shape).astype(np.float32)
    noise = ndimage.gaussian_filter(noise, sigma)
    return 1 / (1 + np.exp(-3 * ((noise - noise.mean()) / noise.std() + 0.6)))


def scene(seed=0):
    return Volume.from_array(blobs((336, 336), seed), chunks=BLOCK)


def fragments(halo, seed=0):
    return watershed(scene(seed), seeds="distance", bias=0.5, sigma=2.0, fill=False, halo=halo)


def computed(volume, block=BLOCK):
    return Volume.from_array(volume.data.compute(scheduler="synchronous"), chunks=block)


def cells(shape, count, seed=0):
    """Labels of touching cells: the nearest of some random points."""
    points = np.ones(shape, bool)
    points[tuple(np.random.default_rng(seed).integers(0, n, count) for n in shape)] = False
    _, nearest = ndimage.distance_transform_edt(points, return_indices=True)
    return (
        np.unique(np.ravel_multi_index(nearest, shape), return_inverse=True)[1].reshape(shape) + 1
    )


@pytest.mark.parametrize("seed", [0, 1])
def test_exact_components_are_clean_without_a_halo(seed):
    lazy = relabel(connected_components(threshold(scene(seed), 0.8)), match="touch")
    report = seams(lazy, computed(lazy), seed=seed)
    assert (report.verdict, report.enough_halo) == ("clean", 0)
    assert report.cut_flat[0] < 0.03 * report.cut_flat[1]
    assert report.comparisons[0].at_faces == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_large_halo_is_clean_and_says_that_less_would_do(seed):
    lazy = relabel(fragments(24, seed))
    report = seams(lazy, computed(lazy), seed=seed, halos=(2, 20))
    assert report.verdict == "clean"
    assert report.enough_halo == 20


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(("halo", "match"), [(0, "touch"), (2, "iou")])
def test_a_small_halo_is_found(seed, halo, match):
    lazy = relabel(fragments(halo, seed), match=match)
    report = seams(lazy, computed(lazy), seed=seed, halos=())
    assert report.verdict == "seams"
    assert report.comparisons[0].verdict == "seams"


@pytest.mark.parametrize("seed", [0, 1])
def test_what_is_fused_everywhere_is_found_inside_blocks(seed):
    volume = Volume.from_array(cells((96, 96), 300, seed), chunks=(24, 24))
    lazy = relabel(segment(volume, parts, halo=8), match="touch")
    report = seams(lazy, computed(lazy, (24, 24)), seed=seed)
    assert report.verdict == "seams"
    assert (report.halos, report.enough_halo) == ({}, None)
    assert "fused within it" in str(report)
    better = relabel(segment(volume, parts, halo=8))
    assert seams(better, computed(better, (24, 24)), seed=seed).verdict == "clean"


def test_the_halo_that_it_names_is_enough():
    lazy = relabel(fragments(2))
    halo = seams(lazy, computed(lazy), halos=(4, 12, 20)).enough_halo
    assert halo > 2
    better = relabel(fragments(halo))
    assert seams(better, computed(better), halos=()).comparisons[0].verdict == "clean"


@pytest.mark.parametrize("seed", [0, 1])
def test_a_broken_stitch_is_found_and_not_blamed_on_the_halo(seed):
    lazy, unstitched = relabel(fragments(24, seed)), computed(fragments(24, seed))
    report = seams(lazy, unstitched, seed=seed, halos=(20,))
    assert report.verdict == "seams"
    flat, objects = report.cut_flat
    assert flat > 0.8 * objects
    assert "The halo isn't the cause" in str(report)
    assert "-0.000" not in str(report)


def offset_on_one_side(labels):
    """Ids that were bumped on one side of one face alone."""
    broken = labels.copy()
    broken[:, 48:96] += labels.max()
    return broken


def gap_at_faces(labels):
    broken = labels.copy()
    broken[:, 47::48] = broken[:, 48::48] = 0
    return broken


@pytest.mark.parametrize("shape", [(240, 250), (96, 110, 100)])
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(
    "plant, verdict",
    [(np.asarray, "clean"), (offset_on_one_side, "seams"), (gap_at_faces, "seams")],
)
def test_labels_made_elsewhere(shape, seed, plant, verdict):
    labels = plant(cells(shape, 150, seed))
    report = seams(Volume.from_array(labels), block_shape=(48,) * len(shape), seed=seed)
    assert report.verdict == verdict
    assert report.halo is None
    assert "isn't known" in str(report)


def test_real_neurons_are_clean_until_cut(data):
    labels = np.load(data / "connectomics_labels/labels_256.npz")["labels"][:160, :160, :160]
    whole = Volume.from_array(labels.astype(np.int64), chunks=(40, 40, 40))
    cut = computed(segment(whole, np.asarray, halo=0), (40, 40, 40))
    # Arrays in memory, which no cluster that happens to be there need be sent.
    with dask.config.set(scheduler="threads"):
        assert seams(whole).verdict == "clean"
        assert seams(cut).verdict == "seams"


def test_stored_checkpoints_and_time(threads, tmp_path):
    film = np.stack([blobs((96, 96), seed) for seed in range(3)])
    mask = threshold(Volume.from_array(film, axes="tyx", chunks=(1, 24, 24)), 0.8)
    lazy = relabel(connected_components(mask.checkpoint(tmp_path / "a.zarr/mask")), match="touch")
    ids = lazy.checkpoint(tmp_path / "a.zarr/ids")
    with threads.as_current():
        threshold(ids, 0).to_zarr(tmp_path / "a.zarr/on", progress=False)
        report = seams(ids)
    assert report.verdict == "clean"
    assert report.window_shape == (1, 12, 12)
    assert report.comparisons == seams(lazy, tmp_path / "a.zarr/ids").comparisons


def test_report_is_drawn_and_shown(tmp_path):
    lazy = relabel(fragments(2))
    report = seams(lazy, computed(lazy), halos=(20,))
    assert report.picture(tmp_path / "seams.png").read_bytes().startswith(b"\x89PNG")
    plain = seams(computed(lazy))
    assert plain.picture(tmp_path / "plain.png").stat().st_size > 10_000
    assert str(report).startswith("SEAMS")
    html = report._repr_html_()
    assert html.count("<tr>") == len(report.comparisons) + 1
    assert "would be enough" in html
    assert report.profile[0] > 1.3 * report.profile[-5]
    assert isinstance(report, SeamReport)


LAZY = relabel(fragments(2))
STORED = Volume.from_array(np.ones((336, 336), int), chunks=BLOCK)


@pytest.mark.parametrize(
    "segments, options, message",
    [
        (fragments(2), {}, "labels of single blocks"),
        (LAZY, {}, "say where they are"),
        (LAZY, {"stored": Volume.from_array(np.ones((9, 9), int))}, "isn't where"),
        (STORED, {"block_shape": (336, 336)}, "no face between blocks"),
        (STORED, {"block_shape": (8,)}, "block_shape must be 2"),
        (scene(), {}, "integers without channels"),
    ],
)
def test_mistakes_are_explained(segments, options, message):
    with pytest.raises(ValueError, match=message):
        seams(segments, **options)
