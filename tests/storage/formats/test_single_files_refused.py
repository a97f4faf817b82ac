"""Single files that lead to others, are damaged, or hold what is no volume: refused by name."""

import json
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
from made_files import MADE, VALUES, hdf5, npy, tiff

import dask_blockwise as dbw


def external(path):
    """A dataset whose voxels lie in a file beside."""
    secret = path / "secret"
    secret.write_bytes(bytes(64))
    with h5py.File(path / "a.h5", "w") as file:
        file.create_dataset("raw", (4, 4, 4), "u1", external=[(str(secret), 0, 64)])
    return path / "a.h5/raw"


def linked(path):
    """A link to a dataset of another file."""
    hdf5(path / "secret.h5")
    with h5py.File(path / "a.h5", "w") as file:
        file["raw"] = h5py.ExternalLink(str(path / "secret.h5"), "raw")
    return path / "a.h5/raw"


def virtual(path):
    """A dataset that is put together of another file."""
    hdf5(path / "secret.h5")
    layout = h5py.VirtualLayout(VALUES.shape, "u2")
    layout[:] = h5py.VirtualSource(str(path / "secret.h5"), "raw", VALUES.shape)
    with h5py.File(path / "a.h5", "w") as file:
        file.create_virtual_dataset("raw", layout)
    return path / "a.h5/raw"


def of_xml(path, change):
    """An OME-TIFF whose XML is changed."""
    tiff(path / "a.ome.tif", metadata={"axes": "ZYX"})
    tifffile.tiffcomment(path / "a.ome.tif", change(tifffile.tiffcomment(path / "a.ome.tif")))
    return path / "a.ome.tif"


def elsewhere(xml):
    """An image of which a plane lies in another file."""
    there = (
        '<TiffData IFD="0" FirstZ="0"><UUID FileName="../secret.tif">urn:uuid:1</UUID></TiffData>'
    )
    return xml.replace('<TiffData IFD="0" PlaneCount="5"/>', there)


def packed(path):
    """An array of Python objects, whose reading would run code."""
    np.save(path / "a.npy", np.array([{}]), allow_pickle=True)
    return path / "a.npy"


def two_images(path):
    with tifffile.TiffWriter(path / "a.tif") as file:
        for page in (VALUES[0], VALUES[0, :20]):
            file.write(page, metadata=None)
    return path / "a.tif"


def tagged(path, axes):
    tags = json.dumps({"axes": [{"key": axis} for axis in axes]})
    return hdf5(path / "a.h5", attributes={"axistags": tags})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (external, "lie in another file, .*secret"),
        (linked, r"lie in another file, .*secret\.h5"),
        (virtual, r"lie in another file, .*secret\.h5"),
        (lambda p: of_xml(p, elsewhere), r"lies in other files too, such as \.\./secret"),
        (
            lambda p: of_xml(
                p, lambda _: '<OME><BinaryOnly MetadataFile="../x.ome" UUID="1"/></OME>'
            ),
            "one that has its metadata",
        ),
        (packed, "Python objects"),
        (two_images, "holds 2 images"),
        (lambda p: tagged(p, "syx"), r"'s', 'y', 'x'\) aren't"),
        (lambda p: tagged(p, "yx"), r"its shape is \(5, 40, 50\)"),
        (
            lambda p: hdf5(p / "a.h5", attributes={"element_size_um": [1], "resolution": [1]}),
            "both resolution and element_size_um",
        ),
        (lambda p: hdf5(p / "a.h5", attributes={"element_size_um": [0, 1, 1]}), "be positive"),
        (lambda p: hdf5(p / "a.h5", np.array([b"a", b"b"])), "must be numbers"),
        (lambda p: hdf5(p / "a.h5", np.zeros((0, 4, 4))), "no voxels"),
        (lambda p: npy(p / "a.npy", np.zeros(())), "can't be understood"),
    ],
)
def test_what_is_refused(tmp_path, make, message):
    path = make(tmp_path)
    with pytest.raises(ValueError, match=rf"{path}.*{message}"):
        dbw.open_volume(path)


@pytest.mark.parametrize("name", ["a.npy", "a.tif", "a.h5/raw"])
@pytest.mark.parametrize(
    "content", [b"", b"\x93NUMPY\x01\x00\xff\xff{", b"II*\x00\xff\xff", b"x" * 999]
)
def test_damaged_files_are_named(tmp_path, name, content):
    file = tmp_path / Path(name).parts[0]
    file.write_bytes(content)
    with pytest.raises((ValueError, OSError), match=str(file)):
        dbw.open_volume(tmp_path / name)


@pytest.mark.parametrize("kind", ["npy", "tif", "tif.zlib", "tif.pages", "tif.pages.zlib", "h5"])
def test_files_that_are_cut_off_are_named(tmp_path, kind):
    path = MADE[kind](tmp_path)
    file = path.parent if path.name == "raw" else path
    file.write_bytes(file.read_bytes()[:-3000])
    with pytest.raises((ValueError, OSError), match=str(file)):
        dbw.open_volume(path)[:]


WITHOUT = """
import sys
for name in ("tifffile", "h5py"):
    sys.modules[name] = None
import dask_blockwise as dbw
from dask_blockwise.storage.arrays_below import array_paths
folder = sys.argv[1]
print(array_paths(folder))
print(dbw.open_volume(f"{folder}/a.npy").shape)
for name in ("a.tif", "a.h5/raw"):
    try:
        dbw.open_volume(f"{folder}/{name}")
    except ImportError as error:
        print(error)
"""


def test_a_missing_library_is_named_with_the_extra_that_brings_it(tmp_path):
    for kind in ("npy", "tif", "h5"):
        MADE[kind](tmp_path)
    command = [sys.executable, "-c", WITHOUT, str(tmp_path)]
    said = subprocess.run(command, capture_output=True, check=True, timeout=120, text=True).stdout
    assert said.count("python -m pip install 'dask_blockwise[files]'") == 2
    assert "(5, 40, 50)" in said


@pytest.mark.parametrize("link", [h5py.SoftLink("/none"), h5py.ExternalLink("none.h5", "raw")])
def test_links_that_lead_to_nothing_are_told(tmp_path, link):
    hdf5(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file["link"] = link
    with pytest.raises(ValueError, match="a link that leads to nothing"):
        dbw.open_volume(tmp_path / "a.h5/link")
    np.testing.assert_array_equal(dbw.open_volume(tmp_path / "a.h5/raw")[:], VALUES)
