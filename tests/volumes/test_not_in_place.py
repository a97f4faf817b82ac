"""An output never takes the place of what it is computed from, whatever way leads there."""

import json

import dask.array as da
import numpy as np
import pytest

from dask_blockwise import Volume, open_volume

VALUES = np.arange(1, 17, dtype=np.uint8).reshape(4, 4)


@pytest.fixture
def link(tmp_path):
    """A link to a folder with an image."""
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "data")
    stored = Volume.from_array(VALUES, chunks=(2, 4))
    stored.to_zarr(tmp_path / "data/a.zarr/raw", progress=False, pyramid=1)
    return tmp_path / "link"


def of_dask(path):
    return Volume.from_array(da.from_zarr(str(path / "s0")))


@pytest.mark.parametrize("opened", [open_volume, lambda path: open_volume(path, level=1), of_dask])
@pytest.mark.parametrize("there", ["data", "link"])
@pytest.mark.parametrize("options", [{"overwrite": True}, {"on_change": "redo"}])
def test_an_input_is_kept_whatever_path_leads_to_it(link, opened, there, options):
    path = link.parent / there / "a.zarr/raw"
    for given in link / "a.zarr/raw", link.parent / "data/a.zarr/raw":
        with pytest.raises(ValueError, match="is what this volume is computed from"):
            (opened(path) + 1).to_zarr(given, progress=False, **options)
    assert np.array_equal(open_volume(path)[:], VALUES)


def test_a_checkpoint_is_known_by_a_link_before_it_is_stored(link):
    on_the_way = Volume.from_array(VALUES).checkpoint(link / "b.zarr/a")
    with pytest.raises(ValueError, match="is a checkpoint on the way"):
        (on_the_way + 1).to_zarr(link.parent / "data/b.zarr/a", progress=False)


def test_what_lies_beside_an_input_is_stored(link):
    twice = open_volume(link / "a.zarr/raw") + 1
    assert twice.to_zarr(link.parent / "data/a.zarr/other", progress=False)
    assert np.array_equal(open_volume(link / "a.zarr/other")[:], VALUES + 1)


def test_an_image_whose_levels_lie_some_folders_below_it_is_kept(tmp_path):
    image = tmp_path / "a.zarr/raw"
    Volume.from_array(VALUES).to_zarr(image / "some/folders", progress=False)
    file = image / "some/folders/zarr.json"
    told = json.loads(file.read_text())
    (ome,) = told["attributes"]["ome"]["multiscales"]
    ome["datasets"][0]["path"] = "some/folders/s0"
    file.write_text(json.dumps(told | {"attributes": {}}))
    (image / "zarr.json").write_text(json.dumps(told))
    with pytest.raises(ValueError, match="is what this volume is computed from"):
        (open_volume(image) + 1).to_zarr(image, progress=False, overwrite=True)
    assert np.array_equal(open_volume(image)[:], VALUES)
