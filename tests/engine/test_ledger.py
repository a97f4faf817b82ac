"""What a ledger keeps, and what it survives."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from forking import child_that_stays
from hypothesis import given, settings
from hypothesis import strategies as st

from dask_blockwise.engine.ledger import Ledger, finished
from dask_blockwise.geometry.blocks import BlockGrid, Roi
from dask_blockwise.storage.documents import list_names, put, remove_documents

GRID = BlockGrid(Roi((0,), (1000,)), Roi((0,), (10,)), Roi((0,), (10,)))
OTHER = BlockGrid(Roi((0,), (1000,)), Roi((0,), (20,)), Roi((0,), (20,)))


def done(path: str, **options: object) -> list[int]:
    ledger = Ledger(path, GRID, **options)  # type: ignore[arg-type]
    ledger.close()
    return [int(number) for number in ledger.done.nonzero()[0]]


def write(path: str, numbers: list[int], fingerprint: str = "") -> None:
    ledger = Ledger(path, GRID, fingerprint)
    for number in numbers:
        ledger.add([number])
    ledger.close()


@pytest.fixture(params=["local", "s3", "gs"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "local":
        return str(tmp_path / "a/ledger")
    return f"{request.getfixturevalue(f'{request.param}_bucket')}{tmp_path}/ledger"


def test_marks_are_kept_and_added_to(path: str) -> None:
    assert done(path) == []
    write(path, [3, 99])
    write(path, [5])
    assert done(path) == [3, 5, 99]


def test_other_parameters_are_refused(path: str) -> None:
    write(path, [3], "threshold=0.5")
    with pytest.raises(ValueError, match=r"fingerprint differ.*threshold=0.5.*resume=False"):
        Ledger(path, GRID, "threshold=0.6")
    with pytest.raises(ValueError, match="tiling and fingerprint differ"):
        Ledger(path, OTHER, "threshold=0.6")
    assert done(path, fingerprint="threshold=0.5") == [3]


def test_resume_false_starts_anew(path: str) -> None:
    write(path, [3], "old")
    assert done(path, fingerprint="new", resume=False) == []
    assert done(path, fingerprint="new") == []


@settings(max_examples=30, deadline=None)
@given(cut=st.integers(0, 100), more=st.lists(st.integers(0, 99), max_size=4))
def test_a_torn_tail_costs_only_its_blocks(
    tmp_path_factory: pytest.TempPathFactory, cut: int, more: list[int]
) -> None:
    path = tmp_path_factory.mktemp("torn") / "ledger"
    write(str(path), [10, 11, 12, 13, 14])
    marks = path / "done.bin"
    content = marks.read_bytes()
    marks.write_bytes(content[: max(0, len(content) - cut)])
    left = [10, 11, 12, 13, 14][: max(0, len(content) - cut) // 56]
    write(str(path), more)
    assert done(str(path)) == sorted({*left, *more})


@pytest.mark.parametrize("garbage", [bytes(64), b"\xff" * 32, b"0123456789abcdef" * 3])
def test_garbage_marks_nothing(tmp_path: Path, garbage: bytes) -> None:
    write(str(tmp_path), [7])
    with (tmp_path / "done.bin").open("ab") as marks:
        marks.write(garbage)
    write(str(tmp_path), [8])
    assert done(str(tmp_path)) == [7, 8]


def test_a_lost_header_loses_no_marks_and_lets_no_others_in(tmp_path: Path) -> None:
    write(str(tmp_path), [7], "old")
    (tmp_path / "task.json").write_text('{"tiling": [')
    assert done(str(tmp_path), fingerprint="old") == [7]
    (tmp_path / "task.json").unlink()
    assert done(str(tmp_path), fingerprint="new") == []
    assert json.loads((tmp_path / "task.json").read_text())["fingerprint"] == "new"


def test_lost_marks_cost_only_themselves(tmp_path: Path) -> None:
    write(str(tmp_path), [7])
    (tmp_path / "done.bin").unlink()
    assert done(str(tmp_path)) == []


def test_marks_in_a_bucket_are_written_though_no_more_come(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks may take hours, and the driver may be killed meanwhile."""
    monkeypatch.setattr("dask_blockwise.engine.mark_files._PART_SECONDS", 1.0)
    path = f"{bucket}{tmp_path}/late"
    ledger = Ledger(path, GRID)
    ledger.add([3])
    ledger.add([4])
    ledger.add([5])
    while len(marks := finished(path).marks["check"].nonzero()[0]) < 3:  # type: ignore[union-attr]
        time.sleep(0.05)
    assert marks.tolist() == [3, 4, 5]
    assert len([name for name in list_names(path) if name.startswith("done-")]) == 2
    ledger.add([6])
    ledger.close()
    assert done(path) == [3, 4, 5, 6]


def test_marks_in_a_bucket_are_not_written_late_where_their_array_is_gone(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dask_blockwise.engine.mark_files._PART_SECONDS", 0.3)
    path = f"{bucket}{tmp_path}/gone"
    ledger = Ledger(path, GRID)
    ledger.add([3])
    ledger.add([4])
    remove_documents(path, list_names(path))
    time.sleep(1)
    assert list_names(path) == []
    ledger.close()
    assert list_names(path) == []


def test_a_lost_part_costs_only_its_blocks(bucket: str, tmp_path: Path) -> None:
    path = f"{bucket}{tmp_path}/parts"
    write(path, [1])
    write(path, [2])
    first = next(name for name in list_names(path) if name.startswith("done-"))
    put(path, first, b"")
    assert done(path) == [2]


def test_two_writers_are_refused(tmp_path: Path) -> None:
    first = Ledger(str(tmp_path), GRID)
    with pytest.raises(BlockingIOError, match="Another run is writing"):
        Ledger(str(tmp_path), GRID)
    first.close()
    assert done(str(tmp_path)) == []


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_process_that_was_forked_meanwhile_is_no_writer(tmp_path: Path) -> None:
    first = Ledger(str(tmp_path), GRID)
    first.add([3])
    with child_that_stays():
        first.close()
        assert done(str(tmp_path)) == [3]
