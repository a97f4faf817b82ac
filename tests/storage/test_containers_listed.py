"""What is in a container is told alike of folders, buckets, archives and files of several."""

import shutil

import h5py
import numpy as np
import pytest

from dask_blockwise import Volume
from dask_blockwise.cli import main
from dask_blockwise.storage.level_paths import images_below
from dask_blockwise.volumes.rerunning import stored_below
from dask_blockwise.volumes.viewing import volumes_in

VALUES = np.arange(64, dtype=np.uint8).reshape(4, 4, 4)


def fill(container):
    volume = Volume.from_array(VALUES, voxel_size=(40, 4, 4), unit="nm")
    volume.to_zarr(f"{container}/raw", progress=False, pyramid=1)
    (volume > 3).to_zarr(f"{container}/some/mask", progress=False)


def test_buckets_are_looked_into_as_folders_are(tmp_path, bucket, near, capsys):
    for container in f"{tmp_path}/a.zarr", f"{bucket}/listed/a.zarr":
        fill(container)
        assert images_below(container) == ["raw", "some/mask"]
        assert stored_below(container) == [f"{container}/raw", f"{container}/some/mask"]
        main(["info", container])
    told = capsys.readouterr().out.splitlines()
    assert told[: len(told) // 2] == told[len(told) // 2 :]
    assert "z 40, y 4, x 4 nanometer" in told[2]
    main(["info", f"{bucket}/listed"])
    assert "a.zarr/some/mask" in capsys.readouterr().out
    np.testing.assert_array_equal(volumes_in(f"{bucket}/listed")["a.zarr/raw"][:], VALUES)


@pytest.mark.parametrize("name", ["none", "none/at/all"])
def test_what_is_not_in_a_bucket_is_told_as_before(bucket, name):
    with pytest.raises(FileNotFoundError, match="check the path, and that its bucket may be read"):
        volumes_in(f"{bucket}/{name}")


def test_a_bucket_that_is_not_there_is_told_as_before(s3_bucket):
    with pytest.raises(FileNotFoundError, match="check the path, and that its bucket may be read"):
        volumes_in("s3://no-such-bucket")


def test_archives_are_looked_into(tmp_path, near):
    fill(tmp_path / "a.zarr")
    file = shutil.make_archive(str(tmp_path / "b.zarr"), "zip", tmp_path / "a.zarr")
    assert images_below(file) == ["raw", "some/mask"]
    np.testing.assert_array_equal(volumes_in(file)["some/mask"][:], VALUES > 3)
    assert list(volumes_in(f"{file}/raw")) == ["raw"]


def test_files_of_several_arrays_are_looked_into(tmp_path, capsys):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["raw"], file["some/mask"] = VALUES, VALUES > 3
    found = volumes_in(tmp_path / "a.h5")
    assert list(found) == ["raw", "some/mask"]
    np.testing.assert_array_equal(found["some/mask"][:], VALUES > 3)
    assert list(volumes_in(tmp_path / "a.h5/some")) == ["mask"]
    assert list(volumes_in(tmp_path / "a.h5/raw")) == ["raw"]
    main(["info", str(tmp_path / "a.h5")])
    assert "some/mask" in capsys.readouterr().out
    with pytest.raises(FileNotFoundError, match=r"Its file has .*some/mask"):
        volumes_in(tmp_path / "a.h5/none")
