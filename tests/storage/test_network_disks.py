"""Network file systems: files that somebody has open outlive their removal, and there are no locks.

The former is made up: what this process has open is renamed as it is removed, and can't be removed
again, as NFS has it.
"""

import errno
import fcntl
import itertools
import os
from pathlib import Path

import numpy as np
import pytest
from regions import box, whole

import dask_blockwise as dbw
from dask_blockwise.relabelling.scratch import Scratch
from dask_blockwise.storage.arrays import create_array, open_array, remove
from dask_blockwise.storage.removal import remove_in_order


@pytest.fixture
def held_open(monkeypatch):
    """Files that this process has open are renamed where they are removed."""
    unlink, numbers = os.unlink, itertools.count()

    def removed(path, *args, dir_fd=None, **options):
        file = Path(path)
        if file.name.startswith(".nfs"):
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), str(path))
        if dir_fd is None and file.resolve() in opened():
            file.rename(file.with_name(f".nfs{next(numbers):016x}"))
            return
        unlink(path, *args, dir_fd=dir_fd, **options)

    def opened():
        links = Path("/proc/self/fd").iterdir()
        return {Path(os.path.realpath(link)) for link in links}

    monkeypatch.setattr(os, "unlink", removed)


def filled(path, **options):
    array = create_array(path, (4, 4), "u1", chunks=(2, 2), **options)
    array.write(whole(array), np.ones((4, 4), np.uint8))
    return Path(array.location)


def left(folder):
    return [path.name for path in folder.rglob("*") if path.is_file()]


def test_an_array_is_removed_and_made_anew_while_somebody_reads_its_chunks(tmp_path, held_open):
    at = filled(tmp_path / "a.zarr/x")
    with (at / "c/0/1").open("rb"), (at / "zarr.json").open("rb"):
        remove(tmp_path / "a.zarr/x")
        assert len(left(at)) == 2
        assert all(name.startswith(".nfs") for name in left(at))
        remove_in_order(str(at))
        filled(tmp_path / "a.zarr/x", overwrite=True)
        array = open_array(tmp_path / "a.zarr/x")
        assert (array.read(box((0, 4), (0, 4))) == 1).all()


def test_objects_are_stored_while_somebody_reads_what_blocks_left(
    tmp_path, held_open, near, monkeypatch
):
    mask = dbw.Volume.from_array(np.eye(8, dtype=np.uint8), chunks=(4, 4))
    objects = dbw.relabel(dbw.connected_components(mask))
    files, remove_scratch = [], Scratch.remove

    def remove_while_read(scratch):
        files.append(Path(f"{scratch.path}/edges/zarr.json").open("rb"))  # noqa: SIM115
        remove_scratch(scratch)

    monkeypatch.setattr(Scratch, "remove", remove_while_read)
    assert objects.to_zarr(tmp_path / "o.zarr/x", client=near, progress=False)
    for file in files:
        file.close()
    assert np.array_equal(dbw.open_volume(tmp_path / "o.zarr/x")[:] > 0, np.eye(8) > 0)


@pytest.mark.parametrize(
    "number", [errno.ENOLCK, errno.ENOTSUP, errno.EINVAL], ids=errno.errorcode.get
)
def test_a_run_goes_on_where_there_are_no_locks(number, tmp_path, near, monkeypatch):
    def no_locks(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    volume = dbw.Volume.from_array(np.arange(64, dtype=np.uint8).reshape(8, 8), chunks=(4, 4))
    summary = volume.to_zarr(tmp_path / "a.zarr/x", client=near, progress=False)
    assert summary.tasks[0].completed == 4
    (tmp_path / "a.zarr/x/s0/c/0/1").unlink()
    again = volume.to_zarr(tmp_path / "a.zarr/x", client=near, progress=False)
    assert again.tasks[0].completed == 1
    assert not list(tmp_path.rglob("run.json"))
