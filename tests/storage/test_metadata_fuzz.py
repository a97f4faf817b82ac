"""Metadata of any form opens, or is refused by an error of ours that names the file.

Few examples are drawn unless ``DASK_BLOCKWISE_FUZZ`` says how many.
"""

import copy
import json
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

import dask_blockwise as dbw
from dask_blockwise.storage.arrays_below import array_paths

EXAMPLES = int(os.environ.get("DASK_BLOCKWISE_FUZZ", "30"))
OURS = (ValueError, OSError, NotImplementedError)

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 6),
    st.sampled_from([2**31, 2**63, -(2**63), 10**30, 10**400]),
    st.sampled_from([0.0, -1.5, 1e308, 5e-324, float("nan"), float("inf"), float("-inf")]),
    st.sampled_from(["", "x", "z", "s0", "..", "/", "\0", "c^", "nm", "|O", "<f4", "é", "scale"]),
    st.text(max_size=3),
)
JUNK = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


def zarr3(**others):
    grid = {"name": "regular", "configuration": {"chunk_shape": [2, 2, 2]}}
    encoding = {"name": "default", "configuration": {"separator": "/"}}
    codecs = [{"name": "bytes", "configuration": {"endian": "little"}}]
    codecs += [{"name": "zstd", "configuration": {"level": 3, "checksum": False}}]
    document = {"zarr_format": 3, "node_type": "array", "shape": [3, 4, 5], "data_type": "uint16"}
    document |= {"chunk_grid": grid, "chunk_key_encoding": encoding, "fill_value": 0}
    return document | {"codecs": codecs, "attributes": {}} | others


def zarr2(**others):
    document = {"zarr_format": 2, "shape": [3, 4, 5], "chunks": [2, 2, 2], "dtype": "<u2"}
    document |= {"compressor": {"id": "zlib", "level": 1}, "filters": None, "fill_value": 0}
    return document | {"order": "C", "dimension_separator": "/"} | others


def image(version):
    """An image of OME-Zarr of one level, as a version of it has it."""
    units = {"unit": "nanometer"} if version != "0.3" else {}
    axes = [{"name": axis, "type": "space"} | units for axis in "zyx"]
    steps = [{"type": "scale", "scale": [40, 4.5, 4]}, {"type": "translation"}]
    steps[1]["translation"] = [0, 8, 1]
    made = {"name": "raw", "version": version, "datasets": [{"path": "s0"}]}
    if version != "0.1":
        made["axes"] = ["z", "y", "x"] if version == "0.3" else axes
    if version in ("0.4", "0.5"):
        made["datasets"][0]["coordinateTransformations"] = steps
        made["coordinateTransformations"] = steps[:1]
    return {"multiscales": [made]}


PLACED = {"resolution": [40, 4, 4], "offset": [0, 8, 4], "units": ["nm", "nm", "nm"]}
PLACED |= {"axis_names": ["z", "y", "x"]}
GROUP2 = {".zgroup": {"zarr_format": 2}, "s0/.zarray": zarr2()}
N5 = {"dimensions": [5, 4, 3], "blockSize": [2, 2, 2], "dataType": "uint16", "n5": "2.0.0"}
N5 |= {"compression": {"type": "gzip", "level": 1}, "axes": ["x", "y", "z"], "offset": [1, 2, 3]}
N5 |= {"pixelResolution": {"dimensions": [4, 4, 40], "unit": "nm"}}
SCALE = {"key": "4_4_40", "size": [5, 4, 3], "resolution": [4, 4, 40], "encoding": "raw"}
SCALE |= {"voxel_offset": [0, 0, 1], "chunk_sizes": [[2, 2, 2]]}
INFO = {"@type": "neuroglancer_multiscale_volume", "type": "image", "num_channels": 1}
INFO |= {"data_type": "uint16", "scales": [SCALE, SCALE | {"key": "8_8_40"}]}

WELL = {
    "zarr3": {"zarr.json": zarr3(attributes=PLACED, dimension_names=["z", "y", "x"])},
    "zarr2": {".zarray": zarr2(), ".zattrs": PLACED},
    "xarray": {".zarray": zarr2(), ".zattrs": {"_ARRAY_DIMENSIONS": ["z", "y", "x"]}},
    **{f"ome {v}": GROUP2 | {".zattrs": image(v)} for v in ("0.1", "0.3", "0.4")},
    "ome 0.5": {
        "zarr.json": {
            "zarr_format": 3,
            "node_type": "group",
            "attributes": {"ome": image("0.5") | {"version": "0.5"}},
        },
        "s0/zarr.json": zarr3(),
    },
    "n5": {"attributes.json": N5},
    "precomputed": {"info": INFO},
}


def places(node, path=()):
    """Where something is within a document."""
    yield path
    parts = enumerate(node) if isinstance(node, list) else ()
    for key, value in node.items() if isinstance(node, dict) else parts:
        yield from places(value, (*path, key))


def spoiled(draw, document):
    """A document of which a part is another, missing, or there twice."""
    path = draw(st.sampled_from(sorted(places(document), key=str)))
    if not path:
        return draw(JUNK)
    made = copy.deepcopy(document)
    *above, last = path
    holder = made
    for key in above:
        holder = holder[key]
    how = draw(st.sampled_from(["other", "none", "twice", "inner"]))
    if how == "none":
        del holder[last]
    elif how == "twice" and isinstance(holder, list):
        holder.insert(last, copy.deepcopy(holder[last]))
    elif how == "inner":
        holder[last] = draw(st.sampled_from([[holder[last]], {"a": holder[last]}]))
    else:
        holder[last] = draw(JUNK)
    return made


@st.composite
def folders(draw, kind):
    """Documents of a folder, one to three times spoiled."""
    documents = copy.deepcopy(WELL[kind])
    for _ in range(draw(st.integers(1, 3))):
        name = draw(st.sampled_from(sorted(documents)))
        documents[name] = spoiled(draw, documents[name])
    return documents


def opened(documents, then):
    """What comes of a folder with these documents."""
    with tempfile.TemporaryDirectory(suffix=".zarr") as folder:
        for name, document in documents.items():
            Path(folder, name).parent.mkdir(exist_ok=True)
            Path(folder, name).write_text(json.dumps(document))
        return then(folder)


def answered(function, folder):
    """What a function gives, and what its error says; other errors are faults."""
    try:
        return function(folder), ""
    except OURS as error:
        return None, str(error)


def opens_or_is_refused(folder):
    volume, refusal = answered(dbw.open_volume, folder)
    if volume is None:
        assert Path(folder).name in refusal
        return
    assert folder in repr(volume.source.stored.location)
    assert all(size > 0 for size in (*volume.shape, *volume.voxel_size, *volume.chunks))
    assert set(volume.axes) <= set("tczyx")
    assert len(set(volume.axes)) == len(volume.axes) == len(volume.shape)
    assert repr(volume)


@pytest.mark.parametrize("kind", WELL)
def test_what_is_well_formed_opens(kind):
    volume = opened(WELL[kind], dbw.open_volume)
    assert (volume.shape, volume.axes) == ((3, 4, 5), ("z", "y", "x"))


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")
@pytest.mark.parametrize("kind", WELL)
def test_all_else_opens_or_is_refused(kind):
    @settings(max_examples=EXAMPLES)
    @given(documents=folders(kind))
    def run(documents):
        opened(documents, opens_or_is_refused)

    run()


@settings(max_examples=EXAMPLES)
@given(documents=st.sampled_from(sorted(WELL)).flatmap(folders))
def test_a_listing_goes_on_or_says_what_is_wrong(documents):
    def listed(folder):
        paths, refusal = answered(array_paths, folder)
        assert paths is not None or Path(folder).name in refusal

    opened(documents, listed)


def test_values_of_a_spoiled_neighbour_are_read(tmp_path):
    """What is wrong in one array is no matter for another."""
    zarr.save_array(str(tmp_path / "a.zarr/x"), np.arange(4))
    (tmp_path / "a.zarr/y").mkdir()
    (tmp_path / "a.zarr/y/zarr.json").write_text("{")
    assert dbw.open_volume(tmp_path / "a.zarr/x")[:].sum() == 6
