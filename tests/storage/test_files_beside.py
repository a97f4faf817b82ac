"""Files for people are written to folders of this machine, or refused before anything runs."""

from pathlib import Path

import pytest

from dask_blockwise import create_volume, open_volume
from dask_blockwise.storage.files_beside import file_to_write

REFUSED = [
    (r"C:\run.html", ValueError, "is a path as Windows has it"),
    ("s3://bucket/run.html", ValueError, "is in no folder of this machine"),
    ("https://host/run.html", ValueError, "is in no folder of this machine"),
    ("nowhere/run.html", FileNotFoundError, "nowhere, where .* is to go, isn't there"),
]


@pytest.mark.parametrize("path, error, said", REFUSED)
def test_reports_and_pipelines_are_refused_before_anything_runs(
    tmp_path, monkeypatch, path, error, said
):
    monkeypatch.chdir(tmp_path)
    create_volume("in.zarr/raw", shape=(4, 4), dtype="uint8")
    volume = open_volume("in.zarr/raw")
    with pytest.raises(error, match=said):
        volume.to_zarr("a.zarr/eye", report=path, progress=False)
    with pytest.raises(error, match=said):
        (volume + 1).checkpoint("a.zarr/eye").to_yaml(path)
    assert [found.name for found in Path().iterdir()] == ["in.zarr"]


def test_a_file_url_and_the_home_folder_are_paths(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    expected = tmp_path / "a b.html"
    assert file_to_write(f"file://{tmp_path}/a%20b.html", "it") == expected
    assert file_to_write("~/a b.html", "it") == expected
    assert file_to_write(tmp_path / "a b.html", "it") == expected
