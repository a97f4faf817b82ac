"""Time limits of blocks; each case in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from dask_blockwise.engine.worker import deadline

# Python code, and whether a deadline kills the process that runs it.
CASES = {
    "sleeps": ("with deadline(0.5, trace): hang(lambda: time.sleep(60))", True),
    "holds the GIL": (
        "with deadline(0.5, trace): hang(lambda: re.match('(a+)+$', 'a' * 60 + 'b'))",
        True,
    ),
    "kept": ("for _ in range(3):\n    with deadline(2, trace): pass\ntime.sleep(3)", False),
    "first of two threads": ("both(0.5, 60, seconds=60)", True),
    "second of two threads": ("both(60, 0.5, seconds=60)", True),
    "kept by two threads": ("both(60, 60, seconds=1)", False),
}

# Runs each case in a child of its own, all at once; importing the package takes seconds, and
# this module needs nothing of it.
SCRIPT = """
import json, os, re, sys, threading, time
sys.path.insert(0, sys.argv[1])
from deadline import deadline

def hang(how):
    how()

def both(*limits, seconds):
    def work(limit):
        with deadline(limit, trace):
            time.sleep(seconds)
    threads = [threading.Thread(target=work, args=[limit]) for limit in limits]
    for thread in threads: thread.start()
    for thread in threads: thread.join()

children = {}
for name, code in json.load(sys.stdin).items():
    child = os.fork()
    if not child:
        with open(name, "w") as trace:
            exec(code)
        os._exit(0)
    children[name] = child
print(json.dumps({
    name: os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for name, child in children.items()
}))
"""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, str]]:
    """Exit code of each case, and the stacks that it left."""
    directory = tmp_path_factory.mktemp("deadlines")
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(Path(deadline.__file__).parent)],
        cwd=directory,
        input=json.dumps({name: code for name, (code, _) in CASES.items()}),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    codes = json.loads(result.stdout)
    return {name: (code, (directory / name).read_text()) for name, code in codes.items()}


@pytest.mark.parametrize("case", CASES)
def test_a_deadline_that_passes_kills_the_process(
    outcomes: dict[str, tuple[int, str]], case: str
) -> None:
    code, trace = outcomes[case]
    assert code == int(CASES[case][1])
    assert bool(trace) == CASES[case][1]


@pytest.mark.parametrize("case", ["sleeps", "holds the GIL"])
def test_it_says_where_the_process_was(outcomes: dict[str, tuple[int, str]], case: str) -> None:
    assert "in hang" in outcomes[case][1]
