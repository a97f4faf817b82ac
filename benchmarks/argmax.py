"""What the class of each voxel costs in memory on one core, beside numpy.argmax.

python benchmarks/argmax.py [voxels along each axis]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from dask_blockwise.prediction.argmax import argmax_channels

CHANNELS, ROUNDS = 8, 5


def seconds(run: Callable[[], Any]) -> float:
    """What a call takes."""
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


def main() -> None:
    """Measure, and print the ratio."""
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 256
    values = np.random.default_rng(0).random((CHANNELS, *(size,) * 3), np.float32)
    assert np.array_equal(argmax_channels(values), values.argmax(0))
    ways = (lambda: argmax_channels(values)), (lambda: values.argmax(0))
    ours, theirs = np.min([[seconds(run) for run in ways] for _ in range(ROUNDS)], axis=0)
    print(f"argmax of {CHANNELS} x {size}^3 float32: {ours:.3f} s")
    print(f"    {theirs / ours:5.2f} times as fast as numpy.argmax ({theirs:.3f} s)")


if __name__ == "__main__":
    main()
