"""What a run says of where its workers' time went, and of how much was read, again and written."""

from __future__ import annotations

import json
import time
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from distributed import Client

import dask_blockwise as dbw

SHAPE, CHUNKS, BLOCK, HALO = (40, 24), (8, 8), (16, 8), 3


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    values = np.random.default_rng(0).integers(0, 200, SHAPE).astype(np.uint16)
    zarr.create_array("in.zarr/raw", data=values, chunks=CHUNKS)


def slow(values: np.ndarray[Any, Any], seconds: float = 0.0) -> np.ndarray[Any, Any]:
    time.sleep(seconds)
    return values


def made(seconds: float = 0.0, halo: int = HALO) -> dbw.Volume:
    raw = dbw.open_volume("in.zarr/raw")
    return dbw.map_overlap(slow, raw, halo=halo, dtype=np.uint16, seconds=seconds)


def read_with_halo() -> int:
    """Voxels that all blocks read together."""
    along = []
    for size, block in zip(SHAPE, BLOCK):
        begins = range(0, size, block)
        spans = [(max(0, b - HALO), min(size, min(b + block, size) + HALO)) for b in begins]
        along.append([end - begin for begin, end in spans])
    return sum(a * b for a, b in product(*along))


def test_bytes_are_those_of_blocks_with_their_halos(near: Client) -> None:
    summary = made().to_zarr("out.zarr/a", client=near, progress=False, block_shape=BLOCK)
    (task,) = summary.tasks
    assert task.spent.bytes_read == 2 * read_with_halo()
    assert task.spent.bytes_written == 2 * np.prod(SHAPE)
    assert task.bytes_redundant == 2 * (read_with_halo() - np.prod(SHAPE))
    again = 1 - np.prod(SHAPE) / read_with_halo()
    assert f"{again:.0%} of it again" in str(summary)
    assert f"{again:.0%} of it again" in summary._repr_html_()


def test_seconds_go_where_they_were_spent(near: Client) -> None:
    seconds = 0.15
    summary = made(seconds).to_zarr("out.zarr/a", client=near, progress=False, block_shape=BLOCK)
    (task,) = summary.tasks
    spent = task.spent
    assert task.completed * seconds <= spent.seconds_computing <= task.busy_seconds
    assert spent.seconds_reading > 0
    assert spent.seconds_writing > 0
    assert spent.seconds_waiting + spent.seconds_starting > 0
    whole = spent.seconds_reading + spent.seconds_computing + spent.seconds_writing
    assert spent.seconds == pytest.approx(whole + spent.seconds_waiting + spent.seconds_starting)
    assert sum(spent.shares.values()) == pytest.approx(1)
    what, share = spent.bound_by
    assert f"{what}: {share:.0%}" in str(summary)


def test_slow_stores_are_told_from_slow_functions(
    near: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dask_blockwise.storage.units import WriteUnits

    stamp = WriteUnits.stamp

    def slow_stamp(units: WriteUnits, region: Any) -> tuple[int, int]:
        time.sleep(0.1)
        return stamp(units, region)

    monkeypatch.setattr(WriteUnits, "stamp", slow_stamp)
    summary = made().to_zarr("out.zarr/a", client=near, progress=False, block_shape=BLOCK)
    assert summary.spent.seconds_writing >= 0.1 * summary.tasks[0].completed


def test_a_resumed_run_knows_what_was_spent_before(near: Client) -> None:
    first = made().to_zarr("out.zarr/a", client=near, progress=False, block_shape=BLOCK)
    (Path("out.zarr/a/s0/c/1/1")).unlink()
    second = made().to_zarr("out.zarr/a", client=near, progress=False, block_shape=BLOCK)
    (before,), (after,) = first.tasks, second.tasks
    assert before.spent_in_all == before.spent
    assert (after.completed, after.skipped) == (1, before.completed - 1)
    assert after.spent_in_all == before.spent.plus(after.spent)
    found = dbw.status("out.zarr/a")
    assert found.spent == after.spent_in_all
    assert str(found.spent) in str(found)


@pytest.mark.parametrize("call", [{"overwrite": True}, {"resume": False, "on_change": "redo"}])
def test_what_was_spent_on_an_output_that_is_made_anew_is_forgotten(
    near: Client, call: dict[str, Any]
) -> None:
    made().to_zarr("out.zarr/a", client=near, progress=False)
    (task,) = made().to_zarr("out.zarr/a", client=near, progress=False, **call).tasks
    assert task.spent_in_all == task.spent
    assert dbw.status("out.zarr/a").spent == task.spent


@pytest.mark.parametrize(
    "content",
    ["", "{", "[1]", '{"of": 1}', json.dumps({"of": "KEY", "seconds_reading": "long"})],
    ids=["empty", "torn", "list", "foreign", "words"],
)
def test_a_damaged_document_costs_nothing_but_itself(near: Client, content: str) -> None:
    made().to_zarr("out.zarr/a", client=near, progress=False)
    kept = Path("out.zarr/a/s0/.dask_blockwise/spent.json")
    kept.write_text(content.replace("KEY", json.loads(kept.read_text())["of"]))
    assert dbw.status("out.zarr/a").spent.seconds == 0
    assert made().to_zarr("out.zarr/a", client=near, progress=False)


def test_where_it_cannot_be_kept_the_run_goes_on(near: Client) -> None:
    made().to_zarr("out.zarr/a", client=near, progress=False)
    kept = Path("out.zarr/a/s0/.dask_blockwise/spent.json")
    kept.unlink()
    kept.mkdir()
    Path("out.zarr/a/s0/c/0/0").unlink()
    (task,) = made().to_zarr("out.zarr/a", client=near, progress=False).tasks
    assert (task.completed, task.spent_in_all) == (1, task.spent)
    assert dbw.status("out.zarr/a").spent.seconds == 0


def test_objects_tell_of_each_pass(near: Client) -> None:
    labels = dbw.relabel(dbw.connected_components(dbw.threshold(made(), 100)))
    summary = labels.to_zarr("out.zarr/a", client=near, progress=False, block_shape=BLOCK)
    # Numbers of pieces, and beside them a table.
    pieces, table = 4 * np.prod(SHAPE), summary["a: relabel"].bytes_redundant
    assert summary["a: relabel"].spent.bytes_read == pieces + table
    assert summary["a: segment"].bytes_redundant > 0
    assert summary.spent.bytes_written == sum(task.spent.bytes_written for task in summary.tasks)


def test_in_a_bucket_it_is_kept_too(near: Client, bucket: str) -> None:
    where = f"{bucket}/where-time-goes.zarr/a"
    (first,) = made().to_zarr(where, client=near, progress=False, block_shape=BLOCK).tasks
    again = made().to_zarr(where, client=near, progress=False, block_shape=BLOCK)
    assert again.tasks[0].skipped == first.completed
    assert dbw.status(where).spent == again.tasks[0].spent_in_all == first.spent
