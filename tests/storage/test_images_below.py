"""Which images are told of below a folder: not what a run keeps for itself."""

import pytest

from dask_blockwise.storage.arrays import create_array
from dask_blockwise.storage.level_paths import images_below


@pytest.mark.parametrize("name", ["cells.scratched", "a.scratch.b/cells", "scratch/cells"])
def test_scratch_is_left_out_and_what_is_called_alike_is_not(tmp_path, name):
    for path in name, "cells.scratch/labels", "a/cells.scratch/edges":
        create_array(tmp_path / "a.zarr" / path, (4,), "uint8", chunks=(4,))
    assert images_below(tmp_path / "a.zarr") == [name]
    assert images_below(tmp_path / "a.zarr/cells.scratch") == ["labels"]
