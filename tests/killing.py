"""Kill a run before each call that changes a store, and make the same call again.

``python killing.py SCENARIO PLACE EVERY FIRST`` prints a line of JSON for each kill. Processes are
forked before anything in them has threads, so that a kill takes no second.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
from distributed import Client, LocalCluster
from skimage.measure import label

import dask_blockwise as dbw
from dask_blockwise.engine import mark_files
from dask_blockwise.storage import documents

OLD, NEW = np.random.default_rng(0).integers(0, 200, (2, 8, 12)).astype(np.uint8)
CALLS = [
    *((documents, name) for name in ("put", "remove_documents")),
    *((mark_files._Folder, name) for name in ("append", "write_header")),
    *((os, name) for name in ("unlink", "rmdir")),
]


def copied(values: np.ndarray, place: str, client: Client, **options: Any) -> Any:
    volume = dbw.Volume.from_array(values, chunks=(4, 4))
    return volume.to_zarr(f"{place}/x", client=client, progress=False, **options)


def objects(values: np.ndarray, place: str, client: Client, **options: Any) -> Any:
    inverse = dbw.map_overlap(np.invert, dbw.Volume.from_array(values, chunks=(4, 4)))
    mask = dbw.threshold(inverse.checkpoint(f"{place}/kept"), 100)
    made = dbw.relabel(dbw.connected_components(mask))
    return made.to_zarr(f"{place}/x", client=client, progress=False, **options)


def precomputed(values: np.ndarray, place: str, client: Client, **options: Any) -> Any:
    volume = dbw.Volume.from_array(values[None], chunks=(1, 4, 4), unit="nanometer")
    return volume.to_precomputed(f"{place}/x", client=client, progress=False, **options)


AS_STORED = "zarr_format", "pyramid"

# What is called first, if anything, what is killed, and how.
SCENARIOS: dict[str, tuple[Callable[..., Any], bool, dict[str, Any]]] = {
    "new": (copied, False, {}),
    "new, zarr 2": (copied, False, {"zarr_format": 2}),
    "overwritten": (copied, True, {"overwrite": True}),
    "done again, zarr 2": (copied, True, {"on_change": "redo", "zarr_format": 2}),
    "levels": (copied, False, {"pyramid": 2}),
    "levels done again": (copied, True, {"on_change": "redo", "pyramid": 2}),
    "objects": (objects, False, {}),
    "precomputed": (precomputed, False, {"pyramid": 1}),
    "precomputed overwritten": (precomputed, True, {"overwrite": True, "pyramid": 1}),
    "precomputed done again": (precomputed, True, {"on_change": "redo", "pyramid": 1}),
    "objects overwritten": (objects, True, {"on_change": "redo", "overwrite": True}),
}


def cluster() -> Client:
    options = {"processes": False, "dashboard_address": None}
    return Client(LocalCluster(n_workers=1, threads_per_worker=2, **options))


def forked(function: Callable[[], None]) -> int:
    process = os.fork()
    if process == 0:
        try:
            function()
        finally:
            sys.stdout.flush()
            os._exit(1 if sys.exc_info()[0] else 0)
    return os.waitpid(process, 0)[1]


def import_what_is_used_by(function: Callable[[], None]) -> None:
    """Here, once, which takes longer than all else that a forked process does."""
    with tempfile.TemporaryFile("w+") as names:
        forked(lambda: (function(), print(*sys.modules, sep="\n", file=names, flush=True)))
        names.seek(0)
        for name in names.read().splitlines():
            with suppress(ImportError):
                importlib.import_module(name)


def die_before(call: int) -> None:
    """Kill this process before so many calls have been made."""
    calls = iter(range(1, call))
    modules = [module for name, module in sys.modules.items() if name.startswith("dask_blockwise")]
    for owner, name in CALLS:
        function = getattr(owner, name)
        for place in (owner, *(m for m in modules if getattr(m, name, None) is function)):
            setattr(place, name, counted(function, calls))


def counted(function: Callable[..., Any], calls: Any) -> Callable[..., Any]:
    def calling(*args: Any, **options: Any) -> Any:
        # Journals of workers are of no matter here.
        of_journal = "dask-blockwise-" in str(args[0]) or "batch-" in str(args[0])
        if not of_journal and next(calls, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **options)

    return calling


def is_right(scenario: str, values: np.ndarray, place: str) -> bool:
    stored = dbw.open_volume(f"{place}/x")[:]
    if SCENARIOS[scenario][0] in (copied, precomputed):
        same = np.array_equal(stored.reshape(values.shape), values)
        return same and levels_are_right(scenario, values, place)
    expected = label(255 - values > 100, connectivity=1)
    pairs = np.unique(np.stack([stored.ravel(), expected.ravel()]), axis=1).shape[1]
    return bool(pairs == len(np.unique(stored)) == len(np.unique(expected)))


def levels_are_right(scenario: str, values: np.ndarray, place: str) -> bool:
    """Whether each level has the means, rounded half to even, of the one before it."""
    run, _, options = SCENARIOS[scenario]
    for number in range(1, options.get("pyramid", 0) + 1):
        level = f"s{number}" if run is copied else f"{2**number}_{2**number}_1"
        rows, columns = (n // 2 for n in values.shape)
        sums = values.astype(int).reshape(rows, 2, columns, 2).sum((1, 3))
        values = np.rint(sums / 4)
        if not np.array_equal(dbw.open_volume(f"{place}/x/{level}")[:].squeeze(), values):
            return False
    return bool(dbw.status(f"{place}/x").done)


def killed(scenario: str, place: str, call: int) -> None:
    run, is_second, options = SCENARIOS[scenario]
    client = cluster()
    if is_second:
        run(OLD, place, client, **{k: v for k, v in options.items() if k in AS_STORED})
    die_before(call)
    run(NEW, place, client, **options)


def again(scenario: str, place: str, call: int) -> None:
    run, _, options = SCENARIOS[scenario]
    client = cluster()
    run(NEW, place, client, **options)
    told = {"call": call, "right": is_right(scenario, NEW, place)}
    summary = run(NEW, place, client, **{k: v for k, v in options.items() if k in AS_STORED})
    told["runs still"] = sum(task.completed for task in summary.tasks)
    names = documents.list_names(place)
    told["litter"] = [name for name in names if ".scratch" in name or name.endswith("__lock")]
    sys.stdout.write(json.dumps(told) + "\n")


def main(scenario: str, place: str, every: str, first: str) -> None:
    logging.disable(logging.CRITICAL)
    run, _, options = SCENARIOS[scenario]
    import_what_is_used_by(lambda: run(NEW, f"{place}/0.zarr", cluster(), **options))
    call, status = int(first), 1
    while status:
        here = f"{place}/{call}.zarr"
        status = forked(partial(killed, scenario, here, call))
        if forked(partial(again, scenario, here, call)):
            sys.stdout.write(json.dumps({"call": call, "raised": True}) + "\n")
            sys.stdout.flush()
        call += int(every)


if __name__ == "__main__":
    main(*sys.argv[1:])
