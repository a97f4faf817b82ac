"""Workers killed, and runs broken off, in every step of relabelling: the ids are the same."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from distributed import Client, LocalCluster
from scipy import ndimage

import dask_blockwise as dbw
from dask_blockwise.relabelling.steps import Relabelling
from dask_blockwise.volumes import objects

STEPS = ["segment", "stitch", "solve", "relabel", "clean"]
OFFSETS = [(-1, 0), (0, -1)]
NOISE = np.random.default_rng(0).random((2, 24, 26), np.float32)
AFFINITIES = np.stack([ndimage.gaussian_filter(channel, 1.5) for channel in NOISE])


@pytest.fixture(scope="module")
def processes() -> Iterator[Client]:
    """Two worker processes of their own, since their code is changed."""
    with (
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            dashboard_address=":0",
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


@pytest.fixture
def client(processes: Client) -> Client:
    """Both processes, also after one was killed."""
    processes.wait_for_workers(2, timeout=60)
    return processes


def grouped(array: np.ndarray) -> np.ndarray:
    """Labels of what lies above the middle."""
    return ndimage.label(array[0] > np.median(AFFINITIES))[0]


def labelled(rule: str) -> dbw.Volume:
    affinities = dbw.Volume.from_array(AFFINITIES, axes="cyx", chunks=(2, 8, 8))
    if rule == "same id":
        labels = grouped(AFFINITIES).astype(np.uint64) << np.uint64(40)
        return dbw.renumber(dbw.Volume.from_array(labels, chunks=(8, 8)))
    if rule == "mutex":
        return dbw.relabel(dbw.watershed(affinities, offsets=OFFSETS, bias=0.5))
    fragments = dbw.segment(affinities, grouped, halo=3)
    if rule == "iou":
        return dbw.relabel(fragments, min_iou=0.3)
    return dbw.agglomerate(fragments, affinities, offsets=OFFSETS, threshold=0.5)


@pytest.fixture(scope="module")
def undisturbed() -> dict[str, np.ndarray]:
    rules = {rule: labelled(rule) for rule in ("iou", "mean", "mutex", "same id")}
    return {rule: volume.data.compute(scheduler="sync") for rule, volume in rules.items()}


def spoil(owner: type, name: str, mark: Path, after: bool, misbehave: Callable[[], Any]) -> None:
    """Let a method misbehave once in all processes, before or after its work."""
    method = getattr(owner, name)

    def spoilt(*args: Any) -> Any:
        if after:
            method(*args)
        try:
            mark.touch(exist_ok=False)
        except FileExistsError:
            return method(*args)
        return misbehave()

    setattr(owner, name, spoilt)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fail() -> None:
    raise RuntimeError("broken off")


def interrupt(process: int) -> None:
    """Press Ctrl-C in a process, and come to no good end after it has been felt there."""
    os.kill(process, signal.SIGINT)
    time.sleep(1)
    fail()


@pytest.mark.parametrize(
    ("rule", "after", "step"),
    [
        *product(["iou"], [False, True], STEPS),
        # From then on all rules are the same.
        *product(["mean", "mutex"], [True], STEPS[:3]),
        *product(["same id"], [False], STEPS[:3]),
    ],
)
def test_a_worker_killed_in_any_step_changes_no_id(
    rule: str,
    after: bool,
    step: str,
    client: Client,
    undisturbed: dict[str, np.ndarray],
    tmp_path: Path,
) -> None:
    client.run(spoil, Relabelling, step, tmp_path / "killed", after, die)
    summary = labelled(rule).to_zarr(tmp_path / "a.zarr/ids", client=client, progress=False)
    assert (tmp_path / "killed").exists()
    assert summary[f"ids: {step}"].retries == 1
    ids = dbw.open_volume(tmp_path / "a.zarr/ids")[:]
    np.testing.assert_array_equal(ids, undisturbed[rule])
    assert not list(tmp_path.rglob("*.scratch"))


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    ("rule", "by"),
    [("iou", dbw.BlocksFailed), ("mutex", dbw.BlocksFailed), ("mean", KeyboardInterrupt)],
)
def test_a_run_broken_off_in_any_step_goes_on(
    rule: str,
    by: type[BaseException],
    step: str,
    client: Client,
    undisturbed: dict[str, np.ndarray],
    tmp_path: Path,
) -> None:
    misbehave = partial(interrupt, os.getpid()) if by is KeyboardInterrupt else fail
    client.run(spoil, Relabelling, step, tmp_path / "failed", False, misbehave)
    volume, path = labelled(rule), tmp_path / "a.zarr/ids"
    with pytest.raises(by, match=r"broken off|goes on from there"):
        volume.to_zarr(path, client=client, progress=False, max_retries=0)
    # Blocks need not wait for all of those before, which Ctrl-C therefore finds at work.
    before = STEPS[: STEPS.index(step)] if by is dbw.BlocksFailed else []
    summary = volume.to_zarr(path, client=client, progress=False)
    np.testing.assert_array_equal(dbw.open_volume(path)[:], undisturbed[rule])
    again = {task.name: task.completed for task in summary.tasks}
    assert not any(again.get(f"ids: {earlier}") for earlier in before)


def random_labels(array: np.ndarray) -> np.ndarray:
    return np.random.default_rng(0).integers(1, 1 << 31, array.shape)


def test_scratch_that_fills_the_disk_is_named_and_the_same_call_goes_on(
    small_disk: tuple[Path, Callable[[], object]], client: Client, tmp_path: Path
) -> None:
    disk, _ = small_disk
    values = dbw.Volume.from_array(NOISE[0, :16, :16], chunks=(8, 8))
    objects = dbw.relabel(dbw.segment(values, random_labels, halo=2))

    def flood() -> None:
        with suppress(OSError), (disk / "full").open("wb", buffering=0) as file:
            while file.write(bytes(1 << 10)):
                pass

    client.run(spoil, Relabelling, "segment", tmp_path / "full", True, flood)
    told = r"The disk of .*ids.scratch.* is full.*free some space.*the same call.*another disk"
    with pytest.raises((OSError, dbw.BlocksFailed), match=told):
        objects.to_zarr(disk / "a.zarr/ids", client=client, progress=False, max_retries=0)
    (disk / "full").unlink()
    assert objects.to_zarr(disk / "a.zarr/ids", client=client, progress=False)
    objects.to_zarr(tmp_path / "a.zarr/ids", client=client, progress=False)
    stored, whole = (dbw.open_volume(path / "a.zarr/ids")[:] for path in (disk, tmp_path))
    np.testing.assert_array_equal(stored, whole)
    assert not list(disk.rglob("*.scratch"))


def test_a_worker_killed_while_objects_are_counted_changes_no_row(
    client: Client, tmp_path: Path
) -> None:
    ids = dbw.Volume.from_array(grouped(AFFINITIES), chunks=(8, 8))
    whole = ids.objects(path=tmp_path / "whole", client=client, progress=False)
    client.run(spoil, objects._Count, "__call__", tmp_path / "killed", True, die)
    table = ids.objects(path=tmp_path / "cells", client=client, progress=False)
    assert (tmp_path / "killed").exists()
    assert table.equals(whole)
    assert table.voxels.sum() == (ids[:] > 0).sum()


@pytest.fixture(params=[KeyboardInterrupt, SystemExit])
def on_ctrl_c(request: pytest.FixtureRequest) -> Iterator[type[BaseException]]:
    """What Ctrl-C raises: Python's own, or what dask-jobqueue's import makes of it."""

    def leave(*_: object) -> None:
        raise request.param

    before = signal.signal(signal.SIGINT, leave)
    yield request.param
    signal.signal(signal.SIGINT, before)


def test_counting_objects_goes_on_after_ctrl_c(
    on_ctrl_c: type[BaseException], client: Client, tmp_path: Path
) -> None:
    ids = dbw.Volume.from_array(grouped(AFFINITIES), chunks=(8, 8))
    whole = ids.objects(path=tmp_path / "whole", client=client, progress=False)
    misbehave = partial(interrupt, os.getpid())
    client.run(spoil, objects._Count, "__call__", tmp_path / "failed", False, misbehave)
    with pytest.raises(on_ctrl_c, match="goes on from there"):
        ids.objects(path=tmp_path / "cells", client=client, progress=False)
    assert ids.objects(path=tmp_path / "cells", client=client, progress=False).equals(whole)
