"""A seed of chaos: drivers and workers are killed, blocks hang and crash; segments are right."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.chaos
@pytest.mark.timeout(900)
@pytest.mark.skipif(
    "DASK_BLOCKWISE_CHAOS" not in os.environ,
    reason="DASK_BLOCKWISE_CHAOS is not set; .ci/run runs a seed by itself",
)
def test_segments_are_those_of_a_quiet_run_whatever_is_killed():
    command = [sys.executable, "-m", "benchmarks.chaos", "--small", "--seed", "9"]
    ran = subprocess.run(
        command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "2 driver killed" in ran.stdout
    assert "1 seeds, 0 wrong" in ran.stdout
