"""What TensorStore, zarr and h5py raise is told in words, with the file and how to go on."""

import h5py
import numcodecs
import numpy as np
import pytest
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
