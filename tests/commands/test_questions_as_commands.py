"""Commands that ask about what is stored, and those that go on with it."""

from __future__ import annotations

import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import numpy as np
import pandas
import pytest
from distributed import Client
from scipy.ndimage import gaussian_filter

import dask_blockwise as dbw
from dask_blockwise.cli import main


@pytest.fixture
def cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, near: Client) -> np.ndarray:
    """Components that were stored here, beside raw."""
    monkeypatch.chdir(tmp_path)
    smooth = gaussian_filter(np.random.default_rng(1).random((24, 32, 32)), 1)
    where = {"voxel_size": (2, 0.5, 0.5), "unit": "micrometer"}
    volume = dbw.Volume.from_array(smooth.astype(np.float32), **where, chunks=(12, 16, 16))
    volume.to_zarr("a.zarr/raw", progress=False, pyramid=2)
    mask = dbw.threshold(dbw.open_volume("a.zarr/raw"), 0.55)
    components = dbw.relabel(dbw.connected_components(mask))
    components.to_zarr("a.zarr/cells", progress=False, notes="a first try")
    return dbw.open_volume("a.zarr/cells")[:]


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    main(arguments)
    return capsys.readouterr().out


def test_info_says_what_is_known(cells: np.ndarray, capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "info", "a.zarr/raw")
    for part in (
        "shape       z 24, y 32, x 32",
        "values      float32, 96.00 kiB",
        "voxel size  z 2, y 0.5, x 0.5 micrometer",
        "block       z 12, y 16, x 16",
        "level 1     a.zarr/raw/s1: z 24, y 16, x 16; z 2, y 1, x 1 micrometer a voxel",
    ):
        assert part in text
    of_cells = said(capsys, "info", "a.zarr/cells")
    assert "made by     connected_components connectivity=1\nmade by     relabel" in of_cells
    assert "made from   a.zarr/raw/s0" in of_cells
    assert "notes       a first try" in of_cells
    assert "level" not in of_cells
    assert "y 16" in said(capsys, "info", "a.zarr/raw", "--level", "1").splitlines()[0]


def test_info_of_another_tools_file(cells: np.ndarray, capsys: pytest.CaptureFixture[str]) -> None:
    np.save("plane.npy", np.zeros((4, 6), np.uint16))
    text = said(capsys, "info", "plane.npy")
    assert "shape       y 4, x 6" in text
    assert "made by" not in text


def test_status_ends_with_1_where_something_is_missing(
    cells: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "8 of 8 blocks are done" in said(capsys, "status", "a.zarr/cells")
    next(path for path in Path("a.zarr/cells/s0/c").rglob("*") if path.is_file()).unlink()
    with pytest.raises(SystemExit, match="1"):
        main(["status", "a.zarr/cells"])
    assert "lack files" in capsys.readouterr().out
    main(["rerun", "a.zarr/cells", "--no-progress"])
    assert np.array_equal(dbw.open_volume("a.zarr/cells")[:], cells)
    main(["rerun", "a.zarr/cells", "--to", "b.zarr/cells", "--no-progress"])
    assert np.array_equal(dbw.open_volume("b.zarr/cells")[:], cells)


def test_objects_are_measured(cells: np.ndarray, capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "objects", "a.zarr/cells", "--mean", "raw=a.zarr/raw", "--no-progress")
    table = pandas.read_parquet("a.zarr/cells.objects.parquet")
    ids, voxels = np.unique(cells[cells > 0], return_counts=True)
    assert table.id.tolist() == ids.tolist()
    assert table.voxels.tolist() == voxels.tolist()
    assert (table.mean_raw > 0.55).all()
    assert f"{len(ids)} objects" in text
    assert str(voxels.max()) in text


def test_levels_are_added(cells: np.ndarray) -> None:
    main(["pyramid", "a.zarr/cells", "--levels", "1", "--no-progress"])
    assert len(dbw.open_levels("a.zarr/cells")) == 2


def test_seams_are_seen_in_what_is_stored(
    cells: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    text = said(capsys, "seams", "a.zarr/cells", "--windows", "20", "--picture", "seams.png")
    assert text.startswith("CLEAN")
    assert "Computed again as one piece" in text
    assert Path("seams.png").stat().st_size > 1000
    with pytest.raises(SystemExit, match="2"):
        main(["seams", "a.zarr/cells", "--picture", "nowhere/seams.png"])
    out, err = capsys.readouterr()
    assert out == ""
    assert "nowhere, where the picture is to go, isn't there: make it" in err
    rows, columns = np.arange(64)[:, None], np.arange(64)
    cut = (rows + columns) // 7 + 1 + 100 * (columns // 16)
    dbw.Volume.from_array(cut, chunks=(16, 16)).to_zarr("b.zarr/cut", progress=False)
    with pytest.raises(SystemExit, match="1"):
        main(["seams", "b.zarr/cut"])
    assert capsys.readouterr().out.startswith("SEAMS")


def test_seams_are_looked_for_in_what_its_options_open(
    cells: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    """Boundaries alone in a part, and all of it in the same voxels by other numbers."""
    main(["seams", "a.zarr/cells", "--windows", "20", "--isel", "z=0:24", "--unit", "um"])
    text, told = capsys.readouterr()
    assert "Computed again as one piece" in text
    main(["seams", "a.zarr/cells", "--windows", "20", "--isel", "x=0:30"])
    text, told = capsys.readouterr()
    assert "Computed again as one piece" not in text
    assert "Boundaries alone are looked at" in told
    labels = np.stack([cells * 0, cells])
    dbw.Volume.from_array(labels, axes="czyx", chunks=(1, 12, 16, 16)).to_zarr("c.zarr")
    assert said(capsys, "seams", "c.zarr", "--isel", "c=1").startswith("CLEAN")


def test_view_shows_all_of_a_container_until_ctrl_c(cells: np.ndarray) -> None:
    pytest.importorskip("neuroglancer", reason="needs dask_blockwise[view]")
    command = [sys.executable, "-m", "dask_blockwise", "view", "a.zarr", "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as viewer:
        assert viewer.stdout is not None
        url = viewer.stdout.readline().decode().strip()
        with urllib.request.urlopen(url) as page:
            assert b"neuroglancer" in page.read().lower()
        viewer.send_signal(signal.SIGINT)
        _, errors = viewer.communicate(timeout=60)
    assert (viewer.returncode, errors) == (0, b"")


def test_what_is_measured_of_a_part_says_so(
    cells: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["convert", "a.zarr/cells", "a.zarr/part", "--roi", "0:24,0:8,0:8", "--no-progress"])
    absent = "7 of 8 chunks of a.zarr/part/s0 are absent: read as 0"
    table = ("objects", "a.zarr/part", "--no-progress")
    assert absent in said(capsys, *table)
    assert absent in said(capsys, "evaluate", "a.zarr/cells", "a.zarr/part")
    with pytest.raises(SystemExit) as unfinished:
        main(["status", "a.zarr/part"])
    assert unfinished.value.code == 1
    assert "7 of 8" in said(capsys, "info", "a.zarr/part")
    main(["convert", "a.zarr/cells", "a.zarr/part", "--no-progress"])
    assert "absent" not in said(capsys, *table)
    assert "absent" not in said(capsys, "evaluate", "a.zarr/cells", "a.zarr/part")
