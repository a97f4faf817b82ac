"""Levels of images: by index, path or voxel size, of each format that has several."""

import json
import re

import numpy as np
import pytest
import tensorstore as ts
import tifffile
import zarr

import dask_blockwise as dbw

SHAPE = (8, 16, 16)
SIZES = (1, 2, 4)
VALUES = np.arange(np.prod(SHAPE), dtype=np.uint16).reshape(SHAPE)


def level(factor):
    """Every so manieth voxel."""
    return VALUES[::factor, ::factor, ::factor]


def ome_zarr(folder, **image):
    group = zarr.open_group(folder, mode="w", zarr_format=2)
    datasets = []
    for n, factor in enumerate(SIZES):
        group.create_array(f"scale/{n}", data=level(factor), chunks=(4, 4, 4))
        scale = {"type": "scale", "scale": [40 * factor, 4 * factor, 4 * factor]}
        datasets.append({"path": f"./scale/{n}/", "coordinateTransformations": [scale]})
    axes = [{"name": axis, "type": "space", "unit": "nanometer"} for axis in "zyx"]
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": datasets} | image]
    return folder, [f"scale/{n}" for n in range(3)]


def n5(folder, names, attributes=None, **own):
    """By TensorStore; attributes of groups and of each level, x first."""
    for name, factor in zip(names, SIZES, strict=True):
        spec = {"driver": "n5", "kvstore": {"driver": "file", "path": f"{folder}/{name}"}}
        values = level(factor).T
        ts.open(spec, create=True, dtype="uint16", shape=values.shape).result()[...] = values
        extra = {key: value(factor) for key, value in own.items()}
        document = folder / name / "attributes.json"
        document.write_text(json.dumps(json.loads(document.read_text()) | extra))
    for name, content in (attributes or {}).items():
        (folder / name / "attributes.json").write_text(json.dumps(content))
    return folder, names


def transform(factor):
    sizes = [40 * factor, 4 * factor, 4 * factor]
    return {"axes": [*"zyx"], "scale": sizes, "translate": [0, 0, 0], "units": ["nm"] * 3}


def pixel(factor):
    return {"dimensions": [4 * factor, 4 * factor, 40 * factor], "unit": "nm"}


def factors(factor):
    return [factor] * 3


NAMES = ["s0", "s1", "s2"]
ALL = [factors(n) for n in SIZES]


def cosem(folder):
    datasets = [
        {"path": name, "transform": transform(n)} for name, n in zip(NAMES, SIZES, strict=True)
    ]
    listed = {"": {"multiscales": [{"name": "em", "datasets": datasets}]}}
    return n5(folder, NAMES, listed)


def bdv(folder):
    folder = folder.with_suffix(".n5")
    names = [f"setup0/timepoint0/{name}" for name in NAMES]
    groups = {"setup0": {"downsamplingFactors": ALL}, "setup0/timepoint0": {"multiScale": True}}
    groups[""] = {"n5": "2.0.0"}
    n5(folder, names, groups)
    folder.with_suffix(".xml").write_text(XML.format("1 0 0 0 0 1 0 0 0 0 10 0", ""))
    return folder / "setup0/timepoint0", NAMES


XML = """<?xml version="1.0" encoding="UTF-8"?><SpimData version="0.2"><SequenceDescription>
<ViewSetups><ViewSetup><id>0</id><voxelSize><unit>nm</unit><size>4.0 4.0 40.0</size></voxelSize>
</ViewSetup></ViewSetups></SequenceDescription><ViewRegistrations>
<ViewRegistration timepoint="0" setup="0">{1}
<ViewTransform type="affine"><Name>calibration</Name><affine>{0}</affine></ViewTransform>
</ViewRegistration></ViewRegistrations></SpimData>"""


def precomputed(folder):
    keys = [f"{4 * n}_{4 * n}_{40 * n}/data" for n in SIZES]
    for key, factor in zip(keys, SIZES, strict=True):
        spec = {
            "driver": "neuroglancer_precomputed",
            "kvstore": {"driver": "file", "path": f"{folder}/"},
            "multiscale_metadata": {"type": "image", "data_type": "uint16", "num_channels": 1},
            "scale_metadata": {
                "key": key, "size": level(factor).shape[::-1], "encoding": "raw",
                "resolution": [4 * factor, 4 * factor, 40 * factor], "chunk_size": [8, 8, 8],
            },
        }  # fmt: skip
        ts.open(spec, create=True).result()[..., 0] = level(factor).T
    return folder, keys


def tiff(folder):
    path = folder.with_suffix(".ome.tif")
    metadata = {"axes": "ZYX", "PhysicalSizeUnit": "nm"} | {
        f"PhysicalSize{axis}": size for axis, size in zip("ZYX", (40, 4, 4), strict=True)
    }
    metadata |= {f"PhysicalSize{axis}Unit": "nm" for axis in "ZYX"}
    kind = {"tile": (16, 16), "photometric": "minisblack"}
    with tifffile.TiffWriter(path, ome=True) as file:
        file.write(VALUES, subifds=2, metadata=metadata, **kind)
        for factor in SIZES[1:]:
            file.write(VALUES[:, ::factor, ::factor], subfiletype=1, **kind)
    return path, ["0", "1", "2"]


def numbered(folder):
    group = zarr.open_group(folder, mode="w")
    for name, factor in zip(NAMES, SIZES, strict=True):
        array = group.create_array(name, data=level(factor), chunks=(4, 4, 4))
        array.attrs.update(resolution=[40 * factor, 4 * factor, 4 * factor], units=["nm"] * 3)
    return folder, NAMES


def paintera(folder):
    groups = {"": {"painteraData": {"type": "raw"}}, "data": {"multiScale": True}}
    groups["data"] |= {"resolution": [4, 4, 40], "offset": [0, 0, 0]}
    names = [f"data/{name}" for name in NAMES]
    return n5(folder, names, groups, downsamplingFactors=factors)


def cosem_zarr(folder):
    """As OpenOrganelle had it in zarr, before it took over OME's."""
    group = zarr.open_group(folder, mode="w", zarr_format=2)
    for name, factor in zip(NAMES, SIZES, strict=True):
        group.create_array(name, data=level(factor), chunks=(4, 4, 4))
    levels = [{"path": name, "transform": transform(n)} for name, n in zip(NAMES, SIZES)]
    group.attrs["multiscales"] = [{"name": "em", "datasets": levels}]
    return folder, NAMES


MADE = {
    "OME-Zarr": ome_zarr,
    "OpenOrganelle's zarr": cosem_zarr,
    "OpenOrganelle": cosem,
    "n5-viewer": lambda f: n5(f, NAMES, pixelResolution=pixel),
    "Paintera": paintera,
    "bdv.n5": bdv,
    "precomputed": precomputed,
    "TIFF": tiff,
    "by name": numbered,
}
# No unit is kept there.
NO_UNIT = ("Paintera",)


@pytest.mark.parametrize("kind", MADE)
def test_levels(tmp_path, kind):
    path, names = MADE[kind](tmp_path / "a")
    levels = dbw.open_levels(path)
    for n, (volume, factor) in enumerate(zip(levels, SIZES, strict=True)):
        along_z = 1 if kind == "TIFF" else factor
        np.testing.assert_array_equal(volume[:], VALUES[::along_z, ::factor, ::factor])
        size = (40 * along_z, 4 * factor, 4 * factor)
        assert volume.placement.written_size == size
        assert volume.unit == ("" if kind in NO_UNIT else "nanometer")
        for asked in (n, n - 3, names[n], f"./{names[n]}/", 40.0 * factor, size):
            if kind == "TIFF" and isinstance(asked, float):
                continue  # by z, all levels are the same
            assert dbw.open_volume(path, level=asked).shape == volume.shape, asked
        assert dbw.open_volume(f"{path}/{names[n]}").shape == volume.shape
    assert dbw.open_volume(path).shape == SHAPE
    np.testing.assert_array_equal(dbw.open_volume(path)[:], VALUES)


@pytest.mark.parametrize(
    ("asked", "shape"),
    [
        ("40 nm", SHAPE),
        ("0.08 um", (4, 8, 8)),
        ("81nm", (4, 8, 8)),
        ("1 mm", (2, 4, 4)),
        (("90 nm", "8 nm", "8 nm"), (4, 8, 8)),
        ((159, 30, 30), (4, 8, 8)),
        ((160, 16, 16), (2, 4, 4)),
        (np.float32(80), (4, 8, 8)),
        (np.int64(1), (4, 8, 8)),
        (-1, (2, 4, 4)),
    ],
)
def test_the_coarsest_that_is_no_coarser(tmp_path, asked, shape):
    path, _ = ome_zarr(tmp_path / "a")
    assert dbw.open_volume(path, level=asked).shape == shape


ALL_SAID = (
    r"It has scale/0 \(40 x 4 x 4 nanometer\), scale/1 \(80 x 8 x 8 nanometer\), scale/2 \(160 x"
)


@pytest.mark.parametrize(
    "asked", [3, -4, "s0", "", "scale", 39.0, -4.0, (40, 4, "x"), (), "39 nm", (40, 4, 3), "../a"]
)
def test_levels_that_are_not_there(tmp_path, asked):
    path, _ = ome_zarr(tmp_path / "a")
    with pytest.raises(ValueError, match=rf"a has no level {re.escape(repr(asked))}.*{ALL_SAID}"):
        dbw.open_volume(path, level=asked)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (True, "level is an index, the path"),
        ({}, "level is an index, the path"),
        (b"0", "level is an index, the path"),
        ((40,), "one for each of the 3 axes"),
        (float("nan"), "finite numbers, got nan"),
        ((40, 4), "one for each of the 3 axes"),
        ("4 furlong", "can't be compared with 'furlong'"),
    ],
)
def test_what_is_no_level(tmp_path, asked, message):
    path, _ = ome_zarr(tmp_path / "a")
    with pytest.raises(ValueError, match=message):
        dbw.open_volume(path, level=asked)


def test_an_array_by_itself(tmp_path):
    path, _ = ome_zarr(tmp_path / "a")
    assert [volume.shape for volume in dbw.open_levels(path / "scale/1")] == [(4, 8, 8)]
    assert dbw.open_volume(path / "scale/1", level=0).shape == (4, 8, 8)
    with pytest.raises(ValueError, match=r"is an array by itself.*leave level out"):
        dbw.open_volume(path / "scale/1", level=1)
    for act in (dbw.open_levels, lambda p: dbw.open_volume(p, level=0)):
        with pytest.raises(FileNotFoundError, match="No array at"):
            act(path / "nothing")


def test_levels_in_any_order_are_the_finest_first(tmp_path):
    path, _ = ome_zarr(tmp_path / "a")
    document = json.loads((path / ".zattrs").read_text())
    document["multiscales"][0]["datasets"].reverse()
    (path / ".zattrs").write_text(json.dumps(document))
    assert dbw.open_levels(path)[0].shape == SHAPE


def test_an_image_is_the_first_of_several(tmp_path):
    path, names = ome_zarr(tmp_path / "a")
    document = json.loads((path / ".zattrs").read_text())
    document["multiscales"] *= 2
    (path / ".zattrs").write_text(json.dumps(document))
    assert len(dbw.open_levels(path)) == len(names)


def test_a_run_of_a_level_is_known_again(tmp_path, near):
    path, _ = tiff(tmp_path / "a")
    volume = dbw.open_volume(path, level=1)
    made = dbw.map_overlap(np.negative, volume, halo=0)
    made.to_zarr(tmp_path / "out.zarr/a", progress=False)
    assert dbw.status(tmp_path / "out.zarr/a").is_current
    dbw.rerun(tmp_path / "out.zarr/a", to=tmp_path / "out.zarr/b", progress=False)
    np.testing.assert_array_equal(
        dbw.open_volume(tmp_path / "out.zarr/b")[:], np.negative(VALUES[:, ::2, ::2])
    )


SHIFT = '<ViewTransform type="affine"><affine>2 0 0 10 0 2 0 -4 0 0 2 0</affine></ViewTransform>'


def test_the_view_of_big_data_viewer(tmp_path):
    path, _ = bdv(tmp_path / "a")
    xml = tmp_path / "a.xml"
    # The world is in pixels of 4 nm, and the view's scale of 2 comes after its calibration.
    xml.write_text(XML.format("1 0 0 3 0 1 0 0 0 0 10 5", SHIFT))
    volume = dbw.open_volume(path, level=1)
    assert volume.placement.written_size == (80, 8, 8)
    assert volume.placement.written_offset == (10 * 2, -4 * 2, 16 * 2)
    assert volume.unit == "nanometer"


@pytest.mark.parametrize(
    ("affine", "message"),
    [
        ("0 1 0 0 1 0 0 0 0 0 10 0", r"a\.xml turns or shears .* \(calibration\)"),
        ("1 0 0 0 0 1 0 0 0 0 5 0", "scales the view of setup 0 by 1 x 1 x 5, and its voxels"),
        ("1 0 0 0 0 -1 0 0 0 0 10 0", "mirrors the view"),
        ("1 0 0", "affine should be 12 numbers"),
    ],
)
def test_views_that_are_not_read(tmp_path, affine, message):
    path, _ = bdv(tmp_path / "a")
    (tmp_path / "a.xml").write_text(XML.format(affine, ""))
    with pytest.raises(ValueError, match=message):
        dbw.open_volume(path)
    volume = dbw.open_volume(path, axes="zyx", voxel_size=(4, 4, 4), unit="nm")
    assert volume.voxel_size == (4, 4, 4)


def test_without_an_xml_the_group_says_it(tmp_path):
    path, _ = bdv(tmp_path / "a")
    (tmp_path / "a.xml").unlink()
    (path / "attributes.json").write_text(json.dumps({"resolution": [0.5, 0.5, 2]}))
    assert dbw.open_volume(path, level=2).placement.written_size == (8, 2, 2)
