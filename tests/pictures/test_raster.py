"""What is drawn into images."""

import numpy as np
import pytest

from dask_blockwise.pictures.raster import with_bar

DARK = np.zeros((40, 80, 3), np.uint8)


@pytest.mark.parametrize(
    ("caption", "drawn"), [("2 µm", "2 um"), ("3 Å", "3 ?"), ("500 nm", "500 nm")]
)
def test_captions_have_no_boxes_in_place_of_letters(caption: str, drawn: str) -> None:
    np.testing.assert_array_equal(with_bar(DARK, 30, caption), with_bar(DARK, 30, drawn))
    assert (with_bar(DARK, 30, caption) != with_bar(DARK, 30, "\u0378")).any()


def test_a_bar_is_as_long_as_is_said() -> None:
    row = with_bar(DARK, 30, "")[-10]
    assert (row == 255).all(axis=1).sum() == 30
