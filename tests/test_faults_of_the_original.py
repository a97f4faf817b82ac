"""What goes wrong in dacapo.blockwise and in daisy below it, and must not here.

These are the faults of running tasks; those of labels are in
``test_faults_of_the_original_labels.py``, those of stages in the tests of each.
"""

from __future__ import annotations

import os
import pickle
import re
import signal
import sys
import time
from pathlib import Path

import cloudpickle
import numpy as np
import pytest
import torch
from distributed import Client
from recording import line, recorder, runs

from dask_blockwise import (
    Volume,
    create_volume,
    open_volume,
    predict,
    segment_worker,
    threshold_worker,
)
from dask_blockwise.blockwise_task import BlockwiseTask
from dask_blockwise.engine.frontier import Frontier
from dask_blockwise.engine.run import run
from dask_blockwise.engine.task import Task
from dask_blockwise.geometry.blocks import Block, Roi
from dask_blockwise.scheduler import run_blockwise

TEN, TOTAL = Roi((0,), (10,)), Roi((0,), (200,))


def write(path: Path, body: str) -> Path:
    head = "from pathlib import Path\nfit, read_write_conflict = 'shrink', False\n"
    path.parent.mkdir(exist_ok=True)
    path.write_text(head + body)
    return path


def test_a_run_whose_blocks_all_fail_is_not_a_success(client: Client, tmp_path: Path) -> None:
    """daisy 1.x returns True."""
    path = write(tmp_path / "worker.py", "def spawn_worker():\n    return lambda block: 1 / 0\n")
    with client.as_current():
        assert run_blockwise(path, TOTAL, TEN, TEN, max_retries=0) is False


def test_a_worker_file_runs_in_the_default_context(client: Client, tmp_path: Path) -> None:
    """dacapo's run_blockwise raises a TypeError."""
    body = "def spawn_worker(to):\n    return lambda block: Path(to, str(block.number)).touch()\n"
    (tmp_path / "blocks").mkdir()
    path = write(tmp_path / "worker.py", body)
    with client.as_current():
        assert run_blockwise(path, TOTAL, TEN, TEN, to=str(tmp_path / "blocks")) is True
    assert len(list((tmp_path / "blocks").iterdir())) == 20


def test_a_hanging_block_is_killed_and_named(client: Client, tmp_path: Path) -> None:
    """daisy 1.x stores the timeout and never reads it."""

    def hang(number: int, attempt: int) -> None:
        time.sleep(0.002)
        if number == 30 and attempt == 1:
            re.match("(a+)+$", "a" * 60 + "b")  # holds the GIL
        if number == 70:
            time.sleep(1e6)

    task = line(100, recorder(tmp_path, hang), max_retries=1, timeout=6.0)
    result = run(task, client, progress=False)["task"]
    assert runs(tmp_path) == dict.fromkeys(range(100), 1) | {30: 2, 70: 2}
    assert list(result.errors) == [70]
    assert "took longer than its time limit" in result.errors[70]
    assert "in hang" in result.errors[70]


def test_checks_before_and_after(client: Client, tmp_path: Path) -> None:
    """A pair of checks is documented, raises inside, and is swallowed."""

    def before(block: Block) -> bool:
        return block.number < 3

    def after(block: Block) -> bool:
        attempts = (tmp_path / f"task-{block.number}").read_text().count("begun")
        return block.number != 5 and (block.number != 6 or attempts == 2)

    task = line(8, recorder(tmp_path), check_function=(before, after))
    result = run(task, client, progress=False)["task"]
    assert (result.skipped, result.completed, result.failed, result.retries) == (3, 4, 1, 3)
    assert runs(tmp_path) == {3: 1, 4: 1, 5: 3, 6: 2, 7: 1}
    assert "check after block ('task', 5) was not true" in result.errors[5]


def test_a_check_that_raises_is_not_swallowed(client: Client, tmp_path: Path) -> None:
    """In daisy such a block counts as not done yet, without a word."""

    def check(block: Block) -> bool:
        if block.number == 3:
            raise ValueError("no such store")
        return False

    task = line(5, recorder(tmp_path), check_function=(check, None), max_retries=1)
    result = run(task, client, progress=False)["task"]
    assert list(result.errors) == [3]
    assert "no such store" in result.errors[3]
    assert runs(tmp_path) == dict.fromkeys([0, 1, 2, 4], 1)


def test_writes_that_cut_a_chunk_fail_and_change_nothing(client: Client, tmp_path: Path) -> None:
    """Two of dacapo's blocks write one chunk at once: voxels are lost, and the run is a success."""
    source, output = f"{tmp_path}/a.zarr/raw", f"{tmp_path}/a.zarr/mask"
    for path, value in ((source, 200), (output, 7)):
        volume = create_volume(path, shape=(8, 16), dtype="uint8", block_shape=(8, 8))
        volume[volume.roi] = np.full((8, 16), value)
    file, half = threshold_worker.__file__, Roi((0, 0), (4, 8))
    with client.as_current():
        assert not run_blockwise(
            file, volume.roi, half, half, 2, 0, None, None, source, output, threshold=100
        )
    assert (open_volume(output)[:] == 7).all()


def test_blocks_of_a_segmentation_need_no_order() -> None:
    """In dacapo 2 x 2 x 2 of them run one after the other, as if they read what others write."""
    write, total = Roi((0,) * 3, (8,) * 3), Roi((-2,) * 3, (20,) * 3)
    read = write.grow((2,) * 3, (2,) * 3)
    task = BlockwiseTask(segment_worker.__file__, total, read, write)
    at_once = [Frontier([task.grid], [o], [[]]).ready(0) for o in (task.read_write_conflict, True)]
    assert at_once == [8, 1]


def test_axes_of_one_voxel_are_kept() -> None:
    """dacapo squeezes a prediction of one plane, or of one channel."""
    plane = Volume.from_array(np.ones((1, 1, 8, 8), np.float32), axes="czyx")
    predicted = predict(plane, torch.nn.Conv3d(1, 1, 1))
    assert predicted[:].shape == predicted.shape == (1, 1, 8, 8)


def test_failures_cost_no_worker_and_no_innocent_block(client: Client, tmp_path: Path) -> None:
    """A worker of daisy's dies after its fourth failure, and fails the block it held."""

    def process(block: Block) -> None:
        (tmp_path / f"{block.number}-{os.getpid()}").touch()
        if block.number % 2:
            raise ValueError

    result = run(line(80, process, max_retries=0), client, progress=False)["task"]
    assert sorted(result.errors) == list(range(1, 80, 2))
    assert result.completed == 40
    assert len({path.name.partition("-")[2] for path in tmp_path.iterdir()}) <= 2


def test_a_worker_that_exits_or_is_killed_does_not_hang_the_run(
    client: Client, tmp_path: Path
) -> None:
    def die(number: int, attempt: int) -> None:
        time.sleep(0.002)
        if number == 30 and attempt == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        if number == 50 and attempt == 1:
            sys.exit(0)
        if number == 70:
            os._exit(0)

    summary = run(line(100, recorder(tmp_path, die), max_retries=1), client, progress=False)
    assert list(summary["task"].errors) == [70]
    assert runs(tmp_path) == dict.fromkeys(range(100), 1) | {30: 2, 50: 2, 70: 2}


def test_what_blocks_print_is_in_the_log_the_summary_names(client: Client) -> None:
    """dacapo's workers print into the void; here even one that is killed leaves its words."""

    def process(block: Block) -> None:
        print("hello from", block.number)  # noqa: T201
        if block.number == 3:
            os.write(2, b"compiled code complains\n")
            os.system("echo a child speaks")
        if block.number == 5:
            print("my last words", end="")  # noqa: T201
            os.kill(os.getpid(), signal.SIGKILL)

    summary = run(line(8, process, max_retries=0), client, progress=False)
    log = summary["task"].log
    assert log is not None
    assert log in str(summary)
    words = {
        int(number): text.split("\n")
        for number, text in re.findall(
            r" block (\d+), attempt 1, printed:\n(.*?)\n\n", Path(log).read_text(), re.DOTALL
        )
    }
    said = {number: [f"hello from {number}"] for number in range(8)}
    said[3] += ["compiled code complains", "a child speaks"]
    said[5] += ["my last words"]
    assert words == said


def test_two_tasks_of_one_moment_both_run(client: Client, tmp_path: Path) -> None:
    """dacapo names tasks by the second, and daisy drops one of two with the same name."""
    body = "def spawn_worker(to):\n    return lambda block: Path(to, str(block.number)).touch()\n"
    path = write(tmp_path / "worker.py", body)
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder in folders:
        folder.mkdir()
    tasks = [BlockwiseTask(path, TOTAL, TEN, TEN, to=str(folder)) for folder in folders]
    summary = run(tasks, client, progress=False)
    assert len({task.task_id for task in summary.tasks}) == 2
    assert [len(list(folder.iterdir())) for folder in folders] == [20, 20]


def test_files_of_one_name_do_not_share_globals(client: Client, tmp_path: Path) -> None:
    """dacapo imports them under their bare name, so the second gets the first one's module."""
    tasks = []
    for name in ("one", "two"):
        body = f"NAME = {name!r}\ndef spawn_worker():\n    return lambda block: NAME\n"
        path = write(tmp_path / name / "worker.py", body)
        tasks.append(BlockwiseTask(path, TOTAL, TEN, TEN))
    one, two = tasks
    blocks = [task.grid.block(task.task_id, 0) for task in tasks]
    assert [one.process_function(blocks[0]), two.process_function(blocks[1])] == ["one", "two"]
    again = pickle.loads(cloudpickle.dumps(one.process_function))
    assert again(blocks[0]) == "one"


def test_the_run_survives_what_a_process_function_raises(client: Client) -> None:
    """SystemExit and KeyboardInterrupt of a block are failures of that block alone."""

    def process(block: Block) -> None:
        raise {0: SystemExit, 1: KeyboardInterrupt}.get(block.number, ValueError)

    result = run(line(3, process, max_retries=0), client, progress=False)["task"]
    assert [result.errors[number].split()[-1] for number in range(3)] == [
        "SystemExit",
        "KeyboardInterrupt",
        "ValueError",
    ]


@pytest.mark.parametrize("fit", ["valid", "overhang", "shrink"])
def test_a_total_smaller_than_a_block_is_refused_or_tiled(fit: str) -> None:
    """daisy crashes, or makes blocks of the same id."""
    small = Roi((0,), (3,))
    read, written = Roi((0,), (14,)), Roi((2,), (10,))
    with pytest.raises(ValueError, match="No block of task 'task' fits"):
        Task("task", small, read, written, print, fit=fit)  # type: ignore[arg-type]
