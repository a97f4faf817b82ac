"""What the boxes of a drawn pipeline say."""

import re

import numpy as np
import pytest

import dask_blockwise as dbw
from dask_blockwise.volumes.seen.pipeline import pipeline_svg

CHANNELS = dbw.Volume.from_array(np.zeros((3, 4, 4), np.float32), axes="cyx")
ONE = CHANNELS.isel(c=2)
CONV = {"in_channels": 1, "out_channels": 1, "kernel_size": 1}


def rather(block, sigma):
    return block


@pytest.mark.parametrize(
    ("volume", "called"),
    [
        (ONE, "isel(c=2)"),
        (dbw.threshold(ONE, 0.85), "threshold(value=0.85)"),
        (dbw.connected_components(ONE > 0), "connected_components"),
        (dbw.map_overlap(rather, ONE, sigma=3), "rather(sigma=3)"),
        (dbw.segment(ONE, rather, halo=1, sigma=3), "rather"),
        (ONE + 1, "add 1"),
        (ONE.downsample(2), "downsample(factors=2)"),
        (dbw.predict(ONE, "torch.nn:Conv2d", arguments=CONV, halo=0), "predict"),
        (ONE.checkpoint("out.zarr/one"), "checkpoint"),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_stages_are_named_as_they_are_called(volume: dbw.Volume, called: str) -> None:
    words = re.findall(r"<text[^>]*>([^<]*)", pipeline_svg(volume))
    assert called in words
    assert words[-1] == f"1 block of {' x '.join(map(str, volume.frame.block_shape))}"


def test_nothing_of_a_long_title_is_left_out_or_beyond_its_box() -> None:
    name = f"out.zarr/{'a_long_name_' * 5}"
    volume = dbw.threshold(ONE, 0.123456789).checkpoint(name)
    drawn = pipeline_svg(dbw.watershed(volume, seeds="distance", max_distance=7.5, min_size=3))
    words = re.findall(r"<text[^>]*>([^<]*)", drawn)
    assert name in "".join(words)
    assert "watershed(max_distance=7.5, min_size=3)" in " ".join(words)
    boxes = [
        tuple(map(float, at)) for at in re.findall(r'<rect x="(.*?)" .*? width="(.*?)"', drawn)
    ]
    for begin, text in re.findall(r'<text x="(.*?)"[^>]*>([^<]*)', drawn):
        ends = [left + width for left, width in boxes if left < float(begin) < left + width]
        assert float(begin) + 6 * len(text) < max(ends)


def test_a_line_over_others_goes_below_their_boxes() -> None:
    fragments = dbw.watershed(CHANNELS, offsets=[(-1, 0), (0, -1), (-2, 0)])
    drawn = pipeline_svg(dbw.agglomerate(fragments, CHANNELS, offsets=[(-1, 0), (0, -1), (-2, 0)]))
    bottoms = [
        float(top) + float(height)
        for top, height in re.findall(r'<rect x="[^"]*" y="(.*?)" [^>]*height="(.*?)"', drawn)
    ]
    curves = [
        [float(n) for n in re.findall(r"[\d.]+", path)]
        for path in re.findall(r'd="(M[^"]*C[^"]*)"', drawn)
    ]
    middles = [(one[1] + 3 * one[3] + 3 * one[5] + one[7]) / 8 for one in curves]
    assert max(middles) > max(bottoms)
    assert sum(middle > max(bottoms) for middle in middles) == 1
