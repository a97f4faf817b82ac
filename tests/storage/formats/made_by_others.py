"""Arrays of zarr, N5 and precomputed, as zarr-python and TensorStore write them."""

import json

import numpy as np
import tensorstore as ts
import zarr
from zarr.storage import LocalStore

# In chunks of 3 x 3.
VALUES = np.arange(1, 43, dtype="u1").reshape(6, 7)


def zarr_array(folder, zarr_format=2, separator=".", values=VALUES, **options):
    """By zarr-python."""
    encoding = {"name": "v2" if zarr_format == 2 else "default", "separator": separator}
    options |= {"chunk_key_encoding": encoding, "zarr_format": zarr_format}
    # Of a path as text, later versions take what follows "#" or "?" for something else.
    store = LocalStore(folder)
    made = zarr.create_array(store, shape=(6, 7), chunks=(3, 3), dtype="u1", **options)
    made[:] = values
    return folder


def n5_array(folder, **compression):
    """By TensorStore, x first."""
    metadata = {"dimensions": [7, 6], "blockSize": [3, 3], "dataType": "uint8"}
    spec = {
        "driver": "n5",
        "kvstore": {"driver": "file", "path": f"{folder}/"},
        "metadata": metadata | {"compression": compression or {"type": "gzip"}},
    }
    ts.open(spec, create=True).result().write(VALUES.T).result()
    return folder


def precomputed_scale(folder, **scale):
    """By TensorStore, x, y and a z of one voxel."""
    scale = {"key": "s", "size": [7, 6, 1], "resolution": [4, 4, 40], "encoding": "raw"} | scale
    spec = {
        "driver": "neuroglancer_precomputed",
        "kvstore": {"driver": "file", "path": f"{folder}/"},
        "multiscale_metadata": {"type": "image", "data_type": "uint8", "num_channels": 1},
        "scale_metadata": {"chunk_size": [3, 3, 1], "voxel_offset": [10, 0, 2]} | scale,
    }
    array = ts.open(spec, create=True).result()
    array[..., 0].write(VALUES.T[..., None]).result()
    return folder


def changed(folder, name, change):
    """With a document changed by a function."""
    file = folder / name
    document = json.loads(file.read_text())
    change(document)
    file.write_text(json.dumps(document))
    return folder


def packed(folder, ending, pack):
    """With chunks of the scale compressed as files."""
    for file in list((folder / "s").iterdir()):
        file.with_name(file.name + ending).write_bytes(pack(file.read_bytes()))
        file.unlink()
    return folder
