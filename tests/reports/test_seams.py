"""The report on seams: it finds planted ones and passes clean results."""

import dask
import numpy as np
import pytest
from bioimage_cpp.affinities import compute_affinities
from scipy import ndimage

from dask_blockwise import (
    Roi,
    SeamReport,
    Volume,
    connected_components,
    relabel,
    seams,
    segment,
    threshold,
    watershed,
)
from dask_blockwise.labels.scores import score_segmentation
from dask_blockwise.reports.seam_judge import Judge
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
    assert report.estimate.bits == pytest.approx(0, abs=1e-9)
    assert report.worst == ()


def planted(seed=0):
    """Cells, a pipeline that finds them whatever the blocks, and two that touch across a face."""
    truth = cells((192, 192), 150, seed)
    volume = Volume.from_array(truth, chunks=(24, 24))
    lazy = relabel(segment(volume, np.copy, halo=4))
    pairs = np.stack([truth[:, 95], truth[:, 96]])
    pairs, contact = np.unique(pairs[:, pairs[0] != pairs[1]], axis=1, return_counts=True)
    return truth, lazy, pairs[:, np.argmax(contact)]


def distance(truth, stored):
    return score_segmentation(truth + 1, stored + 1).voi


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("kind", ["merge", "split"])
def test_a_planted_error_is_found_and_weighed_by_the_size_of_the_whole_objects(seed, kind):
    truth, lazy, (one, other) = planted(seed)
    if kind == "merge":
        stored = np.where(truth == other, one, truth)
    else:
        crossing = np.intersect1d(truth[:, 95], truth[:, 96])
        halves = [
            np.minimum((truth[:, :96] == n).sum(), (truth[:, 96:] == n).sum()) for n in crossing
        ]
        one = crossing[np.argmax(halves)]
        stored = truth.copy()
        stored[:, 96:][truth[:, 96:] == one] = other = truth.max() + 1
    report = seams(lazy, Volume.from_array(stored, chunks=(24, 24)), budget=4, tolerance=0.005)
    low, high = report.estimate.interval
    assert low <= distance(truth, stored) <= high
    assert report.verdict == "seams"
    worst = report.worst[0]
    assert (worst.kind, worst.confirmed) == (kind, True)
    assert set(worst.labels) == ({one} if kind == "merge" else {one, other})
    assert worst.bits == pytest.approx(distance(truth, stored), rel=0.02)
    near = tuple(slice(max(0, i - 1), i + 2) for i in worst.at)
    assert {one, other} <= set((stored if kind == "split" else truth)[near].ravel().tolist())
    # The pipeline itself is right there.
    assert "The halo isn't the cause" in str(report)


@pytest.mark.parametrize("seed", [0, 1])
def test_what_any_contact_fuses_is_found_and_the_mend_named(seed):
    volume = Volume.from_array(cells((96, 96), 300, seed), chunks=(24, 24))
    lazy = relabel(segment(volume, parts, halo=8), match="touch")
    report = seams(lazy, computed(lazy, (24, 24)), seed=seed, budget=1)
    assert report.verdict == "seams"
    assert report.estimate.merge > 10 * report.estimate.split
    assert report.enough_halo is None
    assert 'So take match="iou" with a halo of 8.' in str(report)
    better = relabel(segment(volume, parts, halo=8))
    assert seams(better, computed(better, (24, 24)), seed=seed).verdict == "clean"


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(("halo", "match"), [(0, "touch"), (2, "iou"), (24, "iou")])
def test_the_estimate_holds_the_distance_from_one_piece(seed, halo, match):
    lazy = relabel(fragments(halo, seed), match=match)
    stored = computed(lazy)
    report = seams(lazy, stored, seed=seed, budget=2)
    truth = distance(lazy[:].astype(int), stored[:].astype(int))
    low, high = report.estimate.interval
    assert low - 0.02 <= truth <= high + 0.02


@pytest.mark.parametrize("budget", [0.05, 0.3, 0.5, 1])
def test_the_cost_is_within_the_budget(budget):
    lazy = relabel(fragments(2))
    called = []

    def counted(array):
        called.append(array.size)
        return parts((array > 0.5).astype(int))

    lazy = relabel(segment(scene(), counted, halo=6))
    stored = computed(lazy)
    run = sum(called)
    called.clear()
    # In this process, whatever cluster other tests have left.
    with dask.config.set(scheduler="threads"):
        report = seams(lazy, stored, budget=budget)
    assert sum(called) <= budget * run
    assert report.found.cost == pytest.approx(sum(called) / run, rel=0.05)


def test_no_more_is_computed_than_makes_it_surely_clean():
    """Of the budget a fifth is kept for what is wrong."""
    lazy = relabel(connected_components(scene() > 0.5), match="touch")
    report = seams(lazy, computed(lazy, (8, 8)))
    assert report.verdict == "clean"
    assert 0.24 < report.found.cost <= 0.32


@pytest.mark.parametrize("shape", [(16, 16), (9, 8), (2, 30), (8, 4, 3)])
def test_small_volumes_are_no_accident(shape):
    rng = np.random.default_rng(0)
    volume = Volume.from_array((rng.random(shape) > 0.4).astype(np.uint8), chunks=(4,) * len(shape))
    lazy = relabel(connected_components(volume, halo=1), match="touch")
    stored = computed(lazy, (4,) * len(shape))
    report = seams(lazy, stored)
    assert report.verdict in ("clean", "unclear")
    assert report.estimate.bits == pytest.approx(0, abs=1e-9)


def test_volumes_without_objects_are_clean():
    volume = Volume.from_array(np.zeros((64, 64), np.uint8), chunks=(16, 16))
    lazy = relabel(connected_components(volume), match="touch")
    assert seams(lazy, computed(lazy, (16, 16))).verdict == "clean"


@pytest.mark.parametrize("seed", [0, 1])
def test_a_broken_stitch_is_found_and_not_blamed_on_the_halo(seed):
    lazy, unstitched = relabel(fragments(24, seed)), computed(fragments(24, seed))
    report = seams(lazy, unstitched, seed=seed, budget=1)
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


@pytest.fixture(scope="module")
def neurons(data):
    labels = np.load(data / "connectomics_labels/labels_256.npz")["labels"][:160, :160, :160]
    return labels.astype(np.int64)


def test_real_neurons_are_clean_until_cut(neurons):
    whole = Volume.from_array(neurons, chunks=(40, 40, 40))
    cut = computed(segment(whole, np.asarray, halo=0), (40, 40, 40))
    # Arrays in memory, which no cluster that happens to be there need be sent.
    with dask.config.set(scheduler="threads"):
        assert seams(whole).verdict == "clean"
        assert seams(cut).verdict == "seams"


def test_the_worst_of_several_errors_in_neurons_comes_first(neurons):
    whole = Volume.from_array(neurons, chunks=(40, 40, 40))
    lazy = relabel(segment(whole, np.copy, halo=8), match="fraction")
    sizes = np.bincount(neurons.ravel())
    sizes[0] = 0
    stored = neurons.copy()
    for label in np.argsort(-sizes)[:2]:
        far = stored[:, :, 80:]
        far[far == label] = neurons.max() + label
    with dask.config.set(scheduler="threads"):
        report = seams(lazy, Volume.from_array(stored, chunks=(40, 40, 40)), budget=2)
    low, high = report.estimate.interval
    assert low <= distance(neurons, stored) <= high
    assert report.verdict == "seams"
    assert {place.kind for place in report.worst} == {"split"}
    bits = [place.bits for place in report.worst]
    assert bits == sorted(bits, reverse=True)


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
    again = seams(lazy, tmp_path / "a.zarr/ids")
    assert (report.comparisons, report.estimate) == (again.comparisons, again.estimate)


def test_volumes_with_time_are_looked_at():
    film = np.stack([blobs((24, 24, 24), seed) for seed in range(2)])
    volume = Volume.from_array(film, axes="tzyx", chunks=(1, 12, 12, 12))
    lazy = relabel(connected_components(threshold(volume, 0.8)), match="touch")
    ids = lazy.data.compute(scheduler="synchronous")
    stored = Volume.from_array(ids, axes="tzyx", chunks=(1, 12, 12, 12))
    report = seams(lazy, stored, budget=2)
    assert report.estimate.bits == pytest.approx(0, abs=1e-9)
    assert report.window_shape == (1, 6, 6, 6)


def test_report_is_drawn_and_shown(tmp_path):
    lazy = relabel(fragments(2))
    report = seams(lazy, computed(lazy), budget=1)
    assert report.picture(tmp_path / "seams.png").read_bytes().startswith(b"\x89PNG")
    plain = seams(computed(lazy))
    assert plain.picture(tmp_path / "plain.png").stat().st_size > 10_000
    assert str(report).startswith("SEAMS")
    html = report._repr_html_()
    assert html.count("<tr>") == len(report.comparisons) + len(report.worst) + 2
    assert "bits (95 %:" in html
    assert report.profile[0] > 1.3 * report.profile[-5]
    assert isinstance(report, SeamReport)
    points = report.annotations(tmp_path / "doubts.json")["annotations"]
    assert [tuple(point["point"]) for point in points] == [
        tuple(n + 0.5 for n in place.at) for place in report.worst
    ]
    assert (tmp_path / "doubts.json").stat().st_size > 100


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
        (LAZY, {"stored": STORED, "budget": 0}, "budget is the share of the run's voxels"),
    ],
)
def test_mistakes_are_explained(segments, options, message):
    with pytest.raises(ValueError, match=message):
        seams(segments, **options)


def mutexes(seed=0):
    """A mutex watershed of cells with noisy affinities, solved over the whole image."""
    offsets = [(-1, 0), (0, -1), (-5, 0), (0, -5)]
    clean, _ = compute_affinities(cells((192, 192), 150, seed).astype(np.uint64), offsets)
    noise = np.random.default_rng(seed).normal(0, 0.2, clean.shape)
    affinities = np.clip(ndimage.gaussian_filter(clean + noise, (0, 1, 1)), 0, 1)
    volume = Volume.from_array(affinities.astype(np.float32), axes="cyx", chunks=(4, 24, 24))
    return relabel(watershed(volume, offsets=offsets))


def test_a_mutex_watershed_of_the_whole_is_clean_until_it_is_cut_at_a_face():
    lazy = mutexes()
    stored = lazy.data.compute(scheduler="synchronous")
    report = seams(lazy, Volume.from_array(stored, chunks=(24, 24)), budget=2)
    assert (report.verdict, report.estimate.bits, report.worst) == ("clean", 0, ())
    half = stored[:, 96:]
    both = np.intersect1d(stored[:, 95], half)
    largest = both[np.argmax([(stored == label).sum() if label else 0 for label in both])]
    half[half == largest] = stored.max() + 1
    report = seams(lazy, Volume.from_array(stored, chunks=(24, 24)), budget=2)
    assert report.worst[0].kind == "split"
    assert set(report.worst[0].labels) == {largest, stored.max()}


def test_the_budget_of_a_mutex_watershed_counts_all_that_its_blocks_read():
    lazy, reach = mutexes(), 5
    read = [
        sum(min(n, b + 24 + reach) - max(0, b - reach) for b in range(0, n, 24)) for n in lazy.shape
    ]
    assert Judge(lazy, lazy, (24, 24), 1).run == np.prod(read)


def test_a_part_is_looked_at_where_blocks_met():
    stripes = (np.arange(96)[:, None] + np.arange(128)) // 7 + 1
    cut = Volume.from_array(stripes + 100 * (np.arange(128) // 16), chunks=(16, 16))
    for part in (cut, cut.crop(Roi((16, 32), (64, 64))), cut.transpose("x", "y")):
        assert seams(part).verdict == "seams"
    within = cut.crop(Roi((16, 0), (64, 128))).crop(Roi((32, 8), (48, 96)))
    for part, axes in ((within, "x"), (within.transpose("x", "y"), "x")):
        with pytest.raises(ValueError, match=rf"begins \(8,\) voxels .* \(16,\), along {axes}, so"):
            seams(part)
