"""What a process prints while blocks run; each case in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from dask_blockwise.engine.worker import output

# The module alone, as importing the whole package takes seconds.
HEAD = f"""
import os, sys, threading
sys.path.insert(0, {str(Path(output.__file__).parent)!r})
from output import captured, unbuffer
unbuffer()
one, two = (open(name, "ab+") for name in ("one", "two"))
"""


def run_script(directory: Path, body: str) -> tuple[str, ...]:
    """What the process printed, and what is in the two files."""
    result = subprocess.run(
        [sys.executable, "-c", HEAD + body],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    files = ((directory / name).read_text() for name in ("one", "two"))
    return (result.stdout + result.stderr, *files)


def test_everything_goes_to_the_file_meanwhile(tmp_path: Path) -> None:
    body = """
print("before")
with captured(one.fileno()):
    print("printed")
    print("complained", file=sys.stderr)
    os.write(1, b"by compiled code\\n")
    os.system("echo by a child")
print("after")
"""
    seen, captured, _ = run_script(tmp_path, body)
    assert seen == "before\nafter\n"
    assert captured == "printed\ncomplained\nby compiled code\nby a child\n"


def test_it_is_kept_without_a_line_end_when_the_process_is_killed(tmp_path: Path) -> None:
    body = "with captured(one.fileno()): print('last', end=' '); print('words', end=''); os.abort()"
    assert run_script(tmp_path, body)[1] == "last words"


def test_of_several_threads_the_latest_gets_it(tmp_path: Path) -> None:
    body = """
def second():
    with captured(two.fileno()):
        print("second")
        begun.set()
        over.wait()
    print("first again")

begun, over = threading.Event(), threading.Event()
thread = threading.Thread(target=second)
with captured(one.fileno()):
    print("first")
    thread.start()
    begun.wait()
    print("still second")
    over.set()
    thread.join()
print("nobody")
"""
    assert run_script(tmp_path, body) == (
        "nobody\n",
        "first\nfirst again\n",
        "second\nstill second\n",
    )
