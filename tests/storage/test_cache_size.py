"""How much a process keeps of what it has decoded, as its environment says."""

import os
import subprocess
import sys

import pytest

from dask_blockwise import create_volume, open_volume
from dask_blockwise.storage import documents


@pytest.mark.parametrize("given", ["1GB", "-5", "0.5", ""])
def test_no_store_is_blamed_for_a_size_that_is_none(tmp_path, monkeypatch, given):
    create_volume(tmp_path / "a.zarr", shape=(4, 4), dtype="uint8")
    monkeypatch.setenv("DASK_BLOCKWISE_CACHE_MB", given)
    with documents.own_cache(), pytest.raises(RuntimeError, match=r"such as 256, got .* unset it"):
        open_volume(tmp_path / "a.zarr")


def test_a_cache_may_be_none(tmp_path, monkeypatch):
    create_volume(tmp_path / "a.zarr", shape=(4, 4), dtype="uint8")
    monkeypatch.setenv("DASK_BLOCKWISE_CACHE_MB", " 0 ")
    with documents.own_cache():
        assert not open_volume(tmp_path / "a.zarr")[:].any()


def test_the_command_says_so_in_a_line(tmp_path):
    create_volume(tmp_path / "a.zarr", shape=(4, 4), dtype="uint8")
    command = [sys.executable, "-m", "dask_blockwise", "info", str(tmp_path / "a.zarr")]
    told = subprocess.run(
        command, env=os.environ | {"DASK_BLOCKWISE_CACHE_MB": "1GB"}, capture_output=True, text=True
    )
    assert told.returncode == 2
    assert "DASK_BLOCKWISE_CACHE_MB is a whole number" in told.stderr
    assert "Traceback" not in told.stderr
