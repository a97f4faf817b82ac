"""Objects of the whole volume from blocks, against scipy on the whole volume."""

import numpy as np
import pytest
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
