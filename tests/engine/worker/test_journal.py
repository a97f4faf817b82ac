"""What a journal tells of a batch, whatever became of its process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dask_blockwise.engine.worker.failure import Failure
from dask_blockwise.engine.worker.journal import (
    BatchReport,
    Journal,
    post_mortem,
    presence,
    run_directory,
)
from dask_blockwise.engine.worker.trace import Trace


@pytest.fixture
def run_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    run_directory("run").mkdir()
    presence("run", "tcp://here:1").touch()
    return "run"


def path() -> Path:
    return run_directory("run") / "batch"


def test_blocks_are_sorted_by_their_last_note(run_id: str) -> None:
    why = Failure("ValueError: why", "smooth (smooth.py:8)", "Traceback ...")
    with Journal(path()) as journal:
        for number, fate, failure in (
            (3, "done", Trace(1, 2, 3)),
            (4, "skipped", None),
            (5, "failures", why),
        ):
            assert journal.begin(number)
            journal.output.write(f"words of {number}\n".encode())
            journal.end(number, fate, failure)
        assert journal.begin(6)
        report = journal.report([3, 4, 5, 6, 7])
    died = Failure("The worker process died while it ran the block.")
    words = [(number, f"words of {number}\n") for number in (3, 4, 5)]
    fates = [3], [4], [(5, why), (6, died)], [7], [], words, [Trace(1, 2, 3)]
    assert report == BatchReport(*fates, died=[6])
    assert post_mortem(run_id, "tcp://here:1", "batch", [3, 4, 5, 6, 7]) == report


def test_of_long_output_the_end_is_kept(run_id: str) -> None:
    with Journal(path()) as journal:
        journal.begin(0)
        journal.output.write(b"x" * 100_000 + b"the end")
        ((_, text),) = journal.report([0]).printed
    assert text.startswith("[83623 bytes left out]\nxxx")
    assert text.endswith("xthe end")
    assert len(text) < 17_000


@pytest.mark.parametrize(
    ("address", "report"),
    [
        ("tcp://here:1", BatchReport(left=[1, 2])),
        ("tcp://elsewhere:1", BatchReport(lost=[1, 2])),
    ],
    ids=["never came to it", "was on another machine"],
)
def test_a_batch_without_a_journal(run_id: str, address: str, report: BatchReport) -> None:
    assert post_mortem(run_id, address, "batch", [1, 2]) == report


def test_a_worker_that_died_as_it_loaded_the_task_began_no_block(run_id: str) -> None:
    with Journal(path()) as journal:
        journal.output.write(b"Illegal instruction")
    report = post_mortem(run_id, "tcp://here:1", "batch", [1, 2])
    printed = [(1, "Illegal instruction")]
    assert report == BatchReport(left=[1, 2], printed=printed, died_loading=True)


def test_a_worker_that_lives_on_begins_no_block_of_a_batch_that_was_given_up(run_id: str) -> None:
    with Journal(path()) as journal:
        assert journal.begin(1)
        assert post_mortem(run_id, "tcp://here:1", "batch", [1, 2]).left == [2]
        assert not journal.begin(2)


def test_a_note_that_a_full_disk_has_torn_is_none(run_id: str) -> None:
    with Journal(path()) as journal:
        journal.begin(1)
        journal.end(1, "done")
        with path().open("ab") as notes:
            notes.write(b'[2, "failu')
        told = BatchReport([1], left=[2], traces=[Trace()])
        assert journal.report([1, 2]) == told
    assert post_mortem(run_id, "tcp://here:1", "batch", [1, 2]) == told


def test_a_journal_on_a_full_disk_says_so(
    small_disk: tuple[Path, Callable[[], object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(small_disk[0]))
    run_directory("run").mkdir()
    with Journal(path()) as journal:
        with pytest.raises(OSError, match="No space left"):
            (small_disk[0] / "full").write_bytes(bytes(1 << 20))
        with pytest.raises(OSError, match=r"temporary folder of .*/run-run/batch.* TMPDIR"):
            list(map(journal.begin, range(10_000)))
    assert post_mortem("run", "tcp://here:1", "batch", [10_000]).left == [10_000]
