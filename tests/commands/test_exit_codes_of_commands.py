"""How the processes of commands end, on real arrays and workers of their own."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import dask_blockwise as dbw
from dask_blockwise.cli import main

CELLS = """
import time
from scipy.ndimage import label

def segment_function(array, block, seconds=0.0, bad=-1):
    time.sleep(seconds)
    if array.max() == bad:
        raise ValueError("no luck")
    return label(array > 2)[0]
"""
SEGMENT = "segment in.zarr/raw out.zarr/cells --function cells.py --halo 1 --workers 1"


@pytest.fixture
def folder(tmp_path: Path, near: object) -> Path:
    """With a volume of 8 blocks, and a segment function."""
    raw = np.random.default_rng(0).integers(0, 5, (8, 16, 16)).astype(np.uint8)
    raw[0, 0, 0] = 99
    volume = dbw.Volume.from_array(raw, chunks=(4, 8, 8))
    volume.to_zarr(tmp_path / "in.zarr/raw", progress=False)
    (tmp_path / "cells.py").write_text(CELLS)
    return tmp_path


def started(folder: Path, line: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "dask_blockwise", *shlex.split(line)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))},
    )


def ended(folder: Path, line: str) -> tuple[int, str, str]:
    process = started(folder, line)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def test_all_done_is_0_and_a_wrong_call_is_2(folder: Path) -> None:
    code, out, err = ended(folder, f"{SEGMENT} --no-progress")
    assert (code, err) == (0, "")
    assert re.search(r"cells: segment +8 ", out)
    code, out, err = ended(folder, f"{SEGMENT} --worker 3")
    assert (code, out) == (2, "")
    assert err.startswith("dask-blockwise: ")
    assert "Did you mean --workers" in err


def test_failed_blocks_are_1_and_the_others_are_kept(folder: Path) -> None:
    code, _, err = ended(folder, f"{SEGMENT} --no-progress --parameter bad=99 --max-retries 0")
    assert code == 1
    assert "no luck" in err


def test_what_was_stopped_is_75_and_goes_on(folder: Path) -> None:
    line = f"{SEGMENT} --no-progress --parameter seconds=0.3"
    process = started(folder, line)
    while not any(path.stat().st_size for path in (folder / "out.zarr").rglob("done.bin")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 75
    assert "Traceback" not in err
    assert "goes on from there" in err
    code, out, _ = ended(folder, line)
    assert code == 0
    done, skipped = map(int, out.splitlines()[2].split()[3:5])
    assert done + skipped == 8
    assert skipped


@pytest.mark.slurm
@pytest.mark.skipif(importlib.util.find_spec("dask_jobqueue") is None, reason="dask-jobqueue")
def test_blocks_run_in_jobs_of_a_batch_system(
    folder: Path, slurm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    threshold = ["threshold", "in.zarr/raw", "out.zarr/mask", "--value", "2", "--no-progress"]
    main([*threshold, "--cluster", "slurm", "--workers", "2", "--memory", "1GB"])
    expected = dbw.open_volume("in.zarr/raw")[:] > 2
    assert np.array_equal(dbw.open_volume("out.zarr/mask")[:], expected)


def test_an_image_is_no_labels(folder: Path) -> None:
    raw = np.random.default_rng(0).integers(0, 255, (8, 16, 16)).astype(np.uint8)
    dbw.Volume.from_array(raw).to_zarr(folder / "in.zarr/grey", progress=False)
    code, out, err = ended(folder, "objects in.zarr/grey --no-progress --workers 1")
    assert (code, out) == (2, "")
    assert err.startswith("dask-blockwise: <StoredVolume")
    assert "in.zarr/grey/s0 looks like an image" in err
    assert not list(folder.glob("in.zarr/*.objects*"))
    dbw.image_label(folder / "in.zarr/grey")
    code, _, err = ended(folder, "objects in.zarr/grey --no-progress --workers 1")
    assert (code, err) == (0, "")


def test_a_warning_is_a_line(folder: Path) -> None:
    (folder / "in.zarr/damaged").mkdir()
    (folder / "in.zarr/damaged/zarr.json").write_text("{")
    code, out, err = ended(folder, "info in.zarr")
    assert code == 0
    assert re.search(r"^raw +z 8, y 16, x 16 +uint8 ", out, re.MULTILINE)
    (line,) = err.strip().splitlines()
    assert line.startswith("dask-blockwise: Warning: in.zarr/damaged isn't shown")


@pytest.mark.parametrize(
    "line, said",
    [
        ("threshold in.zarr/raw cells.py --value 2", "is a file, which isn't overwritten"),
        ("threshold in.zarr/raw in.zarr/raw --value 2", "is what this volume is computed from"),
        ("convert in.zarr/raw in.zarr/raw --to precomputed", "Precomputed data have"),
        ("pyramid in.zarr/nothing", "in.zarr/nothing"),
        ("objects in.zarr/nothing", "in.zarr/nothing"),
    ],
)
def test_what_is_refused_starts_no_workers(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    line: str,
    said: str,
) -> None:
    def started(*_: object, **__: object) -> None:
        raise AssertionError("workers were started")

    monkeypatch.chdir(folder)
    monkeypatch.setattr("dask_blockwise.commands.options.cluster", started)
    with pytest.raises(SystemExit) as ended_with:
        main([*shlex.split(line), "--workers", "1"])
    assert ended_with.value.code == 2
    assert said in capsys.readouterr().err


def test_workers_that_cannot_be_had_cost_no_output(folder: Path) -> None:
    line = "threshold in.zarr/raw out.zarr/mask --value 2 --no-progress"
    assert ended(folder, line)[0] == 0
    again = line.replace("--value 2", "--value 3 --overwrite")
    code, _, err = ended(folder, f"{again} --workers 1 --cluster-option nosuch=1")
    assert code == 2
    assert "nosuch" in err
    expected = dbw.open_volume(folder / "in.zarr/raw")[:] > 2
    assert np.array_equal(dbw.open_volume(folder / "out.zarr/mask")[:], expected)
    assert ended(folder, "status out.zarr/mask")[0] == 0


@pytest.mark.parametrize(
    "line, said",
    [
        ("--compressor nosuch", "nosuch"),
        ("--compressor zlib", "zlib"),
        ("--roi 0:3", "has 1 axes, and the volume 3"),
        ("--roi 900:901,0:1,0:1", "doesn't meet"),
        ("--report nowhere/run.html", "where the report is to go, isn't there"),
        ("--report run.txt", "A report is .html or .json"),
    ],
)
def test_a_plan_is_of_what_can_be_stored(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    line: str,
    said: str,
) -> None:
    monkeypatch.chdir(folder)
    call = ["threshold", "in.zarr/raw", "out.zarr/mask", "--value", "2", *shlex.split(line)]
    refusals = []
    for more in ["--plan"], ["--no-progress"]:
        with pytest.raises(SystemExit) as ended_with:
            main([*call, *more])
        assert ended_with.value.code == 2
        out, err = capsys.readouterr()
        assert out == ""
        refusals.append(err)
    planned, run = refusals
    assert said in planned
    assert planned == run
    assert not Path("out.zarr").exists()


def test_a_plan_is_refused_where_a_file_lies(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(SystemExit):
        main(["threshold", "in.zarr/raw", "cells.py", "--value", "2", "--plan"])
    assert "is a file, which isn't overwritten" in capsys.readouterr().err
