"""Sorting many numbers, against numpy's sort."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dask_blockwise.segmentation.radix import sort_from


@given(
    st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 9), max_size=50),
    st.integers(0, 63),
)
def test_it_sorts_numbers_in_any_order(numbers: list[int], bit: int) -> None:
    given_numbers = np.array(numbers, np.uint64)
    assert sort_from(given_numbers.copy(), bit).tolist() == sorted(numbers)


@pytest.mark.parametrize("values", [1, 256, 2**32])
def test_it_sorts_what_is_in_order_below_a_bit(values: int) -> None:
    upper = np.random.default_rng(0).integers(0, values, 10_000, dtype=np.uint64)
    numbers = upper << np.uint64(32) | np.arange(upper.size, dtype=np.uint64)
    np.testing.assert_array_equal(sort_from(numbers.copy(), 32), np.sort(numbers))
