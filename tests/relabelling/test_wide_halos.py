"""Nuclei from distance seeds, where blocks see as much around them as a nucleus is wide."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage.metrics import variation_of_information

import dask_blockwise as dbw
from dask_blockwise.segmentation.watershed import segment_function

SIGMA, WIDTH = 4.0, 24
OPTIONS = {"seeds": "distance", "bias": 0.5, "sigma": SIGMA, "fill": False}


@pytest.fixture(scope="module")
def bright(data: Path) -> np.ndarray:
    """How bright voxels of noisy nuclei are beside what lies around them."""
    with h5py.File(data / "fluorescence/ovule_nuclei_1136_100.h5") as file:
        raw = file["raw"][:].astype(np.float64)
    noise = gaussian_filter(np.random.default_rng(0).normal(size=raw.shape), 1)
    around = gaussian_filter(raw, (10, 20, 20))
    smooth = gaussian_filter((raw + 15 * noise / noise.std()).clip(0), (0.5, 1, 1))
    return np.asarray(smooth / (smooth + around) * 255).round().astype(np.uint8)


@pytest.mark.parametrize("block", [(50, 50, 50), (25, 50, 50)])
def test_nuclei_by_blocks_are_nearly_those_of_one_piece(
    bright: np.ndarray, block: tuple[int, ...]
) -> None:
    volume = dbw.Volume.from_array(bright, chunks=block, stands_for=(0, 1))
    halo = int(WIDTH + 2 * SIGMA)
    nuclei = dbw.relabel(dbw.watershed(volume, halo=halo, **OPTIONS))
    stored = np.asarray(nuclei.data.compute(scheduler="synchronous"))
    whole = segment_function(bright, **OPTIONS)
    assert sum(variation_of_information(whole, stored)) < 0.05
