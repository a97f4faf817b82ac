"""Sizes that floats stand for: the simplest within their precision, whatever they are."""

from fractions import Fraction
from math import ulp

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dask_blockwise.geometry.meant import meant
from dask_blockwise.geometry.placement import placement_of

POSITIVE = {"min_value": 0, "exclude_min": True, "allow_infinity": False}


@given(st.floats(**POSITIVE))
def test_a_float_stands_for_what_is_as_near_as_it_is_precise(value):
    slack = max(ulp(value), float(np.spacing(np.float32(min(value, 1e38)))) / 2)
    assert abs(meant(value) - Fraction(value)) <= Fraction(slack)
    assert meant(-value) == -meant(value)


# As a float, 73/9 has 15 digits alone.
@example(73, 9)
@given(st.integers(1, 200), st.integers(1, 12))
def test_simple_fractions_are_meant(numerator, denominator):
    size = Fraction(numerator, denominator)
    for value in (numerator / denominator, np.float32(size), float(np.float32(size))):
        assert meant(value) == size


@given(st.decimals("0.001", 9999, places=3))
def test_short_decimals_are_meant(number):
    assert meant(float(number)) == Fraction(number)


@given(st.decimals("0.00000000001", 999, places=11))
def test_long_decimals_are_meant(number):
    assert meant(float(number)) == Fraction(number)


@pytest.mark.parametrize("unit", ["angstrom", "nanometer", "micrometer", "second", "", "parsec"])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_every_size_opens(unit, kind):
    drawn = np.random.default_rng(0).uniform(1e-3, 100, (1000, 4)).astype(kind)
    axes = ("t", "y", "x") if unit == "second" else ("z", "y", "x")
    units = ("second", "nm", "nm") if unit == "second" else unit
    for size, *offset in drawn.tolist():
        place = placement_of(axes, (size, 2 * size, size), offset, units)
        assert place.voxel_size[1] / place.voxel_size[2] == pytest.approx(2, rel=1e-6)
        assert place.written_size == (size, 2 * size, size)
        assert place.written_offset == tuple(offset)


@pytest.mark.parametrize("size", [0, 0.0, -1, -0.5, float("nan"), float("inf"), "4", True, None])
def test_what_is_no_size_is_refused(size):
    with pytest.raises(ValueError, match=r"must be positive|finite numbers"):
        placement_of(("y", "x"), (size, 1.5))


@pytest.mark.parametrize("given", [4, "44", "4 nm", (4,), (4, 4, 4)])
def test_what_is_no_number_for_each_axis_is_refused(given):
    with pytest.raises(ValueError, match="one number for each of the axes"):
        placement_of(("y", "x"), given)


def test_numbers_are_told_as_people_write_them():
    for text in "8", "5.24", "1/3", "0.1":
        with pytest.raises(ValueError, match=rf"offset needs one .* got {text}, 2\.$"):
            placement_of(("z", "y", "x"), None, (Fraction(text), Fraction(2)))
        with pytest.raises(ValueError, match=rf"must be positive, got {text}, 0\.$"):
            placement_of(("y", "x"), (Fraction(text), Fraction(0)))


def test_levels_of_a_third_are_twice_as_large():
    fine, coarse = (placement_of("x", (size,), unit="um") for size in (13 / 120, 13 / 60))
    assert 2 * fine.voxel_size[0] == coarse.voxel_size[0]
    assert fine.unit == coarse.unit
