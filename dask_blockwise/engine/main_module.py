"""The script that runs, which processes that it starts look at as they begin."""

from __future__ import annotations

import sys
import traceback

__all__ = ["forget_stdin", "refuse_while_importing"]


def refuse_while_importing() -> None:
    """A script without a main guard would start a cluster again in every worker it starts."""
    # What multiprocessing calls the script's module in a process that it starts.
    script = "__mp_main__"
    frames = (frame for frame, _ in traceback.walk_stack(None))
    if any(
        f.f_code.co_name == "<module>" and f.f_globals.get("__name__") == script for f in frames
    ):
        raise RuntimeError(
            "A worker process imported this script, and the script began to run things as it was "
            "imported. Put that part of it under `if __name__ == '__main__':`."
        )


def forget_stdin() -> None:
    """Of a script that Python reads from stdin there is no file, which new processes look for."""
    main = sys.modules["__main__"]
    if getattr(main, "__file__", None) == "<stdin>":
        del main.__file__
