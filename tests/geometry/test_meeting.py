"""Which voxels meet: exact of whole numbers, and by what floats were meant to be."""

from fractions import Fraction
from math import ceil, floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dask_blockwise import Volume
from dask_blockwise.geometry.meeting import Meeting, meetings
from dask_blockwise.geometry.placement import Placement, placement_of

# Such as microscopes are found to have; all of their digits make no simple fraction.
MEASURED = [0.12756971653115998, 0.12345678901234567, 3.141592653589793]


def place(size, offset, unit="nanometer"):
    return Placement(("x",), (size,), (offset,), unit)


@given(
    *(st.integers(1, 10**9) for _ in range(2)),
    *(st.integers(-(10**12), 10**12) for _ in range(2)),
    st.integers(0, 10**6),
)
def test_voxels_of_whole_sizes_meet_those_that_they_overlap(size, wide, begin, other, number):
    (found,) = meetings(place(size, begin), place(wide, other))
    first, stop = found.of(np.array([number, number + 1]))
    low = Fraction(begin + number * size - other, wide)
    assert first[0] == floor(low)
    assert stop[0] == ceil(low + Fraction(size, wide))


@pytest.mark.parametrize("times", [2, 3, 7, 8, 64])
@pytest.mark.parametrize("size", MEASURED)
def test_a_multiple_that_was_rounded_is_one(size, times):
    fine = placement_of(("x",), (size,), (5 * size,), "um")
    coarse = placement_of(("x",), (times * size,), (3 * size,), "um")
    assert meetings(fine, coarse) == (Meeting(step=1, away=2, wide=times),)


@pytest.mark.parametrize("size", MEASURED)
def test_sizes_of_many_digits_don_t_leave_64_bits(size):
    one, other = (placement_of(("x",), (n,), unit="um") for n in (size, size * 2**0.5))
    first, stop = meetings(one, other)[0].of(np.arange(100_001))
    # Of no two edges that are as near as floats are precise.
    edges = np.arange(100_001) / 2**0.5
    assert np.array_equal(first, np.floor(edges[:-1]))
    assert np.array_equal(stop, np.ceil(edges[1:]))


@pytest.mark.parametrize("size", MEASURED)
def test_a_coarse_mask_of_measured_voxels_doesn_t_grow(size):
    volume = Volume.from_array(np.ones((1, 8000), np.uint8), voxel_size=(1, size), unit="um")
    mask = (np.arange(1000) % 2).astype(np.uint8)[None]
    coarse = Volume.from_array(mask, voxel_size=(1, 8 * size), unit="um")
    assert np.array_equal(volume.masked(coarse)[:], mask.repeat(8, 1))
