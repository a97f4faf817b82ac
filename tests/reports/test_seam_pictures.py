"""Pictures of places where blocks show."""

import numpy as np
import pytest
from matplotlib.image import imread

from dask_blockwise.reports.seam_drawing import draw
from dask_blockwise.reports.seam_meets import Section

HALVES = np.repeat([[7, 7, 7, 9, 9, 9]], 6, 0)


@pytest.mark.parametrize("background", [False, True])
@pytest.mark.parametrize("again", [False, True])
def test_only_background_is_dark(tmp_path, background, again):
    labels = HALVES.copy()
    labels[:2] = 0 if background else 7
    section = Section(stored=labels, one_piece=labels if again else None, face=3)
    image = imread(draw(tmp_path / "a.png", "title", [("place", section)], {0: 1.0}))[..., :3]
    dark = np.abs(image - 40 / 255).max(-1) < 0.01
    assert (dark.sum() > 5000) == background


def test_ticks_of_a_section_have_the_unit_of_the_world():
    from dask_blockwise import Volume

    volume = Volume.from_array(
        np.zeros((4, 8, 8)), voxel_size=(0.4, 0.2, 0.2), unit="micrometer"
    ).show(axis="z")
    assert volume.axes[0].get_xlabel() == "x, nanometer"
    assert Volume.from_array(np.zeros((4, 8, 8))).show(axis="z").axes[0].get_ylabel() == "y"
