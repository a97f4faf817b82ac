"""Objects across blocks, against the whole volume in memory."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from objects import assert_same_up_to_names, labels_of
from scipy import ndimage
from tifffile import imread

from dask_blockwise import (
    Block,
    BlocksFailed,
    Roi,
    Volume,
    connected_components,
    create_volume,
    open_volume,
    relabel,
    segment,
    threshold,
    watershed,
)
from dask_blockwise.relabel_worker import spawn_worker

RNG = np.random.default_rng(0)
NOISE = RNG.random((20, 22, 24), np.float32)
MASK = (NOISE < 0.3).astype(np.uint8)


@pytest.fixture
def present(threads):
    with threads.as_current():
        yield


@pytest.fixture
def path(tmp_path, present):
    return f"{tmp_path}/out.zarr/objects"


def computed(volume):
    return volume.data.compute(scheduler="synchronous")


def stored(volume, path, **options):
    volume.to_zarr(path, progress=False, **options)
    return open_volume(path)[:]


@settings(max_examples=40, deadline=None)
@given(st.data(), st.integers(2, 3), st.floats(0.05, 0.95), st.integers(0, 2**31))
def test_touch_equals_scipy_on_the_whole_volume(data, dims, density, seed):
    connectivity = data.draw(st.integers(1, dims))
    shape = data.draw(st.tuples(*[st.integers(1, 10)] * dims))
    block = data.draw(st.tuples(*[st.integers(3, 9)] * dims))
    halo = data.draw(st.tuples(*[st.integers(0, 3)] * dims))
    mask = (np.random.default_rng(seed).random(shape) < density).astype(np.uint8)
    parts = connected_components(
        Volume.from_array(mask, chunks=block), connectivity=connectivity, halo=halo
    )
    objects = relabel(parts, match="touch", connectivity=connectivity)
    assert_same_up_to_names(computed(objects), labels_of(mask, connectivity))


@pytest.mark.parametrize("connectivity", [1, 2, 3])
@pytest.mark.parametrize("block", [(8, 8, 8), (20, 5, 24), (7, 11, 30)])
def test_stored_equals_scipy_and_the_dask_array(connectivity, block, path):
    parts = connected_components(
        Volume.from_array(MASK, voxel_size=(40, 16, 16), chunks=block), connectivity=connectivity
    )
    objects = relabel(parts, match="touch", connectivity=connectivity)
    ids = stored(objects, path)
    assert ids.dtype == np.uint64
    assert_same_up_to_names(ids, labels_of(MASK, connectivity))
    np.testing.assert_array_equal(ids, computed(objects))
    assert open_volume(path).voxel_size == (40, 16, 16)


def cells(shape, count, seed=0):
    """Labels of touching cells: the nearest of some random points."""
    points = np.ones(shape, bool)
    points[tuple(np.random.default_rng(seed).integers(0, n, count) for n in shape)] = False
    _, nearest = ndimage.distance_transform_edt(points, return_indices=True)
    return np.unique(np.ravel_multi_index(nearest, shape), return_inverse=True)[1] + 1


CELLS = cells((24, 26, 28), 20)


def as_seen(array):
    """Name cells anew, as every block would."""
    return np.unique(array, return_inverse=True)[1].reshape(array.shape) + 1


@pytest.mark.parametrize("block", [(8, 8, 8), (12, 26, 7), (24, 26, 28)])
@pytest.mark.parametrize("connectivity", [1, 3])
def test_iou_puts_touching_cells_together_again(block, connectivity, path):
    parts = segment(Volume.from_array(CELLS, chunks=block), as_seen, halo=6)
    objects = relabel(parts, min_iou=0.3, connectivity=connectivity)
    ids = stored(objects, path)
    assert_same_up_to_names(ids, CELLS)
    np.testing.assert_array_equal(ids, computed(objects))


def test_touch_fuses_what_iou_tells_apart():
    parts = segment(Volume.from_array(CELLS, chunks=(8, 8, 8)), as_seen, halo=6)
    assert computed(relabel(parts, match="touch")).max() < 4


def test_one_sided_matches_do_not_chain():
    # Left sees one object over all; right sees two. Only one of them can be its partner.
    left, right = np.zeros((2, 1, 16), int)
    left[0, 3:13] = 1
    right[0, 3:9], right[0, 9:13] = 1, 2

    def look(array):
        return left[:, :12] if array[0, 0] == 0 else right[:, 4:]

    volume = Volume.from_array(np.arange(16)[None], chunks=(1, 8))
    ids = computed(relabel(segment(volume, look, halo=(0, 4)), min_iou=0.1))
    assert ids.tolist() == [[0] * 3 + [1] * 6 + [2] * 4 + [0] * 3]


def test_min_iou_decides():
    def look(array):
        return np.where(array < (10 if array[0, 0] == 0 else 8), 1, 0)

    volume = Volume.from_array(np.arange(16)[None], chunks=(1, 8))
    parts = segment(volume, look, halo=(0, 4))
    # Both saw 4..11: left has 4..9, right 4..7.
    assert computed(relabel(parts, min_iou=0.66)).max() == 1
    assert computed(relabel(parts, min_iou=0.67)).max() == 1
    assert parts.data.compute(scheduler="synchronous")[0, 8:].max() == 0


def test_small_objects_become_background_after_they_are_put_together(path):
    truth = labels_of(MASK)
    sizes = np.bincount(truth.ravel())
    parts = connected_components(Volume.from_array(MASK, chunks=(5, 6, 7)))
    ids = stored(relabel(parts, match="touch", min_size=5), path)
    kept = np.where(sizes[truth] >= 5, truth, 0)
    assert_same_up_to_names(ids, np.unique(kept, return_inverse=True)[1].reshape(kept.shape))


@pytest.mark.parametrize("value", [0, 1])
def test_nothing_and_everything(value, path):
    volume = Volume.from_array(np.full((9, 9), value, np.uint8), chunks=(4, 4))
    objects = relabel(connected_components(volume), match="touch")
    np.testing.assert_array_equal(stored(objects, path), np.full((9, 9), value))
    np.testing.assert_array_equal(objects[:], np.full((9, 9), value))


def test_time_points_stay_apart(path):
    film = np.stack([MASK[0], MASK[0], MASK[1]])
    volume = Volume.from_array(film, axes="tyx", chunks=(2, 9, 9))
    ids = stored(relabel(connected_components(volume, halo=2), match="touch"), path)
    truth = labels_of(film[:, None])[:, 0]
    expected, first = np.zeros_like(truth), 0
    for t, point in enumerate(film):
        own = labels_of(point)
        expected[t] = np.where(own > 0, own + first, 0)
        first += own.max()
    assert_same_up_to_names(ids, expected)


def test_a_stored_volume_is_relabelled_by_its_chunks(path, tmp_path):
    parts = connected_components(Volume.from_array(MASK, chunks=(8, 8, 8)))
    parts.to_zarr(f"{tmp_path}/parts.zarr/p", progress=False)
    fragments = open_volume(f"{tmp_path}/parts.zarr/p")
    assert_same_up_to_names(stored(relabel(fragments, match="touch"), path), labels_of(MASK))


def test_a_region_is_one_piece():
    parts = connected_components(Volume.from_array(MASK, chunks=(8, 8, 8)), halo=1)
    ids = relabel(parts, match="touch")[Roi((3, 4, 5), (12, 11, 10))]
    assert set(np.unique(ids)) == set(range(int(ids.max()) + 1))
    assert_same_up_to_names(ids, as_seen(labels_of(MASK[2:16, 3:16, 4:16])[1:-1, 1:-1, 1:-1]) - 1)


def test_a_chain_of_stages_with_a_checkpoint(path, tmp_path):
    mask = threshold(Volume.from_array(NOISE, chunks=(8, 8, 8)), 0.6)
    parts = connected_components(mask.checkpoint(f"{tmp_path}/out.zarr/mask"))
    objects = relabel(parts, match="touch").checkpoint(path)
    large = stored(threshold(objects, 3), f"{tmp_path}/out.zarr/large")
    assert_same_up_to_names(open_volume(path)[:], labels_of(NOISE > 0.6))
    np.testing.assert_array_equal(large, open_volume(path)[:] > 3)
    assert not list(tmp_path.rglob("*.scratch"))


def test_workers_and_order_do_not_matter(client, tmp_path):
    parts = segment(Volume.from_array(CELLS, chunks=(8, 9, 10)), as_seen, halo=4)
    objects = relabel(parts, min_iou=0.3)
    one = stored(objects, f"{tmp_path}/a.zarr/one", client=client, num_workers=1)
    many = stored(objects, f"{tmp_path}/a.zarr/many", client=client)
    np.testing.assert_array_equal(one, many)
    np.testing.assert_array_equal(one, computed(objects))


class FailsOnce:
    """Labels, except for one block while a file is there."""

    def __init__(self, flag):
        self.flag = flag

    def __call__(self, array):
        if Path(self.flag).exists() and array.shape == (9, 9, 9):
            raise RuntimeError("not yet")
        return labels_of(array)


def test_a_failed_run_goes_on_where_it_stopped(path, tmp_path):
    flag = tmp_path / "flag"
    flag.touch()
    volume = Volume.from_array(MASK, chunks=(8, 8, 8))
    objects = relabel(segment(volume, FailsOnce(str(flag)), halo=1), match="touch")
    with pytest.raises(BlocksFailed, match="not yet"):
        objects.to_zarr(path, progress=False, max_retries=0)
    flag.unlink()
    summary = objects.to_zarr(path, progress=False)
    segmented = summary["objects: segment"]
    assert segmented.skipped > 0
    assert_same_up_to_names(open_volume(path)[:], labels_of(MASK))
    again = objects.to_zarr(path, progress=False)
    assert [t.completed for t in again.tasks] == [0]
    assert not Path(f"{path}.scratch").exists()


@pytest.mark.parametrize("options", [{"overwrite": True}, {"overwrite": True, "resume": False}])
def test_made_anew(path, options):
    parts = connected_components(Volume.from_array(MASK, chunks=(8, 8, 8)))
    stored(relabel(parts, match="touch", keep_scratch=True), path)
    ids = stored(relabel(parts, match="touch", min_size=9), path, **options)
    assert ids.max() == (np.bincount(labels_of(MASK).ravel())[1:] >= 9).sum()


def test_kept_scratch_serves_a_worker_file(path, tmp_path):
    parts = connected_components(Volume.from_array(MASK, chunks=(8, 8, 8)), halo=2)
    ids = stored(relabel(parts, match="touch", keep_scratch=True), path)
    again = create_volume(f"{tmp_path}/out.zarr/again", open_volume(path))
    assert again.block_shape == (8, 8, 8)
    process = spawn_worker(f"{tmp_path}/out.zarr/again", f"{path}.scratch")
    for number, index in enumerate(np.ndindex(3, 3, 3)):
        roi = Roi(np.array(index) * 8, (8, 8, 8)).intersect(again.roi)
        process(Block(again.roi, roi, roi, ("relabel", number)))
    np.testing.assert_array_equal(again[:], ids)


def taken_for_its_neighbour(array):
    """Labels, except that a part of object 2 that is hardly seen looks like object 1."""
    hardly = np.count_nonzero(array == 2) < 15
    return np.where((array == 2) & hardly, 1, array)


def test_what_a_block_fuses_at_the_end_of_its_halo_does_not_count():
    truth = np.ones((6, 24), np.uint32)
    truth[1:, 14:], truth[1:, :14] = 2, 0
    parts = segment(Volume.from_array(truth, chunks=(6, 12)), taken_for_its_neighbour, halo=4)
    np.testing.assert_array_equal(computed(relabel(parts, match="fraction")), truth)


@pytest.mark.parametrize("rule", [{"min_iou": 0.3}, {"match": "fraction"}, {"match": "touch"}])
def test_kept_scratch_is_relabelled_by_another_rule(rule, path, tmp_path):
    parts = segment(
        Volume.from_array(CELLS, chunks=(8, 9, 10), voxel_size=(4, 2, 2)), as_seen, halo=4
    )
    stored(relabel(parts, min_iou=0.9, keep_scratch=True), path)
    again = relabel(f"{path}.scratch", min_size=20, **rule)
    expected = computed(relabel(parts, min_size=20, **rule))
    np.testing.assert_array_equal(computed(again), expected)
    summary = again.to_zarr(f"{tmp_path}/out.zarr/again", progress=False)
    steps = ("stitch", "solve", "relabel", "clean")
    assert [task.name for task in summary.tasks] == [f"again: {step}" for step in steps]
    np.testing.assert_array_equal(open_volume(f"{tmp_path}/out.zarr/again")[:], expected)
    np.testing.assert_array_equal(stored(again, path, overwrite=True), expected)
    assert open_volume(path).voxel_size == (4, 2, 2)
    with pytest.raises(ValueError, match=r"block_shape must be \(8, 9, 10\)"):
        again.to_zarr(f"{tmp_path}/out.zarr/other", block_shape=(8, 8, 8))


def test_kept_scratch_answers_regions(path):
    parts = segment(Volume.from_array(CELLS, chunks=(8, 9, 10)), as_seen, halo=4)
    stored(relabel(parts, keep_scratch=True), path)
    kept = relabel(f"{path}.scratch").inputs[0]
    box = (slice(3, 20), slice(0, 26), slice(9, 11))
    pairs = np.unique(np.stack([kept[box].ravel(), CELLS[box].ravel()]), axis=1)
    assert len(np.unique(pairs[0])) == pairs.shape[1]
    assert kept[:].min() > 0


def test_scratch_that_lacks_blocks_is_refused(path, tmp_path):
    flag = tmp_path / "flag"
    flag.touch()
    parts = segment(Volume.from_array(MASK, chunks=(8, 8, 8)), FailsOnce(str(flag)), halo=1)
    with pytest.raises(BlocksFailed, match="not yet"):
        relabel(parts, match="touch").to_zarr(path, progress=False, max_retries=0)
    with pytest.raises(ValueError, match="lacks the labels of 2 of 27 blocks: let the run"):
        relabel(f"{path}.scratch")
    with pytest.raises(FileNotFoundError, match=r"nothing\.scratch"):
        relabel(f"{tmp_path}/nothing.scratch")


def test_never_in_place(path, tmp_path):
    connected_components(Volume.from_array(MASK, chunks=(8, 8, 8))).to_zarr(path, progress=False)
    with pytest.raises(ValueError, match="another path"):
        relabel(open_volume(path), match="touch").to_zarr(path, overwrite=True)


PARTS = connected_components(Volume.from_array(MASK))


@pytest.mark.parametrize(
    "fragments, parameters, message",
    [
        (
            PARTS,
            {"match": "iou"},
            r"no halo\. Labels made block by block: segment with halo=\(16, 16, 16\)",
        ),
        (PARTS, {"match": "mutex"}, r"is for what watershed\(affinities, .* got <SegmentVolume"),
        (Volume.from_array(CELLS), {"match": "iou"}, "no halo"),
        (
            segment(Volume.from_array(MASK), np.copy, halo=2).checkpoint("never.zarr"),
            {"match": "fraction"},
            r"relabel what this checkpoint stores, .* and store what that makes",
        ),
        (
            watershed(
                Volume.from_array(NOISE[None], axes="czyx"), offsets=[(0, 0, -1)], halo=0
            ).checkpoint("never.zarr"),
            {},
            r"relabel what this checkpoint stores, the watershed\(\.\.\.\)",
        ),
        (PARTS, {"match": "any"}, "must be one of .* got 'any'"),
        (PARTS, {"match": "touch", "connectivity": 4}, r"^connectivity must be in 1..3, got 4"),
        (PARTS, {"match": "touch", "min_iou": 0}, r"^min_iou must be in \(0, 1\], got 0"),
        (PARTS, {"match": "fraction"}, "no halo"),
        (PARTS, {"match": "touch", "min_size": -1}, "^min_size must be at least 0 voxels, got -1"),
        (Volume.from_array(NOISE), {"match": "touch"}, "integers without channels"),
        (Volume.from_array(CELLS[None]), {"match": "touch"}, "without channels"),
    ],
)
def test_mistakes_are_explained(fragments, parameters, message):
    with pytest.raises(ValueError, match=message):
        relabel(fragments, **parameters)


@pytest.mark.parametrize("connectivity", [1, 2, 3])
def test_real_membranes_equal_scipy_on_the_whole_volume(data, path, connectivity):
    raw = imread(data / "fib25/raw.tif")[:100, :120, :140]
    volume = threshold(Volume.from_array(raw, voxel_size=(10, 10, 10), chunks=(40, 50, 60)), 160)
    parts = connected_components(volume, connectivity=connectivity)
    objects = relabel(parts, match="touch", connectivity=connectivity)
    truth = labels_of(raw > 160, connectivity)
    assert truth.max() > 100
    assert_same_up_to_names(stored(objects, path), truth)


@pytest.mark.parametrize("unit", ["micrometer", "nanometer", ""], ids=["um", "nm", "none"])
def test_voxels_of_any_size_are_relabelled_and_kept(unit, path):
    mask = Volume.from_array(
        np.arange(64).reshape(8, 8) % 3 > 0,
        (0.5, 0.108333333333),
        (1.5, 0),
        unit=unit,
        chunks=(4, 4),
    )
    ids = stored(relabel(connected_components(mask), keep_scratch=True), path)
    found, kept = open_volume(path), relabel(f"{path}.scratch").inputs[0]
    assert (found.roi, found.unit, found.placement.written_size) == (
        *(mask.roi, mask.unit),
        mask.placement.written_size,
    )
    assert kept.placement == mask.placement
    again = relabel(f"{path}.scratch", match="touch")
    np.testing.assert_array_equal(stored(again, f"{path}/../again"), ids)
