"""A disk that is full under a run says which it is, and the same call goes on."""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from distributed import Client
from recording import line, recorder, runs

from dask_blockwise.engine.full_disk import full_disk_named
from dask_blockwise.engine.run import run

SmallDisk = tuple[Path, Callable[[], object]]


def fill(disk: Path) -> None:
    with suppress(OSError), (disk / "full").open("ab", buffering=0) as file:
        while file.write(bytes(1 << 12)):
            pass


def put_temporary_files(folder: str | None) -> None:
    tempfile.tempdir = folder


@pytest.fixture
def disk(small_disk: SmallDisk) -> Path:
    return small_disk[0]


@pytest.fixture
def temporary(disk: Path, client: Client) -> Iterator[Path]:
    """The disk, as that of the workers' temporary folder."""
    client.run(put_temporary_files, str(disk))
    yield disk
    client.run(put_temporary_files, None)


def test_a_ledger_that_cannot_grow(client: Client, tmp_path: Path, disk: Path) -> None:
    def flood(number: int, attempt: int) -> None:
        fill(disk)

    ledger = str(disk / "ledger")
    task = line(40, recorder(tmp_path, flood), ledger=ledger)
    with pytest.raises(OSError, match=r"The disk of .*ledger.* is full.*the same call") as raised:
        run(task, client, progress=False)
    assert raised.value.errno == errno.ENOSPC
    (disk / "full").unlink()
    again = line(40, recorder(tmp_path), ledger=ledger)
    summary = run(again, client, progress=False)
    assert summary
    assert set(runs(tmp_path)) == set(range(40))
    assert run(again, client, progress=False)["task"].skipped == 40


def test_a_ledger_that_cannot_begin(client: Client, tmp_path: Path, disk: Path) -> None:
    task = line(4, recorder(tmp_path), ledger=str(disk / "ledger"))
    fill(disk)
    with pytest.raises(OSError, match=r"The disk of .*ledger.* is full.*the same call"):
        run(task, client, progress=False)
    assert not runs(tmp_path)
    (disk / "full").unlink()
    assert run(task, client, progress=False)["task"].completed == 4


def test_a_log_that_cannot_be_written_costs_what_it_would_say_alone(
    client: Client,
    tmp_path: Path,
    disk: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(number: int, attempt: int) -> None:
        fill(disk)
        raise ValueError

    monkeypatch.setattr("tempfile.tempdir", str(disk))
    caplog.set_level("WARNING")
    summary = run(line(4, recorder(tmp_path, fail), max_retries=0), client, progress=False)
    assert summary["task"].failed == 4
    (warned,) = (r.getMessage() for r in caplog.records if r.name.endswith("task_log"))
    assert "can't be written: No space left on device" in warned


def test_a_journal_that_cannot_be_kept(client: Client, tmp_path: Path, temporary: Path) -> None:
    def flood(number: int, attempt: int) -> None:
        if number == 0 and attempt == 1:
            fill(temporary)

    task = line(200, recorder(tmp_path, flood), ledger=str(tmp_path / "ledger"))
    told = r"noted in the temporary folder of .* can't be written: .*TMPDIR.* the same call goes on"
    with pytest.raises(RuntimeError, match=told):
        run(task, client, progress=False)
    (temporary / "full").unlink()
    assert run(task, client, progress=False)
    assert set(runs(tmp_path)) == set(range(200))


def test_no_batch_of_a_run_that_is_over_complains(
    client: Client, tmp_path: Path, disk: Path
) -> None:
    def flood(number: int, attempt: int) -> None:
        fill(disk)

    def failed(dask_worker: Any) -> list[str]:
        return [str(entry) for entry in dask_worker.get_logs(n=50) if "KeyError" in str(entry)]

    before = sum(map(len, client.run(failed).values()))
    task = line(400, recorder(tmp_path, flood), ledger=str(disk / "ledger"))
    with pytest.raises(OSError, match="is full"):
        run(task, client, progress=False)
    assert client.submit(pow, 2, 3).result() == 8
    assert sum(map(len, client.run(failed).values())) == before


@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOSPC, "told already"), OSError(errno.EIO, "other"), ValueError("No space")],
)
def test_what_is_told_already_stays(error: Exception, tmp_path: Path) -> None:
    with pytest.raises(type(error)) as raised, full_disk_named([tmp_path]):
        raise error
    assert raised.value is error
