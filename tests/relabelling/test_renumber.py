"""Labels of the whole volume get ids 1..n and stay the objects that they are, against numpy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dask_blockwise import (
    BlocksFailed,
    Roi,
    Volume,
    agglomerate,
    connected_components,
    map_overlap,
    open_volume,
    relabel,
    renumber,
    segment,
    threshold,
)

RNG = np.random.default_rng(0)
NAMES = np.unique(RNG.integers(1, 2**64, 60, dtype=np.uint64))
# Not connected, with ids of all sizes.
LABELS = np.append(NAMES[:40], np.array([0, 0, 2**64 - 1], np.uint64))[
    RNG.integers(0, 43, (5, 6, 7)).repeat(3, 0).repeat(3, 1).repeat(3, 2)
]


def numbered(labels, block, min_size=0):
    """The ids that are promised, from the whole volume in memory."""
    names, sizes = np.unique(labels[labels > 0], return_counts=True)
    new = dict.fromkeys(names[sizes < min_size].tolist(), 0)
    counts = [-(-n // b) for n, b in zip(labels.shape, block, strict=True)]
    for index in np.ndindex(*counts):
        core = tuple(slice(i * b, (i + 1) * b) for i, b in zip(index, block, strict=True))
        for name in np.unique(labels[core]).tolist():
            if name and name not in new:
                new[name] = max(new.values(), default=0) + 1
    return np.array([new.get(name, 0) for name in labels.ravel().tolist()]).reshape(labels.shape)


def computed(volume):
    return volume.data.compute(scheduler="synchronous")


@given(
    st.tuples(*[st.integers(1, 8)] * 2),
    st.tuples(*[st.integers(1, 9)] * 2),
    st.sampled_from([1, 2**20, 2**61]),
    st.integers(0, 6),
    st.integers(0, 99),
)
def test_ids_are_those_that_are_promised(block, shape, stride, min_size, seed):
    few = np.random.default_rng(seed).integers(0, 6, shape)
    labels = few.astype(np.uint64) * np.uint64(stride)
    found = computed(renumber(Volume.from_array(labels, chunks=block), min_size=min_size))
    np.testing.assert_array_equal(found, numbered(labels, block, min_size))


@pytest.mark.parametrize("block", [(4, 5, 6), (15, 18, 21), (8, 18, 3)])
@pytest.mark.parametrize("min_size", [0, 160])
def test_stored(block, min_size, threads, tmp_path):
    volume = Volume.from_array(LABELS, voxel_size=(40, 8, 8), chunks=block)
    path = f"{tmp_path}/a.zarr/ids"
    with threads.as_current():
        renumber(volume, min_size=min_size).to_zarr(path, progress=False)
    stored = open_volume(path)
    expected = numbered(LABELS, block, min_size)
    assert 0 < expected.max() < 41 if min_size else expected.max() == len(np.unique(LABELS)) - 1
    np.testing.assert_array_equal(stored[:], expected)
    assert stored.dtype == np.uint64
    assert stored.voxel_size == (40, 8, 8)
    assert not list(tmp_path.rglob("*.scratch"))


def test_workers_order_and_blocks_of_the_store_do_not_matter(client, tmp_path):
    Volume.from_array(LABELS, chunks=(5, 6, 7)).to_zarr(f"{tmp_path}/a.zarr/in", progress=False)
    labels = open_volume(f"{tmp_path}/a.zarr/in")
    expected = numbered(LABELS, (10, 6, 7))
    for name, workers in ("one", 1), ("many", None):
        path = f"{tmp_path}/a.zarr/{name}"
        renumber(labels).to_zarr(
            path, client=client, num_workers=workers, block_shape=(10, 6, 7), progress=False
        )
        np.testing.assert_array_equal(open_volume(path)[:], expected)


def test_a_failed_run_goes_on_where_it_stopped(threads, tmp_path):
    flag = tmp_path / "flag"
    flag.touch()

    def read(array):
        if flag.exists() and array.shape == (3, 4, 3):
            raise RuntimeError("not yet")
        return array

    labels = map_overlap(read, Volume.from_array(LABELS, chunks=(4, 7, 6)), dtype="uint64")
    path = f"{tmp_path}/a.zarr/ids"
    with threads.as_current():
        with pytest.raises(BlocksFailed, match="not yet"):
            renumber(labels).to_zarr(path, progress=False, max_retries=0)
        flag.unlink()
        summary = renumber(labels).to_zarr(path, progress=False)
    assert summary["ids: segment"].skipped > 0
    np.testing.assert_array_equal(open_volume(path)[:], numbered(LABELS, (4, 7, 6)))


def test_previews_and_stages_after_it(threads, tmp_path):
    ids = renumber(Volume.from_array(LABELS, chunks=(4, 5, 6)))
    box = (slice(2, 9), slice(0, 11), slice(5, 20))
    np.testing.assert_array_equal(ids[box], numbered(LABELS[box], (7, 11, 15)))
    np.testing.assert_array_equal(ids[Roi((2, 0, 5), (7, 11, 15))], ids[box])
    large = threshold(ids.checkpoint(f"{tmp_path}/a.zarr/ids"), 20)
    with threads.as_current():
        large.to_zarr(f"{tmp_path}/a.zarr/large", progress=False)
    expected = numbered(LABELS, (4, 5, 6)) > 20
    np.testing.assert_array_equal(open_volume(f"{tmp_path}/a.zarr/large")[:], expected)
    with pytest.raises(ValueError, match="needs its final ids"):
        threshold(ids, 20).to_zarr(f"{tmp_path}/a.zarr/more", progress=False)


def test_what_was_tracked_stays_tracked():
    film = RNG.integers(0, 5, (4, 6, 7)) * 30
    volume = Volume.from_array(film, axes="tyx", chunks=(3, 4, 4))
    found = computed(renumber(volume, min_size=40))
    np.testing.assert_array_equal(found, numbered(film, (3, 4, 4), min_size=40))


def test_nothing_to_number():
    nothing = Volume.from_array(np.zeros((5, 6), np.int32), chunks=(2, 3))
    assert not computed(renumber(nothing)).any()


PARTS = connected_components(Volume.from_array(LABELS > 2**40, chunks=(5, 6, 7)))


@pytest.mark.parametrize(
    ("labels", "options", "message"),
    [
        (PARTS, {}, r"each block makes its own.*relabel\(labels, \.\.\.\)"),
        (map_overlap(np.negative, PARTS, dtype="uint64"), {}, "each block makes its own"),
        (Volume.from_array(np.ones((4, 4))), {}, "integers without channels.*float64"),
        (Volume.from_array(LABELS[None]), {}, "integers without channels"),
        (Volume.from_array(LABELS), {"min_size": -1}, "min_size must be at least 0 voxels, got -1"),
    ],
)
def test_mistakes_are_explained(labels, options, message):
    with pytest.raises(ValueError, match=message):
        renumber(labels, **options)


def test_kept_labels_and_negative_ones_are_refused(threads, tmp_path):
    path = f"{tmp_path}/a.zarr/ids"
    with threads.as_current():
        relabel(PARTS, match="touch", keep_scratch=True).to_zarr(path, progress=False)
    with pytest.raises(ValueError, match="each block makes its own"):
        renumber(relabel(f"{path}.scratch", match="touch").inputs[0])
    negative = Volume.from_array(np.array([[-1, 4]]))
    with pytest.raises(ValueError, match="negative, got -1"):
        renumber(negative)[:]
    with pytest.raises(ValueError, match="negative, got -1"):
        computed(renumber(negative))


WHOLE = np.array([[1, 1, 1, 2], [1, 3, 3, 2], [3, 3, 3, 2]])


def in_blocks(volume, path):
    volume.to_zarr(path, progress=False)
    return open_volume(path)


@pytest.mark.parametrize("kept", [False, True])
def test_touch_refuses_labels_of_the_whole_volume(kept, threads, tmp_path):
    labels = Volume.from_array(WHOLE, chunks=(2, 2))
    with threads.as_current():
        labels = in_blocks(labels, f"{tmp_path}/a.zarr/in")
        if kept:
            own = agglomerate(
                labels,
                Volume.from_array(np.ones((2, 3, 4)), axes="cyx"),
                offsets=[(-1, 0), (0, -1)],
                keep_scratch=True,
            )
            in_blocks(own, f"{tmp_path}/a.zarr/own")
            labels = f"{tmp_path}/a.zarr/own.scratch"
        objects = relabel(labels, match="touch")
        with pytest.raises(ValueError, match=r"Label \d is on both sides.*renumber\(labels\)"):
            computed(objects)
        with pytest.raises(BlocksFailed, match=r"renumber\(labels\).*segment\(labels"):
            objects.to_zarr(f"{tmp_path}/a.zarr/ids", progress=False, max_retries=0)


VIEWS = {
    "part": lambda v: v.isel(x=slice(1, 4)),
    "turned": lambda v: v.transpose(),
    "cast": lambda v: v.astype("uint64"),
    "masked": lambda v: v * (v > 0),
    "other blocks": lambda v: v.rechunk((1, 4)),
}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_touch_refuses_views_of_labels_of_the_whole_volume(view):
    with pytest.raises(ValueError, match="is on both sides"):
        computed(relabel(view(Volume.from_array(WHOLE, chunks=(2, 2))), match="touch"))


def test_a_channel_of_labels_of_the_whole_volume_is_refused():
    volume = Volume.from_array(WHOLE[None], axes="cyx", chunks=(1, 2, 2)).isel(c=0)
    with pytest.raises(ValueError, match="is on both sides"):
        computed(relabel(volume, match="touch"))


def test_the_mends_of_touch(threads, tmp_path):
    mask = (RNG.random((12, 14)) < 0.6).astype(np.uint8)
    volume = Volume.from_array(mask, chunks=(4, 5))
    parts = connected_components(volume)
    expected = computed(relabel(parts, match="touch"))
    with threads.as_current():
        own = in_blocks(parts, f"{tmp_path}/a.zarr/own")
        in_blocks(parts, f"{tmp_path}/a.zarr/large")
    np.testing.assert_array_equal(computed(relabel(own, match="touch")), expected)
    # Each block counts from 1.
    again = Volume.from_array(
        np.block(
            [
                [parts[i : i + 4, j : j + 5].astype(np.uint8) for j in range(0, 14, 5)]
                for i in range(0, 12, 4)
            ]
        ),
        chunks=(4, 5),
    )
    with pytest.raises(ValueError, match="is on both sides"):
        computed(relabel(again, match="touch"))
    mended = relabel(segment(again, np.asarray, halo=0), match="touch")
    np.testing.assert_array_equal(computed(mended), expected)
    # A function's labels of blocks, and those of one whole block, are no labels of another tool.
    moved = map_overlap(np.asarray, again, dtype="uint8")
    np.testing.assert_array_equal(computed(relabel(moved, match="touch")), expected)
    assert computed(relabel(Volume.from_array(WHOLE), match="touch")).max() == 3


def test_what_has_no_halo_is_told_of_both():
    with pytest.raises(ValueError, match=r"block by block: segment with.*renumber\(labels\)"):
        relabel(Volume.from_array(WHOLE))


def test_real_neurons_stay_as_many_as_they_are(data, threads, tmp_path):
    with np.load(data / "fib25/labels.npz") as file:
        labels = next(iter(file.values()))[:120, :140, :160]
    block = tuple(-(-n // 2) for n in labels.shape)
    path = f"{tmp_path}/a.zarr/ids"
    with threads.as_current():
        stored = in_blocks(Volume.from_array(labels, chunks=block), f"{tmp_path}/a.zarr/in")
        renumber(stored).to_zarr(path, progress=False)
        with pytest.raises(BlocksFailed, match="is on both sides"):
            relabel(stored, match="touch").to_zarr(
                f"{tmp_path}/a.zarr/fused", progress=False, max_retries=0
            )
    ids = open_volume(path)[:]
    pairs = np.unique(np.stack([labels.ravel().astype(np.uint64), ids.ravel()]), axis=1)
    assert pairs.shape[1] == len(np.unique(labels)) == len(np.unique(ids))
    assert ids.max() == len(np.unique(labels[labels > 0]))
