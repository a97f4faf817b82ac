"""Segmenting lazily: local to a region, unique over the volume once stored."""

from dataclasses import replace

import numpy as np
import pytest
from bioimage_cpp.affinities import compute_affinities
from hypothesis import given, settings
from hypothesis import strategies as st
from objects import labels_of
from scipy import ndimage
from skimage.segmentation import watershed as flooded

from dask_blockwise import (
    Block,
    Roi,
    Task,
    Volume,
    connected_components,
    create_volume,
    open_volume,
    relabel,
    segment,
    threshold,
    watershed,
)
from dask_blockwise.labels.scores import score_segmentation
from dask_blockwise.segment_worker import spawn_worker

RNG = np.random.default_rng(0)
MASK = (RNG.random((11, 12, 13)) < 0.4).astype(np.uint8)
# Neighbours at one time.
IN_TIME = np.zeros((3, 3, 3, 3), bool)
IN_TIME[1] = True
OFFSETS = [(-1, 0, 0), (0, -1, 0), (0, 0, -1), (-3, 0, 0), (0, -3, 0), (0, 0, -3)]


@pytest.fixture
def present(threads):
    with threads.as_current():
        yield


def cut_into_blocks(array, block):
    """Each block's box and its own connected components."""
    for index in np.ndindex(*(-(-n // b) for n, b in zip(array.shape, block, strict=True))):
        box = tuple(slice(i * b, (i + 1) * b) for i, b in zip(index, block, strict=True))
        yield box, labels_of(array[box])


def assert_one_to_one(one, other):
    pairs = np.unique(np.stack([one.ravel(), other.ravel()]).astype(np.uint64), axis=1)
    assert all(len(np.unique(side)) == pairs.shape[1] for side in pairs)


@settings(max_examples=20, deadline=None)
@given(st.tuples(*[st.integers(3, 13)] * 3))
def test_no_id_is_used_twice_by_blocks(block):
    mask = Volume.from_array(MASK, chunks=block)
    labels = connected_components(mask).data.compute(scheduler="synchronous")
    used = set()
    for box, own in cut_into_blocks(MASK, block):
        assert_one_to_one(labels[box], own)
        ids = set(np.unique(labels[box])) - {0}
        assert not ids & used
        used |= ids


def test_stored_ids_are_those_of_blocks(tmp_path, present):
    labels = connected_components(Volume.from_array(MASK, chunks=(5, 6, 7)))
    labels.to_zarr(f"{tmp_path}/a.zarr/labels", progress=False)
    stored = open_volume(f"{tmp_path}/a.zarr/labels")[:]
    np.testing.assert_array_equal(stored, labels.data.compute(scheduler="synchronous"))
    size = 5 * 6 * 7
    for number, (box, own) in enumerate(cut_into_blocks(MASK, (5, 6, 7))):
        ids = np.unique(stored[box][stored[box] > 0])
        np.testing.assert_array_equal(ids, number * size + np.arange(1, own.max() + 1))


def test_a_region_is_computed_with_its_halo_alone():
    volume, seen = Volume.from_array(MASK, chunks=(4, 4, 4)), []

    def look(array):
        seen.append(array)
        return labels_of(array)

    labels = segment(volume, look, halo=((2, 1), 0, 3))
    region = labels[Roi((4, 0, 5), (3, 12, 4))]
    np.testing.assert_array_equal(seen[0], MASK[2:8, :, 2:12])
    np.testing.assert_array_equal(region, labels_of(MASK[2:8, :, 2:12])[2:5, :, 3:7])


def test_each_time_point_has_ids_of_its_own():
    film = (RNG.random((3, 9, 10)) < 0.5).astype(np.uint8)
    volume = Volume.from_array(film, axes="tyx", chunks=(2, 4, 10))
    labels = connected_components(volume)
    for ids in labels[:], labels.data.compute(scheduler="synchronous"):
        points = [set(np.unique(point)) - {0} for point in ids]
        assert not points[0] & points[1] | points[0] & points[2] | points[1] & points[2]
    for point, truth in zip(labels[:], film, strict=True):
        assert_one_to_one(point, labels_of(truth))


def test_a_part_of_a_volume_is_labelled_with_its_halo_beyond_it():
    volume, seen = Volume.from_array(MASK, offset=(10, 0, 0), chunks=(4, 4, 4)), []

    def look(array, block):
        seen.append((array, block))
        return labels_of(array)

    part = Roi((13, 2, 4), (6, 7, 9))
    labels = segment(volume, look, halo=2, roi=part)
    assert (labels.roi, labels.block_shape) == (part, (4, 4, 4))
    region = labels[Roi((17, 6, 4), (2, 3, 4))]
    array, block = seen[0]
    np.testing.assert_array_equal(array, MASK[5:11, 4:11, 2:10])
    np.testing.assert_array_equal(region, labels_of(array)[2:4, 2:5, 2:6])
    assert block.write_roi == Roi((17, 6, 4), (2, 3, 4))
    assert block.read_roi == Roi((15, 4, 2), (6, 7, 8))
    assert block.number == 1 * 2 * 3 + 1 * 3


@pytest.mark.parametrize("shape", [(11, 12), (11, 12, 13)])
def test_stored_and_relabelled_blocks_know_where_they_are(shape, tmp_path, present):
    """Each block's function is told the very grid of the run, the halo cut at the border."""
    told = tmp_path / "told"
    volume = Volume.from_array(np.ones(shape, np.uint8), chunks=(5,) * len(shape))

    def look(array, block):
        with told.open("a") as file:
            file.write(f"{block.number} {block.read_roi} {block.write_roi}\n")
        return np.ones(array.shape, int) * (block.number + 1)

    labels = segment(volume, look, halo=2)
    grid = Task(
        "t", volume.roi.grow((2,) * len(shape), (2,) * len(shape)),
        Roi((0,) * len(shape), (9,) * len(shape)), Roi((2,) * len(shape), (5,) * len(shape)),
        print, fit="shrink",
    ).grid  # fmt: skip
    expected = {
        f"{n} {read.intersect(volume.roi)} {write}"
        for n, (read, write) in enumerate(map(grid.rois, range(len(grid))))
    }
    for stored in labels, relabel(labels, match="touch"):
        stored.to_zarr(f"{tmp_path}/{stored.source.kind}.zarr/labels", progress=False)
        assert set(told.read_text().splitlines()) == expected
        told.unlink()


def test_a_file_and_its_default_parameters(tmp_path):
    file = tmp_path / "above.py"
    file.write_text(
        "default_parameters = {'level': 1, 'name': 7}\n"
        "def segment_function(input_array, block, level, name):\n"
        "    return (input_array > level) * name\n"
    )
    volume = Volume.from_array(np.array([[0, 1, 2]], np.uint8))
    assert segment(volume, file, halo=0)[:].tolist() == [[0, 0, 7]]
    assert segment(volume, str(file), halo=0, level=0)[:].tolist() == [[0, 7, 7]]


def test_a_mask_is_cut_to_the_same_region():
    volume = Volume.from_array(np.ones((6, 6), np.uint8), chunks=(3, 3))
    mask = Volume.from_array(np.eye(6, dtype=np.uint8))
    labels = segment(volume, lambda array, mask: array * mask, halo=1, mask=mask)
    np.testing.assert_array_equal(labels[2:5, 1:6] > 0, np.eye(6)[2:5, 1:6])


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_watershed_finds_clean_objects_in_each_block(dtype):
    truth = (np.indices((12, 16, 16)) // 8).sum(0).astype(np.uint32) % 5 + 1
    affinities, _ = compute_affinities(truth, OFFSETS)
    values = (affinities * np.iinfo(dtype).max).astype(dtype) if dtype == np.uint8 else affinities
    volume = Volume.from_array(values, chunks=(6, 12, 16, 16))
    labels = watershed(volume, offsets=OFFSETS, halo=4)
    assert labels.axes == ("z", "y", "x")
    assert_one_to_one(labels[:], labels_of_equal(truth))


def test_watershed_leaves_out_channels_after_those_of_the_offsets_where_asked():
    more = Volume.from_array(np.random.default_rng(1).random((8, 6, 9, 9), np.float32))
    labels = watershed(more, offsets=OFFSETS, halo=2, more_channels=True)
    first = Volume.from_array(more[:][:6])
    np.testing.assert_array_equal(labels[:], watershed(first, offsets=OFFSETS, halo=2)[:])
    assert labels[:].any()


def labels_of_equal(truth):
    result, first = np.zeros(truth.shape, int), 0
    for value in np.unique(truth):
        own = labels_of(truth == value)
        result[own > 0] = own[own > 0] + first
        first += own.max()
    return result


def test_watershed_from_distances_of_a_map_without_channels():
    inside = (ndimage.distance_transform_edt(MASK == 0) > 0).astype(np.float32)
    labels = watershed(Volume.from_array(inside), seeds="distance", fill=False, halo=2)
    np.testing.assert_array_equal(labels[:] > 0, inside > 0.5)


@pytest.mark.parametrize("channels", [1, 3])
def test_distance_seeds_of_channels_need_their_offsets(channels):
    maps = Volume.from_array(np.zeros((channels, 4, 4, 4), np.float32), axes="czyx")
    with pytest.raises(ValueError, match=r"their offsets=.*isel\(c=0\)"):
        watershed(maps, seeds="distance")


@pytest.mark.parametrize("seed", [1, 3])
def test_distance_seeds_with_a_largest_distance_are_those_of_one_piece(seed):
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).random((160, 160)), 4)
    volume = Volume.from_array((noise > np.quantile(noise, 0.45)).astype(np.float32))

    def apart(**options):
        """How far blocks of 40 are from one piece, VOI in bits."""
        one, blocks = (
            relabel(
                watershed(
                    volume, seeds="distance", sigma=1, fill=False, halo=12, **more, **options
                ),
                match="fraction",
            ).data.compute(scheduler="synchronous")
            for more in ({"block_shape": (160, 160)}, {"block_shape": (40, 40)})
        )
        return score_segmentation(one + 1, blocks + 1).voi

    assert apart(max_distance=3) < 1e-6
    assert apart() > 0.05


AFFINITIES = Volume.from_array(np.ones((6, 4, 4, 4), np.float32))


def test_a_mask_that_is_computed_is_no_probability_of_1_in_255():
    mask = threshold(Volume.from_array(np.arange(64, dtype="uint8").reshape(4, 4, 4)), 30)

    six = threshold(AFFINITIES, 0.5)
    with pytest.raises(ValueError, match=r"is a mask or classes, .* 1 would count as 1/255: give"):
        watershed(six, offsets=OFFSETS)

    labels = watershed(mask, seeds="distance", sigma=1)[:]
    np.testing.assert_array_equal(labels > 0, mask[:] > 0)


def flags(shape):
    return Volume.from_array(RNG.integers(0, 2, shape).astype(np.uint8))


def test_bytes_of_0_and_1_are_affinities_once_it_is_said_which():
    joined = flags((6, 8, 8, 8))
    said = replace(joined, frame=replace(joined.frame, stands_for=(0, 1)))
    for scaled, factor in (joined.astype("float32"), 1), (joined / 255, 255), (said, 255):
        found = watershed(scaled, offsets=OFFSETS, halo=0)[:]
        floats = Volume.from_array(joined[:].astype(np.float64) / factor)
        np.testing.assert_array_equal(found, watershed(floats, offsets=OFFSETS, halo=0)[:])


@pytest.mark.parametrize(
    ("dtype", "inside"),
    [(bool, 1), (np.uint8, 1), (np.uint8, 255), (np.uint8, 2), (np.int64, 1), (np.float32, 1)],
)
def test_a_mask_is_split_as_scikit_image_does(dtype, inside):
    y, x = np.mgrid[:40, :60]
    mask = ((y - 20) ** 2 + (x - 20) ** 2 < 144) | ((y - 20) ** 2 + (x - 40) ** 2 < 144)
    distance = ndimage.distance_transform_edt(mask)
    markers = np.zeros(mask.shape, int)
    markers[20, 20], markers[20, 40] = 1, 2
    expected = flooded(-distance, markers, mask=mask)
    given = Volume.from_array(mask.astype(dtype) * dtype(inside), chunks=(20, 30))
    found = watershed(given, seeds="distance", sigma=1)[:]
    np.testing.assert_array_equal(found > 0, mask)
    pairs = np.unique(np.stack([found[mask], expected[mask]]), axis=1, return_counts=True)
    assert np.sort(pairs[1])[-2:].sum() > 0.95 * mask.sum()
    named = threshold(Volume.from_array(mask.astype(np.float32)), 0.5)
    np.testing.assert_array_equal(watershed(named, seeds="distance", sigma=1)[:], found)
    filled = watershed(named, seeds="distance", sigma=1, fill=True)[:]
    assert (filled > 0).all()


SHIFTED = Volume.from_array(np.ones((4, 4, 4), np.uint8), offset=(0, 0, 9))
PLAIN = Volume.from_array(np.ones((4, 4, 4), np.float32))


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: watershed(AFFINITIES), ValueError, "6 offsets, got none"),
        (lambda: watershed(PLAIN), ValueError, "Or give seeds='distance' where this is a mask"),
        (
            lambda: watershed(PLAIN, offsets=[(-1, 0, 0)]),
            ValueError,
            r"a channel for each offset, got the axes \('z', 'y', 'x'\): name the channels' axis",
        ),
        (
            lambda: watershed(AFFINITIES, offsets=[*OFFSETS[:5], (0, -1.5, 0)]),
            ValueError,
            r"whole number of voxels for each of the 3 axes, got .*-1\.5",
        ),
        (
            lambda: watershed(AFFINITIES, offsets=[tuple(8 * n for n in o) for o in OFFSETS]),
            ValueError,
            "steps in voxels, not in the world's units",
        ),
        (
            lambda: watershed(AFFINITIES, offsets=OFFSETS, strides=(1, 1.5, 1)),
            ValueError,
            "strides must be a positive integer for each of the 3 axes",
        ),
        (lambda: watershed(PLAIN, seeds="far"), ValueError, "or 'distance', got 'far'"),
        (
            lambda: watershed(PLAIN, seed="distance"),
            TypeError,
            r"^watershed has no parameter 'seed' \(did you mean 'seeds'\?\)",
        ),
        (
            lambda: watershed(flags((6, 8, 8, 8)), offsets=OFFSETS),
            ValueError,
            "holds 0 and 1, but .* would count as 1/255",
        ),
        (lambda: watershed(AFFINITIES, offsets=OFFSETS[:3]), ValueError, "6 offsets, got 3"),
        (
            lambda: watershed(AFFINITIES, offsets=[*OFFSETS, (0, 0, -1)], more_channels=True),
            ValueError,
            "6 channels.*got 7",
        ),
        (lambda: watershed(AFFINITIES, offsets=[(1, 0)] * 6), ValueError, "each of the 3 axes"),
        (lambda: segment(PLAIN, "nowhere.py", halo=0), FileNotFoundError, "nowhere.py"),
        (lambda: segment(PLAIN, labels_of, halo=(1, 2)), ValueError, "halo must be"),
        (lambda: segment(PLAIN, labels_of, halo=1, mask=PLAIN), TypeError, "no parameter 'mask'"),
        (
            lambda: segment(PLAIN, labels_of, halo=0, roi=Roi((0, 0, 1), (4, 4, 4))),
            ValueError,
            "isn't within",
        ),
        (
            lambda: segment(PLAIN, lambda a, mask: a, halo=1, mask=SHIFTED),
            ValueError,
            "the same region",
        ),
        (lambda: segment(PLAIN, lambda a: a, halo=0)[:], TypeError, "returned float32"),
        (lambda: segment(PLAIN, lambda a: a[1:] > 0, halo=0)[:], ValueError, "keep the shape"),
    ],
)
def test_mistakes_are_explained(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_worker_numbers_blocks_apart(tmp_path):
    path, output = f"{tmp_path}/a.zarr/in", f"{tmp_path}/a.zarr/out"
    source = create_volume(path, Volume.from_array(MASK, chunks=(5, 6, 7)))
    for box, _ in cut_into_blocks(MASK, (5, 6, 7)):
        roi = Roi([s.start for s in box], MASK[box].shape)
        source[roi] = MASK[box]
    result = create_volume(output, source, dtype="uint64")
    file = tmp_path / "components.py"
    file.write_text("from dask_blockwise.components_function import segment_function\n")
    process = spawn_worker(path, output, str(file), parameters={"connectivity": 1})
    for number, (box, _) in enumerate(cut_into_blocks(MASK, (5, 6, 7))):
        roi = Roi([s.start for s in box], MASK[box].shape)
        process(Block(source.roi, roi.grow((1, 1, 1), (1, 1, 1)), roi, ("segment", number)))
    ids = [set(np.unique(result[:][box])) - {0} for box, _ in cut_into_blocks(MASK, (5, 6, 7))]
    assert sum(map(len, ids)) == len(set().union(*ids)) > 50


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"sigma": -2}, "^sigma must be a number of voxels from 0 up, got -2"),
        ({"sigma": "2"}, "^sigma must be a number of voxels from 0 up, got '2'"),
        ({"sigma": float("nan")}, "^sigma must be .* got nan"),
        ({"max_distance": 0}, "^max_distance must be above 0 voxels or None, got 0"),
        ({"bias": (0.5, 0.5)}, "^seeds='distance' takes a single bias"),
        ({"min_size": -3}, "^min_size must be at least 0 voxels, got -3"),
    ],
    ids=["negative", "text", "nan", "distance", "biases", "size"],
)
def test_numbers_of_a_seeded_watershed_are_checked_at_the_call(given, message):
    volume = Volume.from_array(np.ones((4, 4, 4), np.float32))
    with pytest.raises(ValueError, match=message):
        watershed(volume, seeds="distance", **given)


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("dtype", ["bool", "uint8", "int8", "uint32", "int64", "uint64"])
def test_labels_may_be_of_any_type_of_integers(present, tmp_path, dtype, times):
    # Rods that end where blocks do, so that no block has more than the narrowest type tells apart.
    rods = np.zeros((times, 16, 16, 18), np.uint8)
    rods[..., ::2, ::2, :9] = rods[..., ::2, 1::2, 10:] = 1
    values, axes = (rods, "tzyx") if times > 1 else (rods[0], "zyx")
    volume = Volume.from_array(values, axes=axes, chunks=(1, 8, 8, 9)[-values.ndim :])
    labels = segment(volume, lambda array: ndimage.label(array)[0].astype(dtype), halo=0)
    relabel(labels, match="touch").to_zarr(tmp_path / "a.zarr/objects", progress=False)
    found = open_volume(tmp_path / "a.zarr/objects")[:].reshape(rods.shape)
    np.testing.assert_array_equal(found > 0, rods > 0)
    if dtype == "bool":  # one object for each block
        assert found.max() == 8 * times
    else:
        expected = ndimage.label(rods, ndimage.generate_binary_structure(4, 1) & IN_TIME)[0]
        assert_one_to_one(found, expected)
