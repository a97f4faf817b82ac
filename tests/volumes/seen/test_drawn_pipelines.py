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
