"""What a module's text alone decides, and what it leaves to the machine."""

from __future__ import annotations

import pytest

from dask_blockwise.recipes.said import is_said

SOURCE = """
import os
import numpy as np
import torch
try:
    import cupy as xp
except ImportError:
    import numpy as xp
SIGMA = 2.0
SIGMAS = {"z": 2 * SIGMA, "y": [1, 2]}
KERNEL = np.ones((3, 3), np.float32) / 9
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
CORES = os.cpu_count()
SEEN = {}
MODEL = None
SIZE = 4
if CORES > 8:
    SIZE = 8
SELF = 1
SELF = SELF + 1
def f(x, sigma=SIGMA):
    global MODEL
    SEEN[x] = sigma
def g(x, device=DEVICE): return x
class Net:
    width = 3
    def run(self, n=SIZE): return n
class Plain:
    width = 3
    def run(self, n=2): return n
"""


@pytest.mark.parametrize("name", ["SIGMA", "SIGMAS", "KERNEL", "np", "f", "Plain", "Plain.run"])
def test_said(name: str) -> None:
    assert is_said(SOURCE, name, code_alone=False)


@pytest.mark.parametrize(
    "name", ["DEVICE", "CORES", "SEEN", "MODEL", "SIZE", "SELF", "xp", "g", "Net", "no", "Net.no"]
)
def test_left_open(name: str) -> None:
    assert not is_said(SOURCE, name, code_alone=False)


def test_code_is_said_where_values_are_not() -> None:
    assert is_said(SOURCE, "g", code_alone=True)
    assert not is_said(SOURCE, "xp", code_alone=True)
