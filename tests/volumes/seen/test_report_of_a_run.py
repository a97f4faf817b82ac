"""The page that explains a run: what it says is so, whatever went wrong, and it is safe."""

import json
import pickle
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

import dask_blockwise as dbw
from dask_blockwise import BlocksFailed, RunSummary, Volume


class Page(HTMLParser):
    """Texts of a page by their headings, and what it leads to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.texts: dict[str, str] = {}
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.tag, self.heading = "", ""
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attributes: Any) -> None:
        self.tag = tag
        self.tags.add(tag)
        self.links += [value for name, value in attributes if name in ("src", "href")]

    def handle_data(self, text: str) -> None:
        if self.tag in ("h1", "h2", "h3"):
            self.heading, self.tag = text, ""
        self.texts[self.heading] = f"{self.texts.get(self.heading, '')} {text}"


@pytest.fixture
def blobs() -> Any:
    noise = np.random.default_rng(0).random((32, 64, 64))
    return ndimage.gaussian_filter(noise, 2) > 0.505


def stored(blobs: Any, folder: Path, near: Any, **options: Any) -> RunSummary:
    raw = Volume.from_array(blobs, voxel_size=(40, 4, 4), unit="nanometer", chunks=(16, 32, 32))
    mask = dbw.threshold(raw.astype("uint8"), 0.5).checkpoint(folder / "a.zarr/mask")
    cells = dbw.relabel(dbw.connected_components(mask), match="touch")
    return cells.to_zarr(folder / "a.zarr/cells", client=near, progress=False, **options)


def test_it_says_what_was_stored_by_what(blobs: Any, tmp_path: Path, near: Any) -> None:
    summary = stored(blobs, tmp_path, near, report=tmp_path / "run.html", notes={"who": "<me>"})
    page = Page(tmp_path / "run.html")
    labels, count = ndimage.label(blobs)
    largest = np.bincount(labels.ravel())[1:].max()
    assert f"{count}, the smallest of" in page.texts["Objects"]
    assert f"{largest:,}" in page.texts["Objects"]
    assert "All 34 blocks are done" in page.texts[str(tmp_path / "a.zarr/cells")]
    for stage in summary.tasks:
        assert stage.name in page.texts["Time by stage"]
        assert f"{stage.spent_in_all.bound_in_short} " in page.texts["Time by stage"]
    assert "value=0.5" in page.texts["Computed by"]
    assert 'match="touch"' in page.texts["Computed by"]
    assert "<me>" in page.texts["Where and when"]
    assert sum(link.startswith("data:image/png") for link in page.links) == 6
    # It holds all of itself.
    assert all(link.startswith("data:") for link in page.links)
    assert "script" not in page.tags


def test_the_same_as_json(blobs: Any, tmp_path: Path, near: Any) -> None:
    summary = stored(blobs, tmp_path, near, report=tmp_path / "run.json")
    told = json.loads((tmp_path / "run.json").read_text())
    assert told == json.loads(summary.to_json())
    assert told["succeeded"]
    assert [task["name"] for task in told["tasks"]] == [task.name for task in summary.tasks]
    spent = summary.tasks[0].spent
    assert told["tasks"][0]["spent"]["seconds_reading"] == spent.seconds_reading
    mask, cells = told["outputs"]
    assert mask["path"].endswith("a.zarr/mask")
    assert "objects" not in mask
    assert cells["objects"]["count"] == ndimage.label(blobs)[1]
    assert cells["objects"]["voxels"] == int(blobs.sum())
    assert [stage["stage"] for stage in cells["stages"]][-1] == "relabel"


def fails(array: Any) -> Any:
    if array.all():
        raise ValueError("no <b>luck</b>")
    return array


def test_failures_are_told_with_their_tracebacks(tmp_path: Path, near: Any) -> None:
    array = np.ones((4, 8), np.uint8)
    array[0, :4] = 0
    lazy = dbw.map_overlap(fails, Volume.from_array(array, chunks=(4, 2)), dtype=np.uint8, halo=0)
    options: Any = {"client": near, "progress": False, "max_retries": 0}
    with pytest.raises(BlocksFailed) as caught:
        lazy.to_zarr(tmp_path / "a.zarr/x", report=tmp_path / "run.html", **options)
    told = Page(tmp_path / "run.html")
    failures = told.texts["Failures"]
    assert "ValueError: no <b>luck</b>" in failures
    assert "2 of 4 blocks of x (2, 3)" in failures
    assert 'raise ValueError("no <b>luck</b>")' in failures
    assert "2 of 4 blocks are not done" in told.texts[str(tmp_path / "a.zarr/x")]
    again = pickle.loads(pickle.dumps(caught.value.summary))
    (task,) = json.loads(again.to_json())["tasks"]
    (failure,) = task["failures"]
    assert failure["count"] == 2
    assert failure["blocks"] == [2, 3]


def test_what_was_stored_may_be_gone(blobs: Any, tmp_path: Path, near: Any) -> None:
    summary = stored(blobs, tmp_path, near)
    for file in (tmp_path / "a.zarr/mask/s0").rglob("*.json"):
        file.write_text("{]")
    page = Page(summary.report(tmp_path / "run.html"))
    assert "It can't be shown" in page.texts[str(tmp_path / "a.zarr/mask")]
    assert "error" in json.loads(summary.to_json())["outputs"][0]


def test_it_shows_seams_where_they_were_asked_for(blobs: Any, tmp_path: Path, near: Any) -> None:
    summary = stored(blobs, tmp_path, near)
    volume = dbw.open_volume(tmp_path / "a.zarr/cells")
    seams = dbw.seams(volume, block_shape=(16, 32, 32))
    page = Page(summary.report(tmp_path / "run.html", seams, "<plain>"))
    assert str(seams).splitlines()[0][:20] in page.texts["SeamReport"]
    assert "<plain>" in page.texts["str"]
    assert sum(link.startswith("data:image/png") for link in page.links) == 7


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("run.txt", ValueError, r"\.html or \.json, got .*run\.txt"),
        ("nowhere/run.html", FileNotFoundError, r"nowhere, where the report is to go"),
    ],
    ids=["suffix", "folder"],
)
def test_a_place_for_none_is_refused_before_the_run(
    blobs: Any, tmp_path: Path, near: Any, name: str, error: Any, said: str
) -> None:
    with pytest.raises(error, match=said):
        stored(blobs, tmp_path, near, report=tmp_path / name)
    assert not (tmp_path / "a.zarr").exists()


def test_a_run_is_not_lost_where_its_page_cant_be_written(
    blobs: Any, tmp_path: Path, near: Any
) -> None:
    (tmp_path / "run.html").mkdir()
    with pytest.warns(UserWarning, match="report of the run can't be written"):
        summary = stored(blobs, tmp_path, near, report=tmp_path / "run.html")
    assert summary


def test_many_failures_make_no_large_page(tmp_path: Path) -> None:
    from dask_blockwise.engine.progress import TaskSummary
    from dask_blockwise.engine.worker.failure import Failure

    failures = {n: Failure(f"E{n % 1000}: x", traceback="y" * 10_000) for n in range(100_000)}
    summary = RunSummary((TaskSummary("x", blocks=100_000, failures=failures),))
    assert summary.report(tmp_path / "run.html").stat().st_size < 1_000_000
    assert len(re.findall("traceback</summary>", (tmp_path / "run.html").read_text())) == 50
