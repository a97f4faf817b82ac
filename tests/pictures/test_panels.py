from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from dask_blockwise.pictures.colours import colour_segments
from dask_blockwise.pictures.panels import Panel, save_panels


def test_each_segment_has_its_colour_and_background_stays_grey() -> None:
    segments = np.arange(64).reshape(8, 8)
    raw = np.full((8, 8), 102, np.uint8)
    colours = colour_segments(segments, raw).reshape(-1, 3)
    assert np.allclose(colours[0], 0.4)
    assert len(np.unique(colours.round(3), axis=0)) == 64
    assert 0 <= colours.min() <= colours.max() <= 1


def test_large_ids_are_coloured_too() -> None:
    segments = np.array([[2**40, 2**40 + 1]], np.uint64)
    one, other = colour_segments(segments, np.zeros((1, 2), np.uint8))[0]
    assert abs(one - other).max() > 0.1


def test_segments_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(2, 2\).*shape \(3, 2\).*same region"):
        colour_segments(np.zeros((2, 2), int), np.zeros((3, 2), np.uint8))


@pytest.mark.parametrize("panels", [1, 3])
def test_png_shows_the_panels_side_by_side(tmp_path: Path, panels: int) -> None:
    image = np.zeros((50, 100))
    image[:, 50:] = 1
    path = save_panels(
        tmp_path / "picture.png", [Panel("half", image)] * panels, scale_bar=(20, "2 µm")
    )
    pixels = imread(path)
    assert pixels.shape[1] == 640 * panels
    middle = pixels[pixels.shape[0] // 2, :, 0]
    dark, bright = (middle < 0.1).mean(), (middle > 0.9).mean()
    assert dark == pytest.approx(0.5, abs=0.05)
    assert bright == pytest.approx(0.5, abs=0.05)
