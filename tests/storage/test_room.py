"""What is never overwritten by an output."""

from pathlib import Path

import numpy as np
import pytest

import dask_blockwise as dbw


@pytest.mark.parametrize("name", ["cells.tif", "cells.ome.tiff", "a.zarr/cells.h5", "cells.npy"])
def test_no_folder_gets_the_name_of_a_file_in_another_format(tmp_path: Path, name: str) -> None:
    volume = dbw.Volume.from_array(np.zeros((4, 4)), chunks=(2, 2))
    with pytest.raises(ValueError, match=r"a folder of zarr, and 'cells.* such as out\.zarr/name"):
        volume.to_zarr(tmp_path / name, progress=False)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("below", ["", "/x", "/x/y.zarr"])
def test_a_file_is_never_written_over_nor_beside(tmp_path: Path, below: str) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    volume = dbw.Volume.from_array(np.zeros((4, 4)), chunks=(2, 2))
    with pytest.raises(FileExistsError, match=r"notes.txt is a file.*Choose another path"):
        dbw.threshold(volume, 1).to_zarr(f"{tmp_path}/notes.txt{below}", overwrite=True)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]
