"""HDF5 as BigDataViewer keeps it: levels of setups, which lie as its XML beside the file says."""

import h5py
import numpy as np
import pytest

import dask_blockwise as dbw

VALUES = np.arange(60, dtype=np.uint16).reshape(3, 4, 5)
XML = """<SpimData version="0.2"><SequenceDescription><ViewSetups><ViewSetup><id>1</id>
<voxelSize><unit>um</unit><size>0.25 0.25 1.0</size></voxelSize></ViewSetup></ViewSetups>
</SequenceDescription><ViewRegistrations><ViewRegistration timepoint="0" setup="1">
<ViewTransform type="affine"><affine>{}</affine></ViewTransform></ViewRegistration>
</ViewRegistrations></SpimData>"""
MOVED = "0.25 0 0 2.0 0 0.25 0 0 0 0 1 -3"


@pytest.fixture(params=[None, "element_size_um"], ids=["plain", "sized"])
def level(request, tmp_path):
    """The coarser level of a file, of which the dataset may tell its size itself."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["s01/resolutions"] = np.array([[1.0, 1, 1], [2, 2, 1]])
        for number in range(2):
            file[f"t00000/s01/{number}/cells"] = VALUES
        if request.param:
            file["t00000/s01/1/cells"].attrs[request.param] = (9.0, 8.0, 8.0)
    return request.param, tmp_path / "a.h5/t00000/s01/1/cells"


@pytest.mark.parametrize(
    ("xml", "size", "offset", "unit"),
    [
        (XML.format(MOVED), (1, 0.5, 0.5), (-3, 0, 2), "micrometer"),
        (None, (1, 2, 2), (0, 0, 0), ""),
    ],
    ids=["xml", "none"],
)
def test_a_level_lies_as_its_view(level, tmp_path, xml, size, offset, unit):
    if xml:
        (tmp_path / "a.xml").write_text(xml)
    sized, path = level
    if sized:
        size, offset, unit = (9, 8, 8), (0, 0, 0), "micrometer"
    volume = dbw.open_volume(path)
    place = volume.placement
    assert (place.written_size, place.written_offset) == (size, offset)
    assert place.as_written[0].unit == unit
    assert np.array_equal(volume[:], VALUES)


def test_a_view_that_is_turned_is_refused(level, tmp_path):
    (tmp_path / "a.xml").write_text(XML.format("0 0.25 0 0 0.25 0 0 0 0 0 1 0"))
    sized, path = level
    if sized:
        assert dbw.open_volume(path).placement.written_size == (9, 8, 8)
        return
    with pytest.raises(ValueError, match=r"a\.xml turns or shears the view of setup 1"):
        dbw.open_volume(path)


def test_what_is_kept_with_a_sign_is_warned_of(tmp_path):
    values = np.array([[[0, 1, 40_000]]], np.uint16)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["s01/resolutions"] = np.array([[1.0, 1, 1]])
        file["t00000/s01/0/cells"] = values.view(np.int16)
    with pytest.warns(UserWarning, match="in which BigDataViewer keeps values without a sign"):
        volume = dbw.open_volume(tmp_path / "a.h5/t00000/s01/0/cells")
    np.testing.assert_array_equal(volume.astype("uint16")[:], values)
