"""Random networks of `benchmarks/networks.py`: equal to torch on the whole, or refused in words."""

import sys
import warnings
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import networks


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=15)
@given(st.integers(0, 10**6))
def test_random_networks_are_equal_or_refused(seed):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = networks.outcome(seed)
    assert not found.startswith(("different", "foreign")), found
