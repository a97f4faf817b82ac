from fractions import Fraction

import pytest

from dask_blockwise.pictures.scale_bar import bar_of


@pytest.mark.parametrize(
    ("width", "unit", "length", "caption"),
    [
        (Fraction(2500), "nanometer", 500, "500 nm"),
        (Fraction(3000), "nanometer", 1000, "1 µm"),
        (Fraction(150), "micrometer", 50, "50 µm"),
        (Fraction(1, 2), "micrometer", Fraction(1, 10), "100 nm"),
        (Fraction(30), "angstrom", 10, "1 nm"),
        (Fraction(7), "", 2, "2"),
        (Fraction(7, 10), "furlong", Fraction(1, 5), "0.2 furlong"),
    ],
    ids=["nm", "next-unit", "micro", "finer-unit", "angstrom", "none", "unknown"],
)
def test_a_bar_is_round_and_at_most_a_third(
    width: Fraction, unit: str, length: Fraction, caption: str
) -> None:
    assert bar_of(width, unit) == (length, caption)
