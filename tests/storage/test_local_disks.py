"""On disks of this machine the system brings chunks to the disk; elsewhere writes wait for it."""

from types import SimpleNamespace

import psutil
import pytest

from dask_blockwise.storage.arrays import create_array
from dask_blockwise.storage.formats.by_tensorstore import open_tensorstore
from dask_blockwise.storage.local_disks import writes_in_order

MOUNTED = [
    ("/", "overlay"),
    ("/home", "nfs4"),
    ("/home/me/fast", "xfs"),
    ("/scratch", "lustre"),
    ("/old", "ext4"),
    ("/old", "cifs"),
    ("/usb", "ext2"),
    ("/quick", "ext4", "rw,relatime,data=writeback"),
    ("/my data", "ext4", "rw,data=ordered"),
]


@pytest.fixture
def mounted(monkeypatch):
    made = [
        SimpleNamespace(mountpoint=at, fstype=kind, opts=",".join(options) or "rw")
        for at, kind, *options in MOUNTED
    ]
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: made)
    writes_in_order.cache_clear()
    yield
    writes_in_order.cache_clear()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/data/a.zarr", True),
        ("/home/me/a.zarr", False),
        ("/home/me/fast/a.zarr", True),
        ("/home/me/faster/a.zarr", False),
        ("/scratch/a.zarr", False),
        ("/old/a.zarr", False),
        ("/usb/a.zarr", False),
        ("/quick/a.zarr", False),
        ("/my data/a.zarr", True),
        ("gs://data/a.zarr", False),
    ],
)
def test_the_nearest_file_system_says(mounted, path, expected):
    assert writes_in_order(path) is expected


def test_links_are_followed(mounted, tmp_path):
    (tmp_path / "link").symlink_to("/scratch")
    assert writes_in_order(str(tmp_path / "a"))
    assert not writes_in_order(str(tmp_path / "link/a"))


@pytest.mark.parametrize(("in_order", "waits"), [(True, False), (False, True)])
def test_writes_wait_for_other_disks_alone(tmp_path, monkeypatch, in_order, waits):
    array = create_array(tmp_path / "a.zarr/x", (4, 4), "u1", chunks=(2, 2))
    monkeypatch.setattr(f"{open_tensorstore.__module__}.writes_in_order", lambda _: in_order)
    opened = open_tensorstore("zarr3", array.location, False)
    # Where nothing is said, TensorStore waits.
    said = opened.kvstore.spec(retain_context=True).to_json()["file_io_sync"]
    assert (said is not False) is waits
