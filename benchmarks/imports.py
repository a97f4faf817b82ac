"""What ``import dask_blockwise`` takes, beside the libraries that it is built on.

    python benchmarks/imports.py [rounds]

Seconds of a core, in fresh processes, in turn; of each the best of some rounds, as other work on
the machine only adds. All is compiled beforehand, as installed packages are. The package imports
what it is asked for, so that its first use is measured too, and all public names at once.
"""

from __future__ import annotations

import os
import subprocess
import sys
from tempfile import TemporaryDirectory

BUILT_ON = "dask.array, zarr, distributed"
OURS = {
    "import dask_blockwise": "import dask_blockwise",
    "import dask_blockwise and its open_volume": "from dask_blockwise import open_volume",
    "import dask_blockwise and every public name": "from dask_blockwise import *",
}


def seconds(code: str, compiled: str) -> float:
    """What lines of imports take in a process of its own, whose byte code lies in a folder."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": compiled}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    timed = f"import time; begin = time.process_time()\n{code}\nprint(time.process_time() - begin)"
    command = [sys.executable, "-c", timed]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return float(done.stdout)


def main() -> None:
    """Measure, and print the ratios."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    codes = [f"import {BUILT_ON}", *OURS.values()]
    with TemporaryDirectory() as compiled:
        for code in codes:
            seconds(code, compiled)
        times = [[seconds(code, compiled) for code in codes] for _ in range(rounds)]
    theirs, *ours = map(min, zip(*times))
    print(f"import {BUILT_ON}: {theirs:.2f} s")
    for title, took in zip(OURS, ours):
        print(f"{title}: {took:.2f} s, {took / theirs:.2f} times that")


if __name__ == "__main__":
    main()
