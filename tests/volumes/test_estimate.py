"""What a plan says of how long a run will take, by how long one took."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import zarr

import dask_blockwise as dbw
from dask_blockwise.engine.progress import RunSummary, TaskSummary
from dask_blockwise.engine.worker.spent import Spent
from dask_blockwise.volumes import whole_run

SIZE, HALO = 64, 8


@pytest.fixture
def smooth(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> dbw.Volume:
    monkeypatch.chdir(tmp_path)
    zarr.create_array("in.zarr/raw", data=np.zeros((SIZE, SIZE), np.float32), chunks=(16, 16))
    return dbw.map_overlap(np.copy, dbw.open_volume("in.zarr/raw"), halo=HALO)


def read_by(block: int, *other: int) -> int:
    """Bytes that all blocks of a shape, a square unless said, read with their halos."""
    return 4 * read_along(block) * read_along(*(other or (block,)))


def read_along(block: int) -> int:
    begins = range(0, SIZE, block)
    return sum(min(SIZE, b + block + HALO) - max(0, b - HALO) for b in begins)


def took(block: int, volume: int = SIZE, **seconds: float) -> RunSummary:
    """A run of so many seconds over a part of the volume, of the same rates."""
    part = (volume / SIZE) ** 2
    spent = Spent(
        seconds_reading=seconds.get("reading", 0.0) * part,
        seconds_computing=seconds.get("computing", 0.0) * part,
        seconds_writing=seconds.get("writing", 0.0) * part,
        seconds_waiting=1000.0,
        bytes_read=round(read_by(block) * part),
        bytes_written=round(4 * SIZE**2 * part),
    )
    task = TaskSummary("smooth", blocks=1, completed=1, spent=spent, bytes_needed=0)
    return RunSummary((task,), threads=2)


def test_what_steps_keep_is_read_as_often_as_measured(smooth: dbw.Volume) -> None:
    objects = dbw.relabel(dbw.connected_components(dbw.threshold(smooth, 0.5)))
    *read, stitch, solve, relabel = objects.plan().stages
    told = Spent(seconds_computing=1.0, bytes_read=stitch.read_bytes // 100, bytes_written=8)
    tasks = [
        TaskSummary(one.name, 1, 1, spent=told, bytes_needed=one.needed_bytes)
        for one in (*read, stitch, solve)
    ]
    part = Spent(bytes_read=8, bytes_written=relabel.write_bytes // 4)
    last = TaskSummary(relabel.name, 1, 1, spent=part, bytes_needed=relabel.needed_bytes)
    measured = RunSummary((*tasks, last), threads=2)
    found = objects.plan(measured=measured).estimates[len(read)]
    assert found.seconds_computing == pytest.approx(4.0)


@pytest.mark.parametrize("volume", [SIZE, SIZE // 2])
@pytest.mark.parametrize("block", [8, 16, 64])
def test_reading_and_computing_go_with_the_halo_and_writing_without(
    smooth: dbw.Volume, block: int, volume: int
) -> None:
    measured = took(16, volume, reading=10, computing=30, writing=5)
    found = smooth.plan(block_shape=(block, block), measured=measured).estimate
    more = read_by(block) / read_by(16)
    assert found is not None
    assert found.seconds_reading == pytest.approx(10 * more, rel=1e-3)
    assert found.seconds_computing == pytest.approx(30 * more, rel=1e-3)
    assert found.seconds_writing == pytest.approx(5, rel=1e-3)
    assert found.seconds_waiting == 0
    assert (found.bytes_read, found.bytes_written) == (read_by(block), 4 * SIZE**2)


@pytest.mark.parametrize(
    ("boundary", "more"),
    # Along each axis, of four blocks and of one or two: what they read, or 32 voxels each.
    [("none", 112 * 112 / (16 * 48)), ("reflect", 16 / 2), (0.0, 16 / 2)],
)
def test_computing_goes_by_what_functions_are_given(
    smooth: dbw.Volume, near: Any, boundary: Any, more: float
) -> None:
    """A block at the border takes as long as another where its halo is filled."""

    def mapped(volume: Any) -> dbw.Volume:
        return dbw.map_overlap(np.copy, volume, halo=HALO, boundary=boundary)

    (raw,) = smooth.source.inputs
    part = mapped(raw.crop(dbw.Roi((0, 0), (16, 32))))
    measured = part.to_zarr("try.zarr/part", client=near, progress=False)
    assert part.plan().read_bytes == measured.spent.bytes_read
    found = mapped(raw).plan(measured=measured).estimate
    assert found is not None
    assert found.seconds_computing == pytest.approx(more * measured.spent.seconds_computing)
    assert found.bytes_read == read_by(16)


def test_what_it_is_bound_by_is_shown(smooth: dbw.Volume) -> None:
    plan = smooth.plan(block_shape=(16, 16), measured=took(16, reading=61, computing=30, writing=9))
    for shown in str(plan), plan._repr_html_():
        assert "Bound by reading: 61%" in shown


def test_what_was_measured_too_briefly_is_a_hint_at_most(smooth: dbw.Volume) -> None:
    hint = "a hint at most: what was measured took 0.4 s"
    assert hint in str(smooth.plan(measured=took(16, reading=0.3, computing=0.1)))
    assert hint not in str(smooth.plan(measured=took(16, reading=3, computing=1)))


def test_larger_blocks_are_suggested_where_halos_cost_most(smooth: dbw.Volume) -> None:
    measured = took(8, reading=61, computing=30, writing=9)
    plan = smooth.plan(block_shape=(8, 8), measured=measured, suggest=True, workers=2)
    best = plan.suggestion
    assert best is not None
    assert best.block_shape == (32, 32)
    assert best.saves == pytest.approx(1 - (0.91 * read_by(32) / read_by(8) + 0.09), abs=1e-3)
    assert best.workers == 2
    assert f"Blocks of 32 x 32 would save {best.saves:.0%}" in str(plan)


def test_blocks_stay_where_nothing_is_to_be_had(smooth: dbw.Volume) -> None:
    measured = took(32, writing=100)
    plan = smooth.plan(block_shape=(32, 32), measured=measured, suggest=True, workers=4)
    assert plan.suggestion is not None
    assert plan.suggestion.block_shape == (32, 32)
    assert "No other blocks would save 5%" in str(plan)


def test_workers_are_kept_busy(smooth: dbw.Volume) -> None:
    measured = took(64, computing=100)
    plan = smooth.plan(block_shape=(64, 64), measured=measured, suggest=True, workers=4)
    assert plan.suggestion is not None
    assert plan.suggestion.workers == 4
    assert np.prod([SIZE // n for n in plan.suggestion.block_shape]) >= 4


def test_of_memory_no_more_is_taken_than_there_is(smooth: dbw.Volume) -> None:
    measured = took(8, computing=100)
    with pytest.raises(ValueError, match="memory="):
        smooth.plan(block_shape=(8, 8), measured=measured, suggest=True, memory="100MB")
    plan = smooth.plan(measured=measured, suggest=True, memory="1GB", block_shape=(8, 8))
    assert plan.suggestion is not None
    assert plan.suggestion.memory <= 1_000_000_000


def test_what_a_block_allocated_is_counted(smooth: dbw.Volume) -> None:
    measured = took(8, computing=100)
    (task,) = measured.tasks
    # A block of it took a gigabyte.
    seen = replace(task, completed=64, peak_memory=1_450_000_000)
    measured = RunSummary((seen,), threads=2)
    plan = smooth.plan(block_shape=(8, 8), measured=measured, suggest=True, memory="4GB")
    assert plan.suggestion is not None
    blocks = np.prod([SIZE // n for n in plan.suggestion.block_shape])
    moved = [read_by(*shape) + 4 * SIZE**2 for shape in (plan.suggestion.block_shape, (8, 8))]
    assert plan.suggestion.memory == pytest.approx(450e6 + 1e9 * moved[0] / moved[1] * 64 / blocks)
    assert plan.suggestion.memory <= 4e9
    with pytest.raises(ValueError, match="memory="):
        smooth.plan(block_shape=(8, 8), measured=measured, suggest=True, memory="700MB")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"suggest": True}, "give measured="),
        ({"memory": "1GB"}, "give measured="),
        ({"measured": RunSummary(())}, "of a run of the same stages"),
        ({"measured": RunSummary((TaskSummary("a", 1, skipped=1),))}, "of a run of the same"),
        ({"measured": took(8), "suggest": True, "workers": 0}, "workers must be 1 or more"),
    ],
    ids=["unmeasured", "memory", "none", "skipped", "workers"],
)
def test_what_is_refused(smooth: dbw.Volume, options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        smooth.plan(**options)


def test_what_is_no_summary_is_refused(smooth: dbw.Volume) -> None:
    with pytest.raises(TypeError, match="the summary of a run, as to_zarr returns it, got 3"):
        smooth.plan(measured=3)


def test_all_stages_of_objects_by_a_run_over_a_part(smooth: dbw.Volume, near: Any) -> None:
    def objects(volume: dbw.Volume) -> dbw.Volume:
        stored = volume.checkpoint(f"{volume.shape[0]}.zarr/kept")
        return dbw.relabel(dbw.connected_components(dbw.threshold(stored, -1)))

    part = smooth.crop(dbw.Roi((0, 0), (32, 64)))
    summary = objects(part).to_zarr("try.zarr/part", client=near, progress=False)
    found = objects(smooth).plan(measured=summary).estimate
    assert found is not None
    assert found.seconds > 0
    # Of objects alone it isn't told what the checkpoint takes.
    rest = RunSummary(summary.tasks[1:])
    with pytest.raises(ValueError, match="'kept'"):
        objects(smooth).plan(measured=rest)


def test_a_long_run_says_how_it_would_take_less(
    smooth: dbw.Volume, near: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    how = {"client": near, "progress": False, "block_shape": (4, 4)}
    assert smooth.to_zarr("out.zarr/a", **how).advice == ""
    monkeypatch.setattr(whole_run, "_WORTH_ADVICE", 0)
    summary = smooth.to_zarr("out.zarr/b", **how)
    assert "would save" in summary.advice
    assert summary.advice in str(summary)
    assert smooth.to_zarr("out.zarr/b", **how).advice == ""


def test_empty_blocks_of_what_was_measured_count_as_those_of_the_plan(
    smooth: dbw.Volume, near: Any
) -> None:
    within = np.zeros((4, 4), np.uint8)
    within[:2] = 1
    mask = dbw.Volume.from_array(within, voxel_size=(16, 16))
    (raw,) = smooth.source.inputs
    measured = raw.masked(mask).to_zarr("try.zarr/half", client=near, progress=False)
    assert measured.tasks[0].empty == 8
    spent = measured.spent._replace(seconds_writing=1.0)
    task = replace(measured.tasks[0], spent=spent)
    found = raw.masked(mask).plan(measured=RunSummary((task,), threads=2)).estimate
    assert found is not None
    assert found.seconds_writing == pytest.approx(1.0)
    assert found.bytes_written == spent.bytes_written
