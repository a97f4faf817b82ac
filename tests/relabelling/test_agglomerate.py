"""Objects of the whole volume from fragments, against the same solver on the whole graph."""

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from objects import assert_same_up_to_names
from scipy import ndimage

from dask_blockwise import Volume, agglomerate, open_volume, relabel, watershed
from dask_blockwise.relabelling.contacts import count_contacts, sum_contacts
from dask_blockwise.relabelling.partition import partition

OFFSETS = [(-1, 0, 0), (0, -1, 0), (0, 0, -1), (-3, 0, 0), (0, -4, 0), (0, 2, 5)]
FLAT = [(-1, 0), (0, -1), (-3, 2)]
METHODS = ["mean", "mutex", "multicut"]


def noise(shape, seed=0, sigma=1.0):
    """Affinities between 0 and 1, smooth in space."""
    values = np.random.default_rng(seed).random(shape, np.float32)
    smooth = ndimage.gaussian_filter(values, (0, *(sigma,) * (len(shape) - 1)))
    return ((smooth - smooth.min()) / (smooth.max() - smooth.min())).astype(np.float32)


def computed(volume):
    return volume.data.compute(scheduler="synchronous")


def cut_by_blocks(labels, block):
    """Ids of fragments that end at block faces, in the order of blocks and labels."""
    ids, first = np.zeros(labels.shape, np.uint64), 0
    counts = [-(-n // b) for n, b in zip(labels.shape, block, strict=True)]
    for index in np.ndindex(*counts):
        core = tuple(slice(i * b, (i + 1) * b) for i, b in zip(index, block, strict=True))
        found, inverse = np.unique(labels[core], return_inverse=True)
        number = np.cumsum(found > 0) * (found > 0)
        ids[core] = np.where(number > 0, number + first, 0)[inverse].reshape(labels[core].shape)
        first += number.max(initial=0)
    return ids, first


def whole(ids, count, affinities, offsets, threshold, method):
    """Objects by the same solver on the graph of the whole volume."""
    everything = tuple(slice(0, n) for n in ids.shape)
    thresholds = np.broadcast_to(threshold, len(offsets)).tolist()
    rows = count_contacts(ids, affinities, offsets, thresholds, everything)
    rows[:, :2] -= np.uint64(1)
    objects = partition(count, sum_contacts([rows]), method) + 1
    return np.concatenate([[0], objects])[ids]


@settings(max_examples=10, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(
    st.tuples(*[st.integers(2, 9)] * 3),
    st.sampled_from(METHODS),
    st.sampled_from([0.5, [0.3, 0.4, 0.5, 0.6, 0.5, 0.45]]),
    st.integers(0, 99),
)
def test_blocks_equal_the_solver_on_the_whole_graph(block, method, threshold, seed):
    affinities = noise((6, 7, 9, 8), seed)
    labels = np.random.default_rng(seed).integers(0, 9, (4, 5, 4)).repeat(2, 0).repeat(2, 1)
    labels = labels.repeat(2, 2)[:7, :9, :8]
    fragments = Volume.from_array(labels, chunks=block)
    volume = Volume.from_array(affinities, chunks=(6, 4, 4, 4))
    found = agglomerate(fragments, volume, offsets=OFFSETS, method=method, threshold=threshold)
    ids, count = cut_by_blocks(labels, block)
    expected = whole(ids, count, affinities, OFFSETS, threshold, method)
    assert_same_up_to_names(computed(found), expected)


def test_stored_equals_the_dask_array_for_any_workers(client, tmp_path):
    affinities = Volume.from_array(
        noise((6, 18, 20, 22)), voxel_size=(4, 2, 2), chunks=(6, 9, 10, 11)
    )
    fragments = watershed(affinities, offsets=OFFSETS, halo=3)
    objects = agglomerate(fragments, affinities, offsets=OFFSETS, method="mutex", min_size=5)
    expected = computed(objects)
    for name, workers in ("one", 1), ("many", None):
        path = f"{tmp_path}/a.zarr/{name}"
        objects.to_zarr(path, client=client, num_workers=workers, progress=False)
        stored = open_volume(path)
        np.testing.assert_array_equal(stored[:], expected)
    assert stored.voxel_size == (4, 2, 2)
    assert np.bincount(expected.ravel().astype(np.intp))[1:].min() >= 5


def test_a_region_is_one_piece():
    affinities = noise((3, 12, 14))
    volume = Volume.from_array(affinities, axes="cyx", chunks=(3, 5, 5))
    labels = np.arange(12 * 14).reshape(12, 14) // 3 + 1
    objects = agglomerate(Volume.from_array(labels, chunks=(5, 5)), volume, offsets=FLAT)
    box = (slice(2, 11), slice(3, 12))
    ids, count = cut_by_blocks(labels[box], (9, 9))
    expected = whole(ids, count, affinities[(..., *box)], FLAT, 0.5, "mean")
    assert_same_up_to_names(objects[box], expected)


def test_time_points_stay_apart():
    affinities = noise((2, 3, 8, 9))
    labels = np.random.default_rng(0).integers(0, 6, (2, 8, 9))
    film = Volume.from_array(affinities, axes="tcyx", chunks=(1, 3, 4, 4))
    fragments = Volume.from_array(labels, axes="tyx", chunks=(2, 4, 5))
    found = computed(agglomerate(fragments, film, offsets=FLAT))
    assert not set(np.unique(found[0])) & set(np.unique(found[1])) - {0}
    for point, now, before in zip(found, labels, affinities, strict=True):
        ids, count = cut_by_blocks(now, (4, 5))
        expected = whole(ids, count, before, FLAT, 0.5, "mean")
        numbers = np.unique(point, return_inverse=True)[1].reshape(point.shape)
        assert_same_up_to_names(numbers, expected)


def test_a_checkpoint_serves_fragments_and_edges(threads, tmp_path):
    affinities = Volume.from_array(noise((3, 20, 22)), axes="cyx", chunks=(3, 8, 8))
    expected = computed(
        agglomerate(watershed(affinities, offsets=FLAT, halo=2), affinities, offsets=FLAT)
    )
    kept = affinities.checkpoint(f"{tmp_path}/a.zarr/affinities")
    fragments = watershed(kept, offsets=FLAT, halo=2)
    with threads.as_current():
        objects = agglomerate(fragments, kept, offsets=FLAT, keep_scratch=True)
        summary = objects.to_zarr(f"{tmp_path}/a.zarr/ids", progress=False)
        again = agglomerate(f"{tmp_path}/a.zarr/ids.scratch", kept, offsets=FLAT)
        again.to_zarr(f"{tmp_path}/a.zarr/again", progress=False)
        matched = relabel(f"{tmp_path}/a.zarr/ids.scratch", match="fraction")
    assert sum(t.task_id.startswith("affinities") for t in summary.tasks) == 1
    np.testing.assert_array_equal(open_volume(f"{tmp_path}/a.zarr/ids")[:], expected)
    np.testing.assert_array_equal(open_volume(f"{tmp_path}/a.zarr/again")[:], expected)
    np.testing.assert_array_equal(computed(matched), computed(relabel(fragments, match="fraction")))


LABELS = Volume.from_array(np.ones((4, 5, 6), int))
AFFINITIES = Volume.from_array(np.ones((6, 4, 5, 6), np.float32))
ELSEWHERE = Volume.from_array(np.ones((6, 4, 5, 6), np.float32), offset=(1, 0, 0))


@pytest.mark.parametrize(
    ("fragments", "affinities", "options", "error", "message"),
    [
        (AFFINITIES, AFFINITIES, {}, ValueError, "integers without channels"),
        (LABELS, LABELS, {}, ValueError, "a channel for each offset"),
        (LABELS, ELSEWHERE, {}, ValueError, "must cover the same region"),
        (LABELS, AFFINITIES, {"offsets": FLAT}, ValueError, "6 channels, .* needs 6 offsets"),
        (LABELS, AFFINITIES, {"method": "any"}, ValueError, "method must be one of .* 'any'"),
        (LABELS, AFFINITIES, {"threshold": [1, 2]}, ValueError, "one number or one for each"),
        (LABELS, AFFINITIES, {"min_size": -1}, ValueError, "^min_size must be at least 0 voxels"),
        (
            LABELS,
            Volume.from_array(np.ones((6, 4, 5, 6), np.int16)),
            {},
            TypeError,
            "must be float in .* got int16",
        ),
    ],
)
def test_mistakes_are_explained(fragments, affinities, options, error, message):
    with pytest.raises(error, match=message):
        agglomerate(fragments, affinities, **({"offsets": OFFSETS} | options))
