"""What the README, and pages that go on with it, say runs as it stands there."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import nn

import dask_blockwise as dbw
from dask_blockwise.volumes.volume import Volume

ROOT = Path(__file__).parents[1]
PAGES = "README.md", "docs/what_holds.md", "docs/seams.md"
OFFSETS = [(-1, 0, 0), (0, -1, 0), (0, 0, -1), (-4, 0, 0), (0, -4, 0), (0, 0, -4)]


def test_its_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, client: object) -> None:
    monkeypatch.chdir(tmp_path)
    noise = np.random.default_rng(0).random((48, 48, 48))
    smooth = gaussian_filter(noise, 5)
    raw = (255 * (smooth - smooth.min()) / np.ptp(smooth)).astype(np.uint8)
    Volume.from_array(raw, voxel_size=(10, 10, 10), unit="nanometer", chunks=(24, 48, 48)).to_zarr(
        "fib25.zarr/raw", progress=False
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.script(nn.Conv3d(1, len(OFFSETS), 3, padding=1)).save("unet.pt")
    names = {"OFFSETS": OFFSETS}
    text = "".join((ROOT / page).read_text() for page in PAGES)
    for example in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(example, names)
    stored = dbw.open_volume("fib25.zarr/segments")
    assert stored.shape == raw.shape
    assert sorted(names["table"].id) == np.unique(stored[:][stored[:] > 0]).tolist()
    assert {path.suffix for path in tmp_path.glob("fib25.zarr/segments.objects*")} == {
        ".csv",
        ".parquet",
    }
    assert (tmp_path / "seams.png").stat().st_size > 1000
