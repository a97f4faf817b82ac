"""What TensorStore, zarr and h5py raise is told in words, with the file and how to go on."""

import json
import os
import subprocess
import sys
from pathlib import Path

import h5py
import numcodecs
import numpy as np
import pytest
import tifffile
from made_by_others import VALUES, changed, n5_array, precomputed_scale, zarr_array
from regions import whole

from dask_blockwise import open_volume
from dask_blockwise.storage.arrays import open_array


def zarr_2(folder, **compressor):
    made = zarr_array(folder, compressors=numcodecs.Blosc())
    return changed(made, ".zarray", lambda d: d["compressor"].update(compressor))


def zarr_3(folder, codec):
    made = zarr_array(folder, 3, "/")
    return changed(made, "zarr.json", lambda d: d["codecs"].__setitem__(1, codec))


def n5(folder, **compression):
    return changed(n5_array(folder), "attributes.json", lambda d: d.update(compression=compression))


def precomputed(folder, encoding):
    made = precomputed_scale(folder)
    return changed(made, "info", lambda d: d["scales"][0].update(encoding=encoding))


def hdf5(folder):
    """A dataset of a filter that only a plugin has, as HDF5 makes one without it."""
    with h5py.File(f"{folder}.h5", "w") as file:
        file.create_dataset(
            "raw", shape=(6, 7), chunks=(3, 3), dtype="u1", compression=32026,
            allow_unknown_filter=True,
        )  # fmt: skip
    return f"{folder}.h5/raw"


UNKNOWN = {
    "imagecodecs": (
        lambda folder: zarr_2(folder, id="imagecodecs_jpegxl"),
        "'imagecodecs_jpegxl', which imagecodecs has: python -m pip install imagecodecs",
    ),
    "numcodecs": (
        lambda folder: zarr_3(folder, {"name": "numcodecs.pcodec", "configuration": {}}),
        r"'pcodec'.*python -m pip install 'numcodecs\[pcodec\]'",
    ),
    "zarr 2": (lambda folder: zarr_2(folder, id="own"), "codec 'own', which isn't known here"),
    "zarr 3": (
        lambda folder: zarr_3(folder, {"name": "own", "configuration": {}}),
        "codec 'own', which isn't known here. Install the package",
    ),
    "N5": (lambda folder: n5(folder, type="lz4"), "compressed by 'lz4', and raw, gzip.*z5py"),
    "precomputed": (lambda folder: precomputed(folder, "fpzip"), "encoding is 'fpzip'.*cloud-vol"),
    "HDF5": (hdf5, "number 32026.*pip install hdf5plugin"),
}


@pytest.mark.parametrize("kind", UNKNOWN)
def test_an_unknown_codec_names_what_may_have_it(tmp_path, kind):
    make, message = UNKNOWN[kind]
    with pytest.raises(
        ValueError, match=rf"{tmp_path}/a.*can't be understood: .*{message}"
    ) as seen:
        open_array(make(tmp_path / "a"))
    assert "tensorstore_spec" not in str(seen.value)


DAMAGED = {
    "zarr 2": (zarr_array, "0.1"),
    "zarr 2 of zarr-python": (lambda f: zarr_array(f, compressors=numcodecs.LZMA()), "0.1"),
    "zarr 2 of filters": (lambda f: zarr_array(f, filters=[numcodecs.Delta(dtype="u1")]), "0.1"),
    "zarr 3": (lambda f: zarr_array(f, 3, "/"), "c/0/1"),
    "zarr 3 of shards": (lambda f: zarr_array(f, 3, "/", shards=(6, 6)), "c/0/1"),
    "N5": (n5_array, "1/0"),
    "precomputed": (precomputed_scale, "s/13-16_0-3_2-3"),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_chunk_is_named(tmp_path, kind):
    make, name = DAMAGED[kind]
    folder = make(tmp_path / "a")
    (folder / name).write_bytes(b"else")
    array = open_array(folder)
    message = (
        rf"a(?:/s)? can't be read: .*a/{name}\"?.* file is damaged or only in part there: store"
    )
    with pytest.raises(OSError, match=message) as seen:
        array.read(whole(array))
    assert "FAILED_PRECONDITION" not in str(seen.value)


def nothing_in(key):
    return lambda document: document.update({key: None})


READ = {
    "fill_value of zarr 3": lambda f: changed(
        zarr_array(f, 3, "/"), "zarr.json", nothing_in("fill_value")
    ),
    "fill_value of zarr 2": lambda f: changed(zarr_array(f), ".zarray", nothing_in("fill_value")),
    "attributes of zarr 3": lambda f: changed(
        zarr_array(f, 3, "/"), "zarr.json", nothing_in("attributes")
    ),
    "threads of zarr 2": lambda f: zarr_2(f, nthreads=4),
    "threads of N5": lambda f: changed(
        n5_array(f, type="blosc", cname="lz4", clevel=5, shuffle=1),
        "attributes.json",
        lambda d: d["compression"].update(nthreads=4),
    ),
    "compressionType of N5": lambda f: changed(
        n5_array(f),
        "attributes.json",
        lambda d: d.update(compressionType=d.pop("compression")["type"]),
    ),
}


@pytest.mark.parametrize("kind", READ)
def test_what_others_write_a_little_differently(tmp_path, kind):
    array = open_array(READ[kind](tmp_path / "a"))
    np.testing.assert_array_equal(array.read(whole(array)), VALUES)


def test_attributes_of_zarr_2_that_are_null(tmp_path):
    folder = zarr_array(tmp_path / "a")
    (folder / ".zattrs").write_text("null")
    assert open_array(folder).attributes == {}


@pytest.mark.parametrize(
    "attributes",
    ["null", '{"multiscales": null}', '{"ome": null}', '{"ome": {"multiscales": null}}'],
)
def test_a_group_above_that_says_nothing(tmp_path, attributes):
    folder = zarr_array(tmp_path / "a", 3, "/")
    group = f'{{"zarr_format": 3, "node_type": "group", "attributes": {attributes}}}'
    (tmp_path / "zarr.json").write_text(group)
    assert open_array(folder).shape == VALUES.shape
    assert (open_volume(folder)[:] == VALUES).all()


def zarr_json(**changes):
    def change(document):
        document.update(changes)
        for key in [key for key, value in document.items() if value is LEFT_OUT]:
            del document[key]

    return lambda folder: changed(zarr_array(folder, 3, "/"), "zarr.json", change)


def written(make, name, content):
    def damage(folder):
        (make(folder) / name).write_bytes(content)
        return folder

    return damage


def without(make, name, key):
    return lambda folder: changed(make(folder), name, lambda document: document.pop(key))


def single(name, content):
    def write(folder):
        folder.mkdir()
        (folder / name).write_bytes(content)
        return folder / name

    return write


def of_scale(key):
    return lambda folder: changed(
        precomputed_scale(folder), "info", lambda d: d["scales"][0].pop(key)
    )


LEFT_OUT = object()
zarr_3_array = zarr_json()
MEND = r"Mend it, or write the array anew"
# What is wrong, and what is said.
WRONG = {
    "no JSON": (written(zarr_3_array, "zarr.json", b"{"), r"zarr\.json is damaged: it should be"),
    "nothing": (written(zarr_3_array, "zarr.json", b""), r"zarr\.json is damaged: it is empty"),
    "a list": (written(zarr_array, ".zarray", b"[1]"), r"\.zarray is damaged: it should be a JSON"),
    "bytes": (written(n5_array, "attributes.json", b"\xff"), r"attributes\.json is damaged"),
    "no node_type": (zarr_json(node_type=LEFT_OUT), r"node_type of .*zarr\.json should be 'array'"),
    "no codecs": (zarr_json(codecs=LEFT_OUT), "it has no 'codecs'"),
    "no shape": (zarr_json(shape=LEFT_OUT), "it has no 'shape'"),
    "unknown dtype": (
        zarr_json(data_type="float8"),
        "No Zarr data type .*'float8'",
    ),
    "unknown grid": (
        zarr_json(chunk_grid={"name": "own", "configuration": {}}),
        "Unknown chunk grid",
    ),
    "transformers": (zarr_json(storage_transformers=[{"name": "own"}]), "storage transformers"),
    "axes alike": (zarr_json(dimension_names=["y", "y"]), r"axes \('y', 'y'\) aren't.*open_volume"),
    "zarr 2 lacks order": (without(zarr_array, ".zarray", "order"), "it has no 'order'"),
    "zarr 2 lacks dtype": (without(zarr_array, ".zarray", "dtype"), "it has no 'dtype'"),
    "N5 lacks dimensions": (
        without(n5_array, "attributes.json", "dimensions"),
        r"attributes\.json has no 'dimensions'",
    ),
    "N5 lacks dataType": (
        without(n5_array, "attributes.json", "dataType"),
        r'attributes\.json".*"dataType".*is missing',
    ),
    "info lacks scales": (without(precomputed_scale, "info", "scales"), "info has no 'scales'"),
    "info lacks data_type": (
        without(precomputed_scale, "info", "data_type"),
        r'info".*"data_type"',
    ),
    "a scale lacks size": (of_scale("size"), "it has no 'size'"),
    "HDF5": (single("a.h5", b"else"), r"is no HDF5, or only a part.*Copy or write it anew"),
    "TIFF": (single("a.tif", b"II*\0else"), r"no image was found in it\. Write it anew"),
    "npy": (single("a.npy", b"\x93NUMPY"), r"It is cut off, .* write it anew"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_metadata_that_are_wrong(tmp_path, kind):
    make, message = WRONG[kind]
    with pytest.raises(ValueError, match=message) as seen:
        open_volume(make(tmp_path / "a"))
    said = str(seen.value)
    assert str(tmp_path / "a") in said
    assert "tensorstore" not in said.lower()
    assert "__init__" not in said
    assert MEND in said or kind in ("axes alike", "HDF5", "TIFF", "npy")


def test_a_file_that_another_process_writes(tmp_path):
    file = tmp_path / "a.h5"
    ask = f"from dask_blockwise import open_volume; open_volume({str(file) + '/raw'!r})"
    with h5py.File(file, "w") as writing:
        writing["raw"] = VALUES
        writing.flush()
        done = subprocess.run(
            [sys.executable, "-c", ask], capture_output=True, text=True, check=False,
            env=os.environ | {"HDF5_USE_FILE_LOCKING": "TRUE"},
        )  # fmt: skip
    assert "another process has it open for writing. Wait until" in done.stderr


def test_parts_of_files_that_are_damaged(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        made = file.create_dataset("raw", data=VALUES, chunks=(3, 3), compression="gzip")
        chunk = made.id.get_chunk_info(0)
    content = bytearray((tmp_path / "a.h5").read_bytes())
    content[chunk.byte_offset : chunk.byte_offset + 4] = b"else"
    (tmp_path / "a.h5").write_bytes(content)
    tifffile.imwrite(
        tmp_path / "a.tif", np.arange(6000, dtype="u1").reshape(60, 100), compression="zlib"
    )
    content = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(content[:-100])
    for path in ("a.h5/raw", "a.tif"):
        volume = open_volume(tmp_path / path)
        with pytest.raises(OSError, match=rf"{path} can't be read: .*damaged.*opy or write"):
            volume[:]


@pytest.mark.parametrize("place", [{"units": "nm"}, {"resolution": [4, 4], "axes": ["x", "c"]}])
def test_places_of_n5_that_tensorstore_does_not_take(tmp_path, place):
    folder = changed(n5_array(tmp_path / "a"), "attributes.json", lambda d: d.update(place))
    array = open_array(folder)
    np.testing.assert_array_equal(array.read(whole(array)), VALUES)


def test_parents_that_say_something_else(tmp_path):
    folder = changed(n5_array(tmp_path / "b/a"), "attributes.json", lambda d: None)
    Path(tmp_path / "info").write_text("a text of somebody's")
    np.save(tmp_path / "b.npy", VALUES)
    for path in (folder, tmp_path / "b.npy"):
        assert open_volume(path).shape == VALUES.shape
    zarr_array(tmp_path / "z/s0", 2)
    image = {
        "datasets": [
            {"path": "s0", "coordinateTransformations": [{"type": "scale", "scale": [3, 4]}]}
        ]
    }
    for multiscales, size in ((image, (3, 4)), ({"else": 1}, (1, 1)), (None, (1, 1))):
        (tmp_path / "z/.zattrs").write_text(json.dumps({"multiscales": multiscales}))
        assert open_volume(tmp_path / "z/s0").placement.written_size == size
