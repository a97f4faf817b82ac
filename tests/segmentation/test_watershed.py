"""Watershed of one array."""

import bioimage_cpp
import mwatershed
import numpy as np
import pytest
from scipy import ndimage
from skimage.metrics import variation_of_information

from dask_blockwise.segmentation.watershed import segment_function

OFFSETS = [
    *[(-1, 0, 0), (0, -1, 0), (0, 0, -1)],
    *[(-3, 0, 0), (0, -3, 0), (0, 0, -3)],
]


def cells(shape, count, seed=0):
    """Labels of the nearest of some random points: convex, touching cells."""
    points = np.random.default_rng(seed).random((count, len(shape))) * shape
    grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1)
    distance = np.linalg.norm(grid[..., None, :] - points, axis=-1)
    return distance.argmin(-1).astype(np.uint32) + 1


def affinities(labels, offsets=OFFSETS):
    values, _ = bioimage_cpp.affinities.compute_affinities(labels, offsets)
    return values


def assert_same_partition(one, other):
    pairs = np.unique(np.stack([one.ravel(), other.ravel()]).astype(np.int64), axis=1)
    for side in pairs:
        assert len(np.unique(side)) == pairs.shape[1]


LABELS = cells((20, 24, 28), 12)
CLEAN = affinities(LABELS)


def smooth_noise(strength, seed=0):
    noise = np.random.default_rng(seed).normal(size=CLEAN.shape)
    noise = np.stack([ndimage.gaussian_filter(channel, 1) for channel in noise])
    return np.clip(CLEAN + strength * noise / noise.std(), 0, 1).astype(np.float32)


@pytest.mark.parametrize("attract", ["all", "nearest"])
def test_clean_affinities_give_the_truth_as_mwatershed_does(attract):
    labels = segment_function(CLEAN, offsets=OFFSETS, attract=attract)
    reference = mwatershed.agglom(CLEAN.astype(np.float64) - 0.5, OFFSETS)
    assert labels.dtype == np.uint64
    assert_same_partition(labels, LABELS)
    assert_same_partition(labels, reference)


@pytest.mark.parametrize("bias", [0.4, [0.3] * 3 + [0.6] * 3])
def test_by_default_as_dacapo_does(bias):
    """mwatershed on the affinities less the bias, without the fragments of a mean below it."""
    noisy = smooth_noise(0.3)
    weights = noisy - np.broadcast_to(np.float32(bias), 6).reshape(6, 1, 1, 1)
    expected = mwatershed.agglom(weights.astype(np.float64), OFFSETS)
    ids = np.unique(expected)
    strong = ids[ndimage.mean(weights.mean(0), expected, ids) >= 0]
    kept = np.where(np.isin(expected, strong), expected, 0)
    assert 0 < len(np.unique(kept)) < len(np.unique(expected))
    assert_same_partition(segment_function(noisy, offsets=OFFSETS, bias=bias), kept)


def test_noisy_affinities_of_either_kind_are_alike():
    noisy = smooth_noise(0.1)
    one, other = (
        segment_function(noisy, offsets=OFFSETS, filter_fragments=False, attract=attract)
        for attract in ("all", "nearest")
    )
    assert 0 < sum(variation_of_information(one, other)) < 0.2


def test_labels_are_the_same_each_time():
    noisy = smooth_noise(0.3)
    first, second = (segment_function(noisy, offsets=OFFSETS) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_uint8_stands_for_the_unit_interval():
    noisy = np.round(smooth_noise(0.2) * 255).astype(np.uint8)
    np.testing.assert_array_equal(
        segment_function(noisy, offsets=OFFSETS),
        segment_function(noisy.astype(np.float32) * np.float32(1 / 255), offsets=OFFSETS),
    )


def test_two_dimensions():
    labels = cells((40, 50), 8)
    offsets = [(-1, 0), (0, -1), (-4, 0), (0, -4)]
    assert_same_partition(segment_function(affinities(labels, offsets), offsets=offsets), labels)


def test_order_of_channels_does_not_matter():
    order = [4, 0, 3, 2, 5, 1]
    labels = segment_function(CLEAN[order], offsets=[OFFSETS[c] for c in order])
    assert_same_partition(labels, LABELS)


@pytest.mark.parametrize("options", [{}, {"seeds": "distance"}])
def test_channels_after_those_of_the_offsets_are_left_out_where_asked(options):
    noisy = smooth_noise(0.2)
    more = np.concatenate([noisy, 1 - noisy[:4]])
    labels = segment_function(more, offsets=OFFSETS, more_channels=True, **options)
    np.testing.assert_array_equal(labels, segment_function(noisy, offsets=OFFSETS, **options))


@pytest.mark.parametrize("attract", ["all", "nearest"])
def test_mask_and_voxels_without_neighbours_are_background(attract):
    mask = np.ones(LABELS.shape, np.uint8)
    mask[:5] = 0
    alone = CLEAN.copy()
    alone[:, 10:12, 3:6, 3:6] = alone[3:, :, 3:9, 3:9] = 0
    labels = segment_function(alone, offsets=OFFSETS, mask=mask, attract=attract)
    assert not labels[:5].any()
    assert labels[10, 3:5, 3:5].tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize("attract, objects", [("all", 1), ("nearest", 2)])
def test_long_offsets_join_across_a_gap_or_do_not(attract, objects):
    mask = np.ones((8, 9, 9), bool)
    mask[:, 4] = False
    ones = np.ones((4, *mask.shape), np.float32)
    offsets = [*OFFSETS[:3], (0, -3, 0)]
    labels = segment_function(ones, offsets=offsets, mask=mask, attract=attract)
    np.testing.assert_array_equal(labels > 0, mask)
    assert len(np.unique(labels[mask])) == objects


@pytest.mark.parametrize("attract", ["all", "nearest"])
@pytest.mark.parametrize("depth", [1, 3])
def test_offsets_longer_than_the_array(attract, depth):
    thin = affinities(LABELS[:depth])
    labels = segment_function(thin, offsets=OFFSETS, attract=attract, filter_fragments=False)
    assert_same_partition(labels, LABELS[:depth])
    assert not segment_function(thin[:, :1, :1, :1], offsets=OFFSETS, attract=attract).any()


def test_bias_of_each_offset():
    low = CLEAN.copy()
    low[:3] *= 0.4
    assert not segment_function(low, offsets=OFFSETS, attract="nearest").any()
    for attract in "all", "nearest":
        each = segment_function(low, offsets=OFFSETS, bias=[0.2] * 3 + [0.5] * 3, attract=attract)
        assert_same_partition(each, LABELS)


def test_weak_and_small_fragments_become_background():
    weak = CLEAN * np.where(LABELS == 3, np.float32(0.55), np.float32(1))
    assert not segment_function(weak, offsets=OFFSETS, bias=0.6)[LABELS == 3].any()
    sizes = np.bincount(LABELS.ravel())
    limit = int(np.median(sizes[1:]))
    labels = segment_function(CLEAN, offsets=OFFSETS, min_size=limit)
    np.testing.assert_array_equal(labels > 0, (sizes >= limit)[LABELS])


@pytest.mark.parametrize("attract", ["all", "nearest"])
def test_strides_keep_clean_partitions(attract):
    labels = segment_function(CLEAN, offsets=OFFSETS, strides=(2, 2, 2), attract=attract)
    assert_same_partition(labels, LABELS)


@pytest.mark.parametrize("backend", ["bioimage-cpp", "skimage"])
def test_distance_seeds_part_touching_balls(backend):
    grid = np.stack(np.meshgrid(*[np.arange(40)] * 3, indexing="ij"), -1)
    centres = np.array([(12, 14, 14), (12, 14, 27), (27, 27, 20)])
    inside = np.zeros((40,) * 3, np.float32)
    for centre in centres:
        inside[np.linalg.norm(grid - centre, axis=-1) < 8] = 1
    labels = segment_function(inside, seeds="distance", fill=False, backend=backend)
    assert labels.max() == 3
    assert len({int(labels[tuple(centre)]) for centre in centres}) == 3
    np.testing.assert_array_equal(labels > 0, inside > 0.5)
    assert (segment_function(inside, seeds="distance", backend=backend) > 0).all()


def test_a_thick_object_is_one_seed_under_a_largest_distance():
    sausage = np.zeros((30, 90), np.float32)
    for column, width in ((5, 20), (30, 22), (60, 20)):
        sausage[15 - width // 2 : 15 + width // 2, column : column + 25] = 1
    sausage[8:22, 5:85] = 1
    parted = segment_function(sausage, seeds="distance", fill=False)
    whole = segment_function(sausage, seeds="distance", max_distance=4, fill=False)
    assert parted.max() > 1
    np.testing.assert_array_equal(whole, sausage > 0.5)


def test_distance_seeds_on_affinities_find_the_cells():
    labels = segment_function(CLEAN, offsets=OFFSETS, seeds="distance", sigma=1)
    split, merge = variation_of_information(LABELS, labels)
    assert merge < 0.5
    assert split < 1.5


def test_nothing_inside_gives_background_alone():
    assert not segment_function(np.zeros((8, 8), np.float32), seeds="distance").any()
    assert not segment_function(np.zeros((6, 8, 8, 8), np.float32), offsets=OFFSETS).any()


@pytest.mark.parametrize(
    "array, parameters, error, message",
    [
        (CLEAN, {}, ValueError, "6 channels, so watershed needs 6 offsets, got none"),
        (CLEAN, {"offsets": OFFSETS[:3]}, ValueError, "got 3.*more_channels=True"),
        (CLEAN[:5], {"offsets": OFFSETS, "more_channels": True}, ValueError, "5 channels.*got 6"),
        (CLEAN, {"offsets": [(1, 0)] * 6}, ValueError, "each of the 3 axes"),
        (CLEAN, {"offsets": [(3, 0, 0)] * 6}, ValueError, "nearest neighbour"),
        (CLEAN, {"offsets": OFFSETS, "bias": [0.5, 0.5]}, ValueError, "one for each of the 6"),
        (CLEAN, {"offsets": OFFSETS, "strides": (2, 0, 2)}, ValueError, "positive integer"),
        (CLEAN, {"offsets": OFFSETS, "mask": np.ones((2, 2))}, ValueError, r"mask has shape"),
        (CLEAN, {"offsets": OFFSETS, "attract": "some"}, ValueError, "'nearest', got 'some'"),
        (CLEAN, {"offsets": OFFSETS, "seeds": "random"}, ValueError, "'distance', got 'random'"),
        (CLEAN[0], {"seeds": "distance", "bias": [0.1]}, ValueError, "single bias"),
        (CLEAN[0], {"seeds": "distance", "max_distance": 0}, ValueError, "above 0 .* got 0"),
        (CLEAN[0], {"seeds": "distance", "backend": "vigra"}, ValueError, "got 'vigra'"),
        (CLEAN.astype(np.int32), {"offsets": OFFSETS}, TypeError, "got int32: scale"),
    ],
)
def test_mistakes_are_explained(array, parameters, error, message):
    with pytest.raises(error, match=message):
        segment_function(array, **parameters)
