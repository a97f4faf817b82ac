"""Volumes made to be written: what isn't given is that of the volume to be like."""

import numpy as np
import pytest

from dask_blockwise import Volume, create_volume, map_overlap

LIKE = Volume.from_array(
    np.zeros((3, 8, 6, 4), np.float32),
    voxel_size=(40, 4, 4),
    offset=(80, 0, 8),
    unit="nm",
    chunks=(3, 4, 6, 2),
)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {}),
        ({"dtype": "uint8"}, {"dtype": np.uint8}),
        ({"voxel_size": (80, 8, 8)}, {"voxel_size": (80, 8, 8)}),
        ({"offset": (0, 0, 0)}, {"offset": (0, 0, 0)}),
        ({"unit": "um"}, {"unit": "micrometer"}),
        ({"shape": (8, 6, 4)}, {"shape": (8, 6, 4), "axes": ("z", "y", "x")}),
        ({"block_shape": (2, 3, 4)}, {"block_shape": (2, 3, 4)}),
        ({"block_shape": (99, 3, 4)}, {"block_shape": (8, 3, 4)}),
    ],
)
def test_what_is_not_given_is_like_the_other(tmp_path, given, expected):
    made = create_volume(tmp_path / "a.zarr", LIKE, **given)
    names = ("shape", "dtype", "axes", "voxel_size", "offset", "unit", "block_shape")
    assert {name: getattr(made, name) for name in names} == {
        **{name: getattr(LIKE, name) for name in names},
        **expected,
    }


@pytest.mark.parametrize("block", [(2, 3), (0, 3, 4), (3, 2, 3, 4)])
def test_a_block_that_does_not_fit_the_axes_is_refused(tmp_path, block):
    with pytest.raises(ValueError, match=r"block_shape must be 3 positive whole numbers"):
        create_volume(tmp_path / "a.zarr", LIKE, block_shape=block)
    assert not (tmp_path / "a.zarr").exists()


def test_axes_in_capitals_are_known_beside_a_volume_to_be_like(tmp_path):
    like = Volume.from_array(np.zeros((2, 3, 4), np.uint8), axes="cyx", voxel_size=(4, 4))
    assert create_volume(tmp_path / "a.zarr/x", like, axes="CYX").axes == ("c", "y", "x")


@pytest.mark.parametrize("dtype", ["S4", "U3", "M8[s]", "O"])
def test_what_is_no_number_is_no_voxel(tmp_path, dtype):
    raw = Volume.from_array(np.zeros((4, 4)))
    for make in (
        lambda: create_volume(tmp_path / "a.zarr", shape=(4, 4), dtype=dtype),
        lambda: map_overlap(np.abs, raw, dtype=dtype),
    ):
        with pytest.raises(TypeError, match="Voxels must be numbers, got"):
            make()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("chunks", [(4, 4), (4, 4.5, 4), (4, 0, 4), 64])
def test_chunks_of_an_array_are_whole_and_one_an_axis(chunks):
    with pytest.raises(ValueError, match=r"3 positive whole numbers of voxels.*got"):
        Volume.from_array(np.zeros((8, 8, 8)), chunks=chunks)
