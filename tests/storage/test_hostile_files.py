"""Files that would have something else read, or more than a machine has: refused by name."""

import json

import numpy as np
import pytest
import tensorstore as ts

import dask_blockwise as dbw
from dask_blockwise.storage import documents
from dask_blockwise.storage.arrays import create_array, create_image, exists

SECRET = np.arange(1, 65, dtype=np.uint8).reshape(4, 4, 4)


@pytest.fixture
def secret(tmp_path):
    """An array beside the container, of which the container's files will speak."""
    array = create_array(tmp_path / "secret", (4, 4, 4), "u1", chunks=(4, 4, 4))
    array.write((slice(0, 4),) * 3, SECRET)
    return tmp_path / "secret"


def image(folder, path, zarr_format):
    """A group whose image has its level at a path."""
    folder.mkdir()
    attributes = {"multiscales": [{"axes": ["z", "y", "x"], "datasets": [{"path": path}]}]}
    if zarr_format == 2:
        (folder / ".zgroup").write_text('{"zarr_format": 2}')
        (folder / ".zattrs").write_text(json.dumps(attributes))
    else:
        group = {"zarr_format": 3, "node_type": "group", "attributes": {"ome": attributes}}
        (folder / "zarr.json").write_text(json.dumps(group))
    return folder


def info(folder, key, **scale):
    """Precomputed data of one scale."""
    folder.mkdir()
    head = {"key": key, "size": [4] * 3, "resolution": [4] * 3, "chunk_sizes": [[4] * 3]}
    head |= {"encoding": "raw", "voxel_offset": [0] * 3} | scale
    document = {"@type": "neuroglancer_multiscale_volume", "type": "image", "num_channels": 1}
    document |= {"data_type": "uint8", "scales": [head]}
    (folder / "info").write_text(json.dumps(document))
    return folder


OUTSIDE = ["../secret", "a/../../secret", "{}", "file://{}", "s3://bucket/secret", "..\\secret", ""]


@pytest.mark.parametrize("path", OUTSIDE)
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_level_that_lies_elsewhere(tmp_path, secret, path, zarr_format):
    folder = image(tmp_path / "a.zarr", path.format(secret), zarr_format)
    (folder / "a").mkdir()
    placement = dbw.open_volume(secret).placement
    for act in (
        lambda: dbw.open_volume(folder),
        lambda: create_image(folder, placement, (4,) * 3, "u1", chunks=(4,) * 3, overwrite=True),
    ):
        with pytest.raises(ValueError, match=r"a\.zarr can't be understood: .*same folder"):
            act()
    assert (dbw.open_volume(secret)[:] == SECRET).all()


@pytest.mark.parametrize("path", OUTSIDE)
def test_a_scale_that_lies_elsewhere(tmp_path, path):
    outside = tmp_path / "secret"
    outside.mkdir()
    (outside / "0-4_0-4_0-4").write_bytes(SECRET.tobytes())
    folder = info(tmp_path / "em", path.format(outside))
    # The library follows what leads up.
    if path == "../secret":
        store = {"driver": "file", "path": f"{folder}/"}
        spec = {"driver": "neuroglancer_precomputed", "kvstore": store}
        assert ts.open(spec).result().read().result().sum() == SECRET.sum()
    with pytest.raises(ValueError, match=r"em can't be understood: The key.*same folder"):
        dbw.open_volume(folder)


@pytest.mark.parametrize("word", ["link", "n5link", "path", "linkPath"])
def test_a_link_of_n5_is_not_followed(tmp_path, secret, word):
    folder = tmp_path / "a.n5/raw"
    folder.mkdir(parents=True)
    (folder / "attributes.json").write_text(json.dumps({word: "../../secret"}))
    with pytest.raises(FileNotFoundError, match="No array at"):
        dbw.open_volume(folder)


def test_a_link_of_the_disk_is_followed(tmp_path, secret):
    """Whoever makes one has the disk; they hold large arrays elsewhere by it."""
    folder = image(tmp_path / "a.zarr", "s0", 3)
    (folder / "s0").symlink_to(secret)
    assert (dbw.open_volume(folder)[:] == SECRET).all()


def zarr3(folder, shape, chunks, **others):
    """An array of metadata alone."""
    folder.mkdir()
    grid = {"name": "regular", "configuration": {"chunk_shape": chunks}}
    document = {"zarr_format": 3, "node_type": "array", "shape": shape, "data_type": "uint8"}
    document |= {"chunk_grid": grid, "chunk_key_encoding": {"name": "default"}, "fill_value": 0}
    document |= {"codecs": [{"name": "bytes"}], "attributes": {}} | others
    (folder / "zarr.json").write_text(json.dumps(document))
    return folder


@pytest.mark.parametrize(
    ("shape", "chunks", "message"),
    [
        ([2**20] * 3, [2**20] * 3, "more than 64 GiB"),
        ([2**40] * 3, [64] * 3, "too many voxels"),
        ([4, 4], [2**20, 2**20], "more than 64 GiB"),
        ([2**63], [4], "too many voxels"),
        ([1] * 1000, [1] * 1000, "can't be understood"),
        ([0, 4], [4, 4], "no voxels"),
        ([-4], [4], "can't be understood"),
        ([], [], "2 to 5 axes.*got 0"),
        ([4], [0], r"can't be understood: its chunks are \(0,\)"),
        ([4], [-1], "can't be understood"),
    ],
)
def test_shapes_and_chunks_that_no_machine_has(tmp_path, shape, chunks, message):
    with pytest.raises(ValueError, match=rf"a\.zarr.*{message}"):
        dbw.open_volume(zarr3(tmp_path / "a.zarr", shape, chunks))


def test_a_scale_that_no_machine_has(tmp_path):
    folder = info(tmp_path / "em", "a", size=[2**20] * 3, chunk_sizes=[[2**16] * 3])
    with pytest.raises(ValueError, match="more than 64 GiB"):
        dbw.open_volume(folder)


@pytest.mark.parametrize("name", ["zarr.json", ".zarray", ".zattrs", "attributes.json", "info"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"a": ' * 100_000 + b"1" + b"}" * 100_000, "should be a JSON object"),
        (b'{"shape": [' + b"9" * 5000 + b"]}", "should be a JSON object"),
        (b"\xff\xfe{", "should be a JSON object"),
        (b'[["a", 1], 3]', "should be a JSON object"),
        (b'{"a": "' + b"x" * 5000 + b'"}', "at most 0 MiB"),
    ],
    ids=["deep", "digits", "bytes", "list", "large"],
)
def test_documents_that_are_none(tmp_path, monkeypatch, name, content, message):
    if "MiB" in message:
        monkeypatch.setattr(documents, "_LARGEST_JSON", 1000)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=rf"{name} is damaged: .*{message}"):
        dbw.open_volume(tmp_path)


@pytest.mark.parametrize("where", ["compressor", "filters"])
def test_no_code_of_a_file_is_run(tmp_path, where):
    """The codec "pickle" would run what a chunk says."""
    codec = {"id": "pickle"}
    head = {"zarr_format": 2, "shape": [4], "chunks": [4], "dtype": "|O", "order": "C"}
    head |= {"fill_value": 0, "compressor": None, "filters": None}
    head[where] = codec if where == "compressor" else [codec]
    (tmp_path / ".zarray").write_text(json.dumps(head))
    with pytest.raises(ValueError, match="can't be understood"):
        dbw.open_volume(tmp_path)


def test_voxels_that_are_no_numbers(tmp_path):
    create_array(tmp_path / "a.zarr/x", (4,), "<U3", chunks=(4,), zarr_format=2, fill_value="")
    with pytest.raises(ValueError, match="voxels must be numbers"):
        dbw.open_volume(tmp_path / "a.zarr/x")
    assert exists(tmp_path / "a.zarr/x")
