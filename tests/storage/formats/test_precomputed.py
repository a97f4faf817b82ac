"""Precomputed data: every scale and channel, turned to C order."""

import numpy as np
import pytest
import tensorstore as ts
from regions import box, numbers, whole

from dask_blockwise.geometry.placement import Placement
from dask_blockwise.storage.arrays import open_array, read_placement
from dask_blockwise.storage.formats.precomputed import precomputed_attributes
from dask_blockwise.storage.metadata import placement_from


def precomputed(folder, channels):
    """Two scales of x, y, z, c, as neuroglancer stores them, from a voxel offset on."""
    made = []
    for key, size in (("4_4_40", (10, 8, 6)), ("8_8_40", (5, 4, 6))):
        resolution = [int(n) for n in key.split("_")]
        made.append(
            ts.open(
                {
                    "driver": "neuroglancer_precomputed",
                    "kvstore": {"driver": "file", "path": f"{folder}/"},
                    "multiscale_metadata": {
                        "type": "image",
                        "data_type": "uint8",
                        "num_channels": channels,
                    },
                    "scale_metadata": {
                        "key": key,
                        "size": size,
                        "resolution": resolution,
                        "voxel_offset": [4, 0, 2],
                        "chunk_size": [4, 4, 4],
                        "encoding": "raw",
                    },
                },
                create=True,
            ).result()
        )
        values = numbers(*size, channels, dtype="uint8")
        made[-1][ts.d[:].translate_to[0]].write(values).result()
    return made


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(("key", "level"), [("", 0), ("/4_4_40", 0), ("/8_8_40", 1)])
def test_precomputed_is_turned(tmp_path, channels, key, level):
    written = precomputed(tmp_path / "em", channels)[level].read().result()
    array = open_array(f"{tmp_path}/em{key}")
    values = array.read(whole(array))
    np.testing.assert_array_equal(values, written.T[0] if channels == 1 else written.T)
    placement = read_placement(array)
    assert placement.axes == ("c", "z", "y", "x")[channels == 1 :]
    assert placement.voxel_size == ((40, 4, 4), (40, 8, 8))[level]
    assert placement.offset == ((80, 0, 16), (80, 0, 32))[level]
    block = (slice(0, channels),)[channels == 1 :] + box((0, 4), (4, 4 + 4 // (level + 1)), (0, 4))
    if level == 0:
        array.write(block, np.zeros_like(values[block]))
        assert not open_array(array.path).read(block).any()


def test_precomputed_scales():
    scales = [
        {"key": "a", "resolution": [4, 4, 40], "voxel_offset": [10, 0, 2]},
        {"key": "b", "resolution": [5.24, 8, 40]},
    ]
    held = [
        placement_from({}, "", precomputed_attributes({"scales": scales}, key), 3)
        for key in ("a", "b", None)
    ]
    assert held[0] == held[2] == Placement(("z", "y", "x"), (40, 4, 4), (80, 0, 40), "nanometer")
    assert (held[1].voxel_size, held[1].unit) == ((40000, 8000, 5240), "picometer")
