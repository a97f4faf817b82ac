"""What ``import dask_blockwise`` takes, beside the libraries that it is built on.

    python benchmarks/imports.py [rounds]

Fresh processes, in turn; of each the best of some rounds, as other work on the machine only adds.
"""

from __future__ import annotations

import subprocess
import sys

BUILT_ON = "dask.array, zarr, distributed"


def seconds(modules: str) -> float:
    """What an import takes in a process of its own."""
    code = f"import time; begin = time.perf_counter()\nimport {modules}\n"
    code += "print(time.perf_counter() - begin)"
    command = [sys.executable, "-c", code]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    """Measure, and print the ratio."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    pairs = [(seconds("dask_blockwise"), seconds(BUILT_ON)) for _ in range(rounds)]
    ours, theirs = map(min, zip(*pairs))
    print(f"import {BUILT_ON}: {theirs:.2f} s")
    print(f"import dask_blockwise: {ours:.2f} s, {ours / theirs:.2f} times that")


if __name__ == "__main__":
    main()
