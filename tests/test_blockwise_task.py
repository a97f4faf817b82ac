"""Tasks and worker files."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

import pytest
from distributed import Client as DaskClient

from dask_blockwise.blockwise_task import BlockwiseTask, DaCapoBlockwiseTask
from dask_blockwise.engine.run import run
from dask_blockwise.engine.task import Task
from dask_blockwise.engine.worker.client import Client, Context, takes_block
from dask_blockwise.geometry.blocks import Roi
from dask_blockwise.scheduler import run_blockwise

TEN = Roi((0,), (10,))
TOTAL = Roi((0,), (200,))


def make(**changes: Any) -> Task:
    settings: dict[str, Any] = {
        "task_id": "task",
        "total_roi": TOTAL,
        "read_roi": TEN,
        "write_roi": TEN,
        "process_function": print,
    }
    return Task(**(settings | changes))


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"num_workers": 0}, ValueError, "num_workers must be at least 1, got 0"),
        ({"max_retries": -1}, ValueError, "max_retries must be 0 or more"),
        ({"timeout": 0}, ValueError, "timeout must be a positive number"),
        ({"check_function": (print,)}, ValueError, r"a pair \(before, after\), got 1"),
        ({"check_function": "yes"}, TypeError, "needs functions.*'yes'"),
        ({"process_function": None}, TypeError, "needs functions"),
        ({"total_roi": Roi((0,), (9,))}, ValueError, "No block of task 'task' fits.*shrink"),
        ({"read_roi": Roi((0,), (5,))}, ValueError, "does not contain"),
        ({"fit": "loose"}, ValueError, "fit must be one of"),
        ({"upstream_tasks": 3}, TypeError, "upstream_tasks of .* a list of tasks.* got 3"),
        ({"upstream_tasks": "first"}, TypeError, "a list of tasks, .* got 'first'"),
        (
            {"upstream_tasks": Task("first", TOTAL, TEN, TEN, print)},
            TypeError,
            r"such as \[task\], got the task 'first'\.",
        ),
    ],
)
def test_what_is_refused(changes: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make(**changes)


def test_what_daisy_has_in_another_order_must_be_named() -> None:
    given = ("task", TOTAL, TEN, TEN, print)
    assert Task(*given).fit == "valid"
    message = (
        r"5 arguments by position \(task_id, .*process_function\), got 8.*Name.*fit, num_worke"
    )
    with pytest.raises(TypeError, match=message):
        Task(*given, None, None, True)  # type: ignore[misc]
    names = list(signature(Task).parameters.values())
    assert [name.name for name in names[:6]][4:] == ["process_function", "check_function"]
    assert {name.kind for name in names[5:]} == {Parameter.KEYWORD_ONLY}


def test_valid_says_what_it_leaves_unwritten() -> None:
    block = Roi((0,) * 3, (64,) * 3)
    message = r"leaves 737856 of 1000000 voxels.*cover 26%"
    with pytest.warns(UserWarning, match=message) as warned:
        Task("task", Roi((0,) * 3, (100,) * 3), block, block, print)
    assert warned[0].filename == __file__


@pytest.mark.parametrize(
    ("function", "takes"),
    [
        (lambda: None, False),
        (lambda block: None, True),
        (lambda *blocks: None, True),
        (lambda *, context: None, False),
        (print, True),
    ],
    ids=["nothing", "block", "any", "keyword", "built-in"],
)
def test_whether_a_function_takes_a_block(function: Any, takes: bool) -> None:
    assert takes_block(function) is takes


def test_context_goes_through_the_environment() -> None:
    context = Context(scheduler="tls://host:1?a=b&c", task_id="a:b=c", run_id="x")
    assert Context.from_env({Context.ENV_VARIABLE: str(context)}) == context
    with pytest.raises(KeyError, match="DASK_BLOCKWISE_CONTEXT is not set"):
        Context.from_env({})
    with pytest.raises(ValueError, match="'this is none' says of no run"):
        Context.from_env({Context.ENV_VARIABLE: "this is none"})


HEAD = """
import os
from pathlib import Path
from dask_blockwise.engine.worker.client import Client
fit = "shrink"
read_write_conflict = False
"""

WORKERS = {
    "takes a block": """
def spawn_worker(directory):
    Path(directory, f"set-up-{os.getpid()}").open("a").write("x")
    def process(block):
        Path(directory, f"block-{block.number}").open("a").write("x")
    return process
""",
    "loops": """
def spawn_worker(directory):
    def worker():
        Path(directory, f"set-up-{os.getpid()}").open("a").write("x")
        client = Client()
        while True:
            with client.acquire_block() as block:
                if block is None:
                    break
                Path(directory, f"block-{block.number}").open("a").write("x")
        Path(directory, f"end-{os.getpid()}").touch()
    return worker
""",
}


WORKERS["loops, given a context"] = (
    WORKERS["loops"]
    .replace("def worker():", "def worker(*, context):")
    .replace("Client()", "Client(context)")
)


def write(directory: Path, body: str, name: str = "worker.py") -> Path:
    path = directory / name
    path.write_text(HEAD + body)
    return path


def texts(directory: Path, pattern: str) -> list[str]:
    return [path.read_text() for path in directory.glob(pattern)]


@pytest.mark.parametrize("kind", WORKERS)
def test_worker_files_set_up_once_a_process(client: DaskClient, tmp_path: Path, kind: str) -> None:
    path = write(tmp_path, WORKERS[kind])
    task = BlockwiseTask(path, TOTAL, TEN, TEN, directory=str(tmp_path))
    path.unlink()  # its text travels
    assert run(task, client, progress=False)
    assert texts(tmp_path, "block-*") == ["x"] * 20
    assert set(texts(tmp_path, "set-up-*")) == {"x"}


@pytest.mark.parametrize("given", [[make()], make(), (make(),)])
def test_tasks_are_no_worker_file(given: Any) -> None:
    with pytest.raises(TypeError, match=r"daisy's takes, are run by dask_blockwise\.run"):
        run_blockwise(given)
    with pytest.raises(TypeError, match=r"daisy's takes, are run by dask_blockwise\.run"):
        run_blockwise(tasks=given)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="missing"):
        run_blockwise("worker.py")  # type: ignore[call-arg]


def test_run_blockwise_has_dacapos_arguments(client: DaskClient, tmp_path: Path) -> None:
    path = write(tmp_path, WORKERS["loops"])
    assert run_blockwise(path, TOTAL, TEN, TEN, 16, 2, None, None, str(tmp_path)) is True
    assert len(texts(tmp_path, "block-*")) == 20
    assert DaCapoBlockwiseTask is BlockwiseTask


def test_worker_file_with_checks_and_callback(
    client: DaskClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(
        tmp_path,
        """
check_function = (lambda block: block.number < 5, None)
def init_callback_fn(context):
    Path(context["task_id"] + ".callback").touch()
def spawn_worker():
    return lambda block: None
""",
    )
    monkeypatch.chdir(tmp_path)
    task = BlockwiseTask(path, TOTAL, TEN, TEN)
    result = run(task, client, progress=False)[task.task_id]
    assert (result.skipped, result.completed) == (5, 15)
    assert (tmp_path / f"{task.task_id}.callback").exists()


def test_a_loop_that_fails_is_started_again(client: DaskClient, tmp_path: Path) -> None:
    body = WORKERS["loops"].replace(
        'Path(directory, f"block-{block.number}").open("a").write("x")',
        """mark = Path(directory, f"block-{block.number}")
                mark.open("a").write("x")
                if block.number in (3, 4) and mark.read_text() == "x":
                    raise ValueError("first attempt")""",
    )
    task = BlockwiseTask(write(tmp_path, body), TOTAL, TEN, TEN, directory=str(tmp_path))
    summary = run(task, client, progress=False)
    assert summary
    assert summary[task.task_id].retries == 2
    assert sorted(texts(tmp_path, "block-*")) == ["x"] * 18 + ["xx"] * 2


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("raise ValueError('no model')", "no model"),
        ("return", "returned although there were blocks left"),
        ("with Client().acquire_block() as block: raise SystemExit", "SystemExit"),
        ("with Client().acquire_block() as block: pass", "returned although"),
    ],
)
def test_a_loop_that_cannot_go_on(
    client: DaskClient, tmp_path: Path, body: str, message: str
) -> None:
    source = f"def spawn_worker():\n    def worker():\n        {body}\n    return worker\n"
    path = write(tmp_path, source)
    task = BlockwiseTask(path, Roi((0,), (20,)), TEN, TEN, max_retries=0)
    summary = run(task, client, progress=False)
    if "pass" in body:
        assert summary  # each thread starts its loop anew for the next block
    else:
        assert message in "".join(summary[task.task_id].errors.values())


@pytest.mark.parametrize("missing", ["spawn_worker", "fit", "read_write_conflict"])
def test_worker_file_that_lacks_a_name(tmp_path: Path, missing: str) -> None:
    names = {"spawn_worker": "print", "fit": "'valid'", "read_write_conflict": "True"}
    lines = [f"{name} = {value}\n" for name, value in names.items() if name != missing]
    (tmp_path / "worker.py").write_text("".join(lines))
    with pytest.raises(AttributeError, match=f"does not define {missing}"):
        BlockwiseTask(tmp_path / "worker.py", TOTAL, TEN, TEN)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"source": "a", "size": 2}, "unexpected keyword argument 'size'"),
        ({"scale": 2}, "missing a required argument: 'source'"),
    ],
)
def test_what_spawn_worker_cannot_take_is_refused_at_once(
    tmp_path: Path, given: dict[str, Any], said: str
) -> None:
    path = tmp_path / "taker.py"
    path.write_text(
        "fit, read_write_conflict = 'valid', False\ndef spawn_worker(source, scale=1):\n    ...\n"
    )
    with pytest.raises(TypeError, match=f"taker.py takes source, scale: .*{said}"):
        run_blockwise(path, TOTAL, TEN, TEN, **given)
    with pytest.raises(TypeError, match="unexpected keyword argument 'size'"):
        BlockwiseTask(path, TOTAL, TEN, TEN, size=2)
    assert len(BlockwiseTask(path, TOTAL, TEN, TEN).grid) == 20


def test_why_blocks_failed_is_logged(
    client: DaskClient, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("WARNING")
    path = tmp_path / "failing.py"
    path.write_text(
        "fit, read_write_conflict = 'valid', False\n"
        "def spawn_worker():\n    return lambda block: block / 0\n"
    )
    assert not run_blockwise(path, TOTAL, TEN, TEN, max_retries=0)
    assert "unsupported operand" in caplog.text
    assert "20 of 20" in caplog.text


def test_what_is_no_task_is_refused() -> None:
    with pytest.raises(TypeError, match=r"run needs tasks, such as .*, got 'worker.py'"):
        run(["worker.py"])  # type: ignore[list-item]


def test_worker_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"There is no file.*absent\.py"):
        BlockwiseTask(tmp_path / "absent.py", TOTAL, TEN, TEN)


OUTSIDE = """
import sys
from pathlib import Path
from dask_blockwise.engine.worker.client import Client

client = Client()
while True:
    with client.acquire_block() as block:
        if block is None:
            break
        Path(sys.argv[1], f"outside-{block.number}").touch()
"""


def test_a_process_started_by_the_callback_takes_blocks(client: DaskClient, tmp_path: Path) -> None:
    (tmp_path / "outside.py").write_text(OUTSIDE)
    processes = []

    def start(context: Context) -> None:
        environment = os.environ | {Context.ENV_VARIABLE: str(context)}
        command = [sys.executable, str(tmp_path / "outside.py"), str(tmp_path)]
        processes.append(subprocess.Popen(command, env=environment))
        client.wait_for_workers(3, timeout=120)

    def process(block: Any) -> None:
        import time

        while not list(tmp_path.glob("outside-*")):
            time.sleep(0.01)

    task = make(process_function=process, init_callback_fn=start, num_workers=None)
    assert run(task, client, progress=False)
    assert processes[0].wait(timeout=120) == 0


def test_client_outside_a_run_needs_a_context(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(Context.ENV_VARIABLE, raising=False)
    with pytest.raises(KeyError, match="DASK_BLOCKWISE_CONTEXT is not set"):
        Client()


def test_a_process_that_comes_when_the_cluster_is_gone_finds_no_blocks(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("dask_blockwise.engine.worker.joining._JOIN_SECONDS", 0.5)
    caplog.set_level("WARNING")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    context = Context(scheduler=f"tcp://127.0.0.1:{port}", run_id="x", task_id="gone")
    with Client(context).acquire_block() as block:
        assert block is None
    assert "the run is over" in caplog.text


FATE = "'FAILED' if block.number == 3 else 'SUCCESS'"


@pytest.mark.parametrize("kind", ["takes a block", "loops"])
def test_a_block_fails_whose_status_a_worker_sets_so(
    client: DaskClient, tmp_path: Path, kind: str
) -> None:
    """As workers written for daisy do."""
    done = 'Path(directory, f"block-{block.number}").open("a").write("x")'
    indent = " " * (8 if kind == "takes a block" else 16)
    body = WORKERS[kind].replace(done, f"{done}\n{indent}block.status = BlockStatus[{FATE}]")
    body = f"from dask_blockwise import BlockStatus\n{body}"
    path = write(tmp_path, body)
    task = BlockwiseTask(path, TOTAL, TEN, TEN, max_retries=1, directory=str(tmp_path))
    result = run(task, client, progress=False)[task.task_id]
    assert list(result.errors) == [3]
    assert "status of block" in result.errors[3]
    assert (result.completed, result.retries) == (19, 1)
    assert (tmp_path / "block-3").read_text() == "xx"


SEEN = {
    "takes a block": """
def spawn_worker(directory):
    return lambda block: note(block, "within")
""",
    "loops": """
def spawn_worker(directory):
    def worker():
        last = None
        while True:
            with Client().acquire_block() as block:
                if block is None:
                    break
                note(block, "within")
                if last is not None:
                    note(last, "after")
                last = block
    return worker
""",
}


@pytest.mark.parametrize("kind", SEEN)
def test_a_block_has_the_status_that_daisy_gives_it(
    client: DaskClient, tmp_path: Path, kind: str
) -> None:
    head = f"""
def note(block, when):
    Path({str(tmp_path)!r}, f"{{when}}-{{block.number}}").write_text(block.status.name)
    return when == "checked"
check_function = (lambda block: note(block, "before"), lambda block: note(block, "checked"))
"""
    path = write(tmp_path, head + SEEN[kind])
    task = BlockwiseTask(path, TOTAL, TEN, TEN, directory=str(tmp_path))
    assert run(task, client, progress=False)
    seen = {path.name.split("-")[0]: path.read_text() for path in tmp_path.glob("*-*")}
    after = {"after": "SUCCESS"} if kind == "loops" else {}
    assert seen == {"before": "CREATED", "within": "PROCESSING", "checked": "SUCCESS"} | after
