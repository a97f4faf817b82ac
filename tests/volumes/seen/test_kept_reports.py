"""The page of the run that did the work is what is there in the end, however often it is called."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from distributed import Client

import dask_blockwise as dbw
from dask_blockwise.cli import main

ARRAY = (np.arange(16 * 32 * 32) % 251 > 100).astype(np.uint8).reshape(16, 32, 32)

PIPELINE = """
volumes:
  raw: {open: in.zarr/raw}
  mask: {threshold: raw, value: 0.5}
  cells: {connected_components: mask}
  objects: {relabel: cells}
store:
  mask: out.zarr/mask
  objects: out.zarr/objects
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, near: Client) -> Path:
    monkeypatch.chdir(tmp_path)
    raw = dbw.Volume.from_array(ARRAY, chunks=(8, 16, 16))
    raw.to_zarr("in.zarr/raw", progress=False)
    Path("pipeline.yaml").write_text(PIPELINE)
    return tmp_path


def stored(**options: Any) -> dbw.RunSummary:
    mask = dbw.threshold(dbw.open_volume("in.zarr/raw"), 0.5)
    return mask.to_zarr("out.zarr/mask", progress=False, **options)


@pytest.mark.parametrize("name", ["run.html", "run.json"], ids=["html", "json"])
def test_a_call_that_does_nothing_leaves_the_page_of_the_run(name: str, folder: Path) -> None:
    stored(report=name)
    first = Path(name).read_bytes()
    again = stored(report=name)
    assert Path(name).read_bytes() == first
    assert again.kept_report == Path(name)
    assert f"Nothing had to be run: {name}" in str(again)
    assert again.did_nothing


def test_without_a_page_there_is_one_of_what_all_runs_took(folder: Path) -> None:
    spent = stored().tasks[0].spent
    again = stored(report="later.json")
    assert again.kept_report is None
    (task,) = json.loads(Path("later.json").read_text())["tasks"]
    assert task["spent"]["bytes_written"] == 0
    assert task["spent_in_all"]["bytes_written"] == spent.bytes_written == ARRAY.nbytes
    assert task["spent_in_all"]["seconds_writing"] == pytest.approx(spent.seconds_writing)
    text = stored(report="later.html").report("again.html").read_text()
    assert "all of them before this run" in text
    assert "Seconds of workers in all runs" in text


def test_a_page_of_something_else_is_replaced(folder: Path) -> None:
    other = dbw.threshold(dbw.open_volume("in.zarr/raw"), 0.2)
    other.to_zarr("other.zarr/mask", progress=False, report="run.html")
    stored()
    assert stored(report="run.html").kept_report is None
    assert str(folder / "out.zarr/mask") in Path("run.html").read_text()
    # One of an earlier run, or of a run that failed, doesn't tell how it was made either.
    text = Path("run.html").read_text()
    for old, new in ((r"\d\d:\d\d:\d\d", "00:00:00"), ("blocks are done", "blocks are not done")):
        Path("run.html").write_text(re.sub(old, new, text))
        assert stored(report="run.html").kept_report is None


def test_a_run_of_some_blocks_tells_of_all_runs(folder: Path) -> None:
    stored(report="run.html")
    Path("out.zarr/mask/s0/c/0/0/0").unlink()
    stored(report="run.html")
    text = Path("run.html").read_text()
    assert "All 8 blocks are done</b>, 7 of them before this run" in text
    assert "in all runs" in text


def test_a_pipeline_in_a_file_has_one_page(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["run", "pipeline.yaml", "--no-progress", "--report", "run.json"]
    main(line)
    told = json.loads(Path("run.json").read_text())
    assert [Path(output["path"]).name for output in told["outputs"]] == ["mask", "objects"]
    assert told["succeeded"]
    assert {"mask", "objects: relabel"} <= {task["name"] for task in told["tasks"]}
    first = Path("run.json").read_bytes()
    capsys.readouterr()
    main(line)
    assert Path("run.json").read_bytes() == first
    assert "run.json tells how all of it was made, and is left" in capsys.readouterr().out


def test_a_page_is_written_of_a_pipeline_that_failed(folder: Path) -> None:
    segmented = "segment: mask, halo: 1, function: refusing.py"
    Path("pipeline.yaml").write_text(PIPELINE.replace("connected_components: mask", segmented))
    Path("refusing.py").write_text("def segment_function(array, block):\n    raise OSError('x')\n")
    with pytest.raises(SystemExit, match="1"):
        main(["run", "pipeline.yaml", "--no-progress", "--report", "run.html"])
    text = Path("run.html").read_text()
    assert "OSError: x" in text
    assert str(folder / "out.zarr/mask") in text


def test_a_place_for_no_page_is_refused_before_anything_runs(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in (
        "run pipeline.yaml",
        "rerun in.zarr/raw --to out.zarr/again",
        "pyramid in.zarr/raw",
    ):
        with pytest.raises(SystemExit, match="2"):
            main([*command.split(), "--no-progress", "--report", "run.pdf"])
        assert "a report is .html or .json, got run.pdf" in capsys.readouterr().err.lower()
    assert not Path("out.zarr").exists()


def test_rerun_and_pyramid_have_pages_too(folder: Path) -> None:
    stored()
    quiet = "--no-progress --report"
    main(f"rerun out.zarr/mask --to b.zarr/mask {quiet} again.json".split())
    assert json.loads(Path("again.json").read_text())["outputs"][0]["shape"] == "z 16, y 32, x 32"
    main(f"pyramid out.zarr/mask --levels 2 {quiet} levels.json".split())
    levels = json.loads(Path("levels.json").read_text())["outputs"]
    assert [Path(level["path"]).name for level in levels] == ["s1", "s2"]
    assert [level["shape"] for level in levels] == ["z 8, y 16, x 16", "z 4, y 8, x 8"]


def test_of_precomputed_data_it_is_known_by_what_and_when(folder: Path) -> None:
    raw = dbw.Volume.from_array(ARRAY, unit="nm", chunks=(8, 16, 16))
    made = dbw.threshold(raw, 0.5)
    for number in range(2):
        summary = made.to_precomputed("pre", progress=False, report="run.json")
        assert summary.kept_report == (Path("run.json") if number else None)
    (output,) = json.loads(Path("run.json").read_text())["outputs"]
    assert [stage["stage"] for stage in output["stages"]][-1] == "threshold"
