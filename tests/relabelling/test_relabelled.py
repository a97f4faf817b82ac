"""Objects of the whole volume from blocks, against scipy on the whole volume."""

import cc3d
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from objects import assert_same_objects
from scipy.ndimage import gaussian_filter, generate_binary_structure, label

import dask_blockwise as dbw
from dask_blockwise import Volume


@pytest.mark.parametrize("connectivity", [1, 2, 3])
@pytest.mark.parametrize(("block", "halo"), [((16, 20, 16), 0), ((9, 31, 47), 2)])
def test_components_equal_those_of_the_whole(tmp_path, client, connectivity, block, halo):
    noise = np.random.default_rng(connectivity).random((40, 45, 47))
    mask = (gaussian_filter(noise, 1) > 0.52).astype(np.uint8)
    pieces = dbw.connected_components(
        Volume.from_array(mask, chunks=block), connectivity=connectivity, halo=halo
    )
    objects = dbw.relabel(pieces, match="touch", connectivity=connectivity)
    objects.to_zarr(tmp_path / "a.zarr/ids", client=client, progress=False)
    found = dbw.open_volume(tmp_path / "a.zarr/ids")[:]
    whole, count = label(mask, generate_binary_structure(3, connectivity))
    pairs = set(zip(found.ravel().tolist(), whole.ravel().tolist(), strict=True))
    assert len(pairs) == count + 1
    assert set(np.unique(found)) == set(range(count + 1))


def test_stored_segments_have_unique_ids(tmp_path, client):
    mask = (np.random.default_rng(0).random((20, 20, 20)) > 0.8).astype(np.uint8)
    pieces = dbw.connected_components(Volume.from_array(mask, chunks=(8, 8, 8)))
    pieces.to_zarr(tmp_path / "a.zarr/pieces", client=client, progress=False)
    stored = dbw.open_volume(tmp_path / "a.zarr/pieces")[:]
    seen: set[int] = set()
    for z, y, x in np.ndindex(3, 3, 3):
        block = stored[8 * z : 8 * z + 8, 8 * y : 8 * y + 8, 8 * x : 8 * x + 8]
        ids = set(np.unique(block[block > 0]).tolist())
        assert not ids & seen
        seen |= ids
    np.testing.assert_array_equal(stored > 0, mask > 0)


def by_value(labels, connectivity):
    """Components of each label by scipy, one label after another."""
    objects, first = np.zeros(labels.shape, int), 0
    for value in np.unique(labels[labels > 0]):
        structure = generate_binary_structure(labels.ndim, connectivity)
        parts, count = label(labels == value, structure)
        objects += np.where(parts > 0, parts + first, 0)
        first += count
    return objects


@given(st.data(), st.integers(2, 3), st.integers(1, 4), st.integers(0, 999))
def test_components_of_each_value_equal_scipy(data, dims, values, seed):
    connectivity = data.draw(st.integers(1, dims))
    shape = data.draw(st.tuples(*[st.integers(1, 10)] * dims))
    block = data.draw(st.tuples(*[st.integers(3, 9)] * dims))
    halo = data.draw(st.integers(0, 3))
    labels = np.random.default_rng(seed).integers(0, values + 1, shape).astype(np.uint64) << 40
    pieces = dbw.connected_components(
        Volume.from_array(labels, chunks=block),
        connectivity=connectivity,
        each_value=True,
        halo=halo,
    )
    objects = dbw.relabel(pieces, match="touch", connectivity=connectivity)
    assert_same_objects(
        objects.data.compute(scheduler="synchronous"), by_value(labels, connectivity)
    )


@pytest.mark.parametrize("connectivity", [1, 2, 3])
def test_real_neurons_equal_cc3d_on_the_whole_volume(data, tmp_path, threads, connectivity):
    with np.load(data / "connectomics_labels/labels_256.npz") as file:
        labels = file[file.files[0]][-110:, -120:, -130:]
    pieces = dbw.connected_components(
        Volume.from_array(labels, chunks=(64, 64, 64)), connectivity=connectivity, each_value=True
    )
    objects = dbw.relabel(pieces, match="touch", connectivity=connectivity)
    with threads.as_current():
        objects.to_zarr(tmp_path / "a.zarr/ids", progress=False)
    neighbours = {1: 6, 2: 18, 3: 26}[connectivity]
    truth = cc3d.connected_components(labels, connectivity=neighbours)
    assert truth.max() > 40
    assert_same_objects(dbw.open_volume(tmp_path / "a.zarr/ids")[:], truth)


def test_kept_components_of_each_value_are_not_guessed(tmp_path, threads):
    labels = Volume.from_array(np.array([[1, 1, 2, 2]]), chunks=(1, 1))
    pieces = dbw.connected_components(labels, each_value=True, halo=1)
    objects = dbw.relabel(pieces, match="touch", keep_scratch=True)
    with threads.as_current():
        objects.to_zarr(tmp_path / "a.zarr/ids", progress=False)
    assert dbw.open_volume(tmp_path / "a.zarr/ids")[:].tolist() == [[1, 1, 2, 2]]
    with pytest.raises(ValueError, match="needs the values that kept these components apart"):
        dbw.relabel(tmp_path / "a.zarr/ids.scratch", match="touch")


@pytest.mark.parametrize("dtype", ["u1", "u2", "i4", "u4", "i8", "u8"])
def test_labels_of_any_integer_are_taken(dtype):
    noise = np.random.default_rng(0).random((12, 20))
    labels = label(noise < 0.4)[0].astype(dtype)
    volume = Volume.from_array(labels, chunks=(8, 8))
    affinities = Volume.from_array(np.stack([noise, noise]), axes="cyx", chunks=(2, 8, 8))
    parts = dbw.segment(volume, np.asarray, halo=0)
    for stage in dbw.renumber(volume), dbw.relabel(parts, match="touch"):
        objects = stage.data.compute(scheduler="sync")
        assert objects.dtype == np.uint64
        pairs = set(zip(objects.ravel().tolist(), labels.ravel().tolist(), strict=True))
        assert len(pairs) == labels.max() + 1
    joined = dbw.agglomerate(volume, affinities, offsets=[(-1, 0), (0, -1)], threshold=1)
    np.testing.assert_array_equal(joined.data.compute(scheduler="sync") > 0, labels > 0)


@pytest.mark.parametrize("dtype", ["i1", "i8"])
def test_negative_labels_are_refused(dtype):
    volume = Volume.from_array(np.full((4, 4), -1, dtype), chunks=(2, 2))
    with pytest.raises(ValueError, match="must not be negative, got -1"):
        dbw.relabel(volume, match="touch").data.compute(scheduler="sync")
