"""N5 as others keep where it lies: OpenOrganelle, n5-viewer, n5-ij, Paintera, bdv.n5."""

import json

import numpy as np
import pytest
import tensorstore as ts

import dask_blockwise as dbw


def written(folder, groups, array, own, shape=(5, 4, 3)):
    """An array that tensorstore wrote, x first, with attributes of others."""
    spec = {"driver": "n5", "kvstore": {"driver": "file", "path": f"{folder}/{array}"}}
    values = np.arange(np.prod(shape), dtype=np.uint16).reshape(shape)
    ts.open(spec, create=True, dtype="uint16", shape=shape).result()[...] = values
    for name, attributes in {**groups, array: own}.items():
        document = folder / name / "attributes.json"
        there = json.loads(document.read_text()) if document.exists() else {}
        document.write_text(json.dumps(there | attributes))
    volume = dbw.open_volume(folder / array)
    np.testing.assert_array_equal(volume[:], values.T)
    place = volume.placement
    return place.written_size, place.written_offset, place.as_written[0].unit


PIXEL = {"pixelResolution": {"dimensions": [4, 4, 40.5], "unit": "nm"}}
BDV = {"downsamplingFactors": [[1, 1, 1], [2, 2, 1]], "dataType": "uint16"}
NM = {"units": ["nm"] * 3}


@pytest.mark.parametrize(
    ("groups", "array", "own", "expected"),
    [
        # n5-viewer: on the array, on the group, or at the root alone.
        ({}, "c0/s1", PIXEL | {"downsamplingFactors": [2, 2, 1]}, ((40.5, 8, 8), "nanometer")),
        ({"c0": PIXEL}, "c0/s1", {"downsamplingFactors": [2, 2, 1]}, ((40.5, 8, 8), "nanometer")),
        ({"": PIXEL}, "c0/s1", {"downsamplingFactors": [2, 2, 4]}, ((162, 8, 8), "nanometer")),
        (
            {"": PIXEL | {"scales": [[1, 1, 1], [2, 2, 1]]}},
            "c0/s1",
            {},
            ((40.5, 8, 8), "nanometer"),
        ),
        (
            {"": PIXEL | {"scales": [[1, 1, 1], [2, 2, 1]]}},
            "c0/s0",
            {},
            ((40.5, 4, 4), "nanometer"),
        ),
        # bdv.n5: sizes of the time point, factors of the setup or of the array.
        (
            {"setup0": BDV, "setup0/timepoint0": {"resolution": [0.5, 0.5, 2]}},
            *("setup0/timepoint0/s1", {}, ((2, 1, 1), "")),
        ),
        (
            {"setup0": BDV, "setup0/timepoint0": {"resolution": [0.5, 0.5, 2]}},
            *("setup0/timepoint0/s1", {"downsamplingFactors": [4, 4, 1]}, ((2, 2, 2), "")),
        ),
        # What an array says of itself is of its own level.
        ({"": PIXEL}, "a/s1", {"resolution": [8, 8, 80]}, ((80, 8, 8), "")),
    ],
)
def test_sizes_of_levels(tmp_path, groups, array, own, expected):
    size, _, unit = written(tmp_path / "a.n5", groups, array, own)
    assert (size, unit) == expected


def test_paintera(tmp_path):
    data = {"multiScale": True, "resolution": [4, 4, 40], "offset": [100, 0, -80]}
    groups = {"raw": {"painteraData": {"type": "raw"}}, "raw/data": data}
    own = {"downsamplingFactors": [2, 2, 1]}
    size, offset, _ = written(tmp_path / "a.n5", groups, "raw/data/s1", own)
    assert (size, offset) == ((40, 8, 8), (-80, 0, 100))


IMAGEJ = {"pixelWidth": 0.5, "pixelHeight": 0.25, "pixelDepth": 2, "pixelUnit": "um"}


def test_imagej(tmp_path):
    """As n5-ij writes it: of one frame and one channel there are no axes."""
    own = IMAGEJ | {"numChannels": 1, "numSlices": 4, "numFrames": 1, "frameInterval": 0.0}
    place = written(tmp_path / "a.n5", {}, "raw", own)
    assert place == ((2, 0.25, 0.5), (0, 0, 0), "micrometer")
    own = IMAGEJ | {"numChannels": 1, "numSlices": 1, "numFrames": 4, "frameInterval": 3.5}
    assert written(tmp_path / "b.n5", {}, "raw", own)[0] == (3.5, 0.25, 0.5)
    assert dbw.open_volume(tmp_path / "b.n5/raw").axes == ("t", "y", "x")


@pytest.mark.parametrize(
    "transform",
    [
        {"axes": ["z", "y", "x"], "scale": [5.24, 4, 4], "translate": [1, 2, 3], **NM},
        {"axes": ["x", "y", "z"], "scale": [4, 4, 5.24], "translate": [3, 2, 1], **NM},
        {"ordering": "C", "scale": [5.24, 4, 4], "translate": [1, 2, 3], **NM},
        {"scale": [4, 4, 5.24], "translate": [3, 2, 1], **NM},
    ],
)
def test_open_organelle(tmp_path, transform):
    own = {"transform": transform, "pixelResolution": {"dimensions": [1, 1, 1], "unit": "nm"}}
    place = written(tmp_path / "a.n5", {}, "em/s0", own)
    assert place == ((5.24, 4, 4), (1, 2, 3), "nanometer")


@pytest.mark.parametrize(
    "own",
    [
        IMAGEJ | {"zOrigin": 2},
        {"affineTransform": [0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0]},
        {"transform": [[1, 0, 0], [0, 1, 0]]},
        {"transform": {"rotation": [1, 0, 0]}},
        PIXEL | {"downsamplingFactors": [2, 2, 1, 1]},
        PIXEL | {"downsamplingFactors": "two"},
        PIXEL | {"downsamplingFactors": [0, 1, 1]},
    ],
)
def test_what_is_not_understood_is_refused(tmp_path, own):
    with pytest.raises(ValueError, match=r"transform|downsampling|positive|zOrigin"):
        written(tmp_path / "a.n5", {}, "em/s0", own)


def test_what_lies_above_the_container_is_not_its(tmp_path):
    (tmp_path / "attributes.json").write_text(json.dumps(PIXEL))
    assert written(tmp_path / "a.n5", {"": {"n5": "2.0.0"}}, "s0", {})[0] == (1, 1, 1)
