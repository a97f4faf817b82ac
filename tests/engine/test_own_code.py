"""Workers that live over two runs, between which a person changes their modules."""

from __future__ import annotations

import importlib
import logging
import os
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from importlib.util import cache_from_source
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from distributed import Client, LocalCluster

import dask_blockwise as db
from dask_blockwise.engine.worker.own_code import OtherCodeError

Edit = Callable[..., ModuleType]


def clusters() -> LocalCluster:
    options: dict[str, Any] = {"threads_per_worker": 1, "dashboard_address": ":0"}
    return LocalCluster(n_workers=1, processes=True, silence_logs=logging.ERROR, **options)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("own")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield folder


@pytest.fixture(scope="module")
def living(folder: Path) -> Iterator[Client]:
    """A worker that lives as long as the tests, and imports from the folder."""
    with clusters() as cluster, Client(cluster) as client:
        yield client


@pytest.fixture
def edit(folder: Path) -> Iterator[Edit]:
    """Writes modules, and has this process import them anew unless told not to."""
    written: set[str] = set()

    def edit(reload: bool = True, **sources: str) -> None:
        for name, text in sources.items():
            file = folder / f"{name.replace('.', '/')}.py"
            file.parent.mkdir(exist_ok=True)
            file.write_text(textwrap.dedent(text))
            # Within the same second, where Python's cache of byte code wouldn't tell them apart.
            os.utime(file, (1_000_000_000, 1_000_000_000))
            Path(cache_from_source(str(file))).unlink(missing_ok=True)
            written.add(name.partition(".")[0])
        if reload:
            forget()

    def forget() -> None:
        for name in [name for name in sys.modules if name.partition(".")[0] in written]:
            del sys.modules[name]
        importlib.invalidate_caches()

    yield edit
    forget()


def stored(function: Callable[..., Any], folder: Path, client: Client, halo: int = 1) -> int:
    """What a function makes of ones, and that is one number everywhere."""
    volume = db.Volume.from_array(np.ones((8, 8, 8), np.uint8), chunks=(4, 8, 8))
    result = db.map_overlap(function, volume, halo=halo)
    path = folder / f"{os.urandom(4).hex()}.zarr"
    assert result.to_zarr(path, client=client, progress=False)
    (value,) = np.unique(db.open_volume(path)[:])
    return int(value)


def both(function: Callable[..., Any], folder: Path, living: Client) -> int:
    """On the worker that lives, which is to give what a fresh one gives."""
    value = stored(function, folder, living)
    with clusters() as cluster, Client(cluster) as fresh:
        assert stored(function, folder, fresh) == value
    return value


FILTERS = """
def smooth(x):
    return x * {}
"""


def test_an_imported_function_is_edited_and_reverted(
    living: Client, edit: Edit, tmp_path: Path
) -> None:
    for factor in (3, 5, 3):
        edit(filters=FILTERS.format(factor))
        from filters import smooth

        assert both(smooth, tmp_path, living) == factor


def test_reloaded(living: Client, edit: Edit, tmp_path: Path) -> None:
    edit(again=FILTERS.format(3))
    again = importlib.import_module("again")
    assert stored(again.smooth, tmp_path, living) == 3
    edit(reload=False, again=FILTERS.format(11))  # of another size
    assert stored(importlib.reload(again).smooth, tmp_path, living) == 11


@pytest.mark.parametrize(
    "source",
    [
        "import helper\ndef f(x): return x * helper.factor()",
        "import helper as h\ndef f(x): return x * h.FACTOR",
        "from helper import FACTOR\ndef f(x): return x * FACTOR",
        "from helper import factor\ndef f(x): return x * factor()",
        "def f(x):\n    import helper\n    return x * helper.factor()",
        "def f(x):\n    from helper import FACTOR\n    return x * FACTOR",
        "from between import FACTOR\ndef f(x): return x * FACTOR",
        "import between\ndef f(x, by=between.factor()): return x * by",
        "import helper\nclass F:\n    def __call__(self, x): return x * helper.factor()\nf = F()",
        "import functools, helper\nf = functools.partial(helper.times, by=1)",
    ],
)
def test_a_helper_is_edited(source: str, living: Client, edit: Edit, tmp_path: Path) -> None:
    between = "from helper import FACTOR, factor"
    for factor in (2, 7):
        helper = f"FACTOR = {factor}\ndef factor(): return {factor}\n"
        helper += f"def times(x, by): return x * {factor}\n"
        edit(stage=source, helper=helper, between=between)
        stage = importlib.import_module("stage")
        assert stored(stage.f, tmp_path, living) == factor


def test_a_function_of_a_notebook_uses_a_module(living: Client, edit: Edit, tmp_path: Path) -> None:
    for factor in (2, 7):
        edit(mine=f"FACTOR = {factor}\ndef factor(): return {factor}\n")
        code = "import mine\ndef f(x):\n    from mine import factor as inner\n"
        code += "    return x * mine.FACTOR * inner()"
        names: dict[str, Any] = {"__name__": "__main__"}
        exec(code, names)
        assert stored(names["f"], tmp_path, living) == factor**2


def test_a_package_with_submodules(living: Client, edit: Edit, tmp_path: Path) -> None:
    files = {"pack.__init__": "from .stages import f", "pack.other": "WORD = 1"}
    files["pack.stages"] = "from . import deep, other\ndef f(x): return x * deep.g() * other.WORD"
    for factor in (3, 4):
        edit(**files, **{"pack.deep": f"def g(): return {factor}"})
        assert both(importlib.import_module("pack").f, tmp_path, living) == factor


def test_a_class_of_a_network_is_edited(living: Client, edit: Edit, tmp_path: Path) -> None:
    network = """
    import torch
    class Net(torch.nn.Module):
        def forward(self, x): return x * {} / 10
    """
    for factor in (2, 5):
        edit(nets=network.format(factor))
        for model in ("nets:Net", importlib.import_module("nets").Net()):
            volume = db.Volume.from_array(np.full((8, 8, 8), 255, np.uint8), chunks=(4, 8, 8))
            result = db.predict(volume, model, output_range=(0, 1))
            path = tmp_path / f"{os.urandom(4).hex()}.zarr"
            assert result.to_zarr(path, client=living, progress=False)
            (value,) = np.unique(db.open_volume(path)[:])
            assert abs(value - 25.5 * factor) <= 1


def test_a_worker_files_helper_is_edited(living: Client, edit: Edit, tmp_path: Path) -> None:
    worker = tmp_path / "worker.py"
    worker.write_text(
        textwrap.dedent(f"""
        from helps import factor
        fit, read_write_conflict = "valid", False
        def spawn_worker():
            def process(block):
                with open({str(tmp_path / "told")!r}, "a") as file:
                    file.write(str(factor()))
            return process
        """)
    )
    from dask_blockwise.engine.run import run
    from dask_blockwise.engine.task import Task
    from dask_blockwise.engine.worker.worker_file import SpawnedWorker, WorkerFile
    from dask_blockwise.geometry.blocks import Roi

    roi = Roi((0,), (10,))
    for factor in (2, 7):
        edit(helps=f"def factor(): return {factor}")
        file = WorkerFile.read(worker)
        sys.modules.pop(file.module.__name__)
        task = Task("t", roi, roi, roi, SpawnedWorker(file, (), {}))
        assert run(task, living, progress=False)
    assert (tmp_path / "told").read_text() == "27"


def test_an_edit_that_was_not_reloaded_is_refused(
    living: Client, edit: Edit, tmp_path: Path
) -> None:
    edit(old=FILTERS.format(3))
    old = importlib.import_module("old")
    assert stored(old.smooth, tmp_path, living) == 3
    edit(reload=False, old=FILTERS.format(4))
    # The worker still has what this process has.
    assert stored(old.smooth, tmp_path, living) == 3
    told = r"old\.smooth .* restart the notebook's kernel"
    with (
        clusters() as cluster,
        Client(cluster) as fresh,
        pytest.raises(OtherCodeError, match=told),
    ):
        stored(old.smooth, tmp_path, fresh)


def test_a_worker_that_joins_after_an_edit_runs_no_block(edit: Edit, tmp_path: Path) -> None:
    from recording import line

    from dask_blockwise.engine.run import run

    edit(late="def name(block): return str(block.number)")
    late = importlib.import_module("late")

    def first(block: Any) -> None:
        (tmp_path / late.name(block)).touch()
        while not (tmp_path / "over").exists():
            time.sleep(0.05)

    def join() -> None:
        while not (tmp_path / "0").exists():
            time.sleep(0.05)
        edit(reload=False, late="def name(block): return 'late'")
        cluster.scale(2)

    with clusters() as cluster, Client(cluster) as client:
        joining = threading.Thread(target=join)
        joining.start()
        with pytest.raises(OtherCodeError, match=r"late\.name"):
            run(line(8, first), client, progress=False)
        (tmp_path / "over").touch()
        joining.join()
    assert not (tmp_path / "late").exists()


def test_what_is_asked_of_the_machine_may_be_another(
    living: Client, edit: Edit, tmp_path: Path
) -> None:
    edit(
        asked="""
        import os
        import time
        PROCESS, BEGUN = os.getpid(), time.time()
        SEEN = {}
        def f(x, begun=BEGUN):
            SEEN[PROCESS] = begun
            return x * 2
        """
    )
    asked = importlib.import_module("asked")
    asked.f(1)
    assert stored(asked.f, tmp_path, living) == 2
    assert stored(asked.f, tmp_path, living) == 2


def test_a_number_set_from_outside_is_refused(living: Client, edit: Edit, tmp_path: Path) -> None:
    edit(plain="FACTOR = 2\ndef f(x): return x * FACTOR")
    plain = importlib.import_module("plain")
    plain.FACTOR = 3
    with pytest.raises(OtherCodeError, match=r"plain\.FACTOR"):
        stored(plain.f, tmp_path, living)


def test_threads_have_what_the_process_has(edit: Edit, tmp_path: Path) -> None:
    edit(shared="FACTOR = 2\ndef f(x): return x * FACTOR")
    shared = importlib.import_module("shared")
    shared.FACTOR = 3
    with Client(processes=False, n_workers=1, dashboard_address=":0") as client:
        assert stored(shared.f, tmp_path, client) == 3
