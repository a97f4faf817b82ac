"""The code of pages that tell of single features runs as it stands there."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import neuroglancer
import numpy as np
import pytest
import torch
from distributed import Client
from torch import nn

import dask_blockwise as dbw

DOCS = Path(__file__).parents[1] / "docs"
OFFSETS = [(-1, 0, 0), (0, -1, 0), (0, 0, -1), (-4, 0, 0), (0, -4, 0), (0, 0, -4)]
# Cubes of 8 voxels an edge, and bars of three cubes.
Z, Y, X = np.indices((16, 48, 48)) // 8
CUBES = (1 + X + 10 * Y + 100 * Z).astype(np.uint32)
BARS = (1 + X // 3 + 10 * Y + 100 * Z).astype(np.uint32)
torch.set_num_threads(1)


def stored(path: str, array: np.ndarray[Any, Any], **options: Any) -> dbw.Volume:
    space = {"voxel_size": (10, 10, 10), "unit": "nanometer"}
    chunks = (*array.shape[:-3], 16, 24, 24)
    volume = dbw.Volume.from_array(array, **space, chunks=chunks)
    volume.to_zarr(path, progress=False, **options)
    return dbw.open_volume(path)


def affinities_of(labels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    axes = (0, 1, 2)
    same = [labels == np.roll(labels, [-step for step in offset], axes) for offset in OFFSETS]
    return np.stack(same).astype(np.float32)


@pytest.fixture
def names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, near: Client) -> dict[str, Any]:
    """What pages take for granted, in a folder that holds what they open."""
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.script(nn.Conv3d(1, len(OFFSETS), 3, padding=1)).save("unet.pt")
    grey = (40 + CUBES % 7 * 20).astype(np.uint8)
    of_cubes = stored("cubes.zarr", affinities_of(CUBES))
    fragments = dbw.watershed(of_cubes, offsets=OFFSETS, bias=0.5)
    return {
        "dbw": dbw,
        "OFFSETS": OFFSETS,
        "roi": dbw.Roi((0, 0, 0), (80, 240, 240)),
        "raw": stored("em.zarr/raw", grey, pyramid=4),
        "truth": stored("truth.zarr", CUBES),
        "labels": stored("image.zarr/labels/cells", CUBES),
        "affinities": stored("bars.zarr", affinities_of(BARS)),
        "fragments": fragments,
        "segments": dbw.relabel(fragments),
        "coarse": dbw.open_volume("em.zarr/raw", level="s1"),
        "path": "labels.zarr",
        "network": nn.Conv3d(1, 2, 3, padding=1),
    }


def codes(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)


def test_handing_on(names: dict[str, Any]) -> None:
    scores, *rest = codes("handoff.md")
    names["segments"].to_zarr("out.zarr/segments", progress=False)
    exec(scores, names)
    assert names["found"].voi == 0
    for code in rest:
        exec(code.replace("out.zarr/segments", "out.zarr/agglomerated"), names)
    bars, mended = (dbw.open_volume(f"out.zarr/{name}")[:] for name in ("agglomerated", "mended"))
    split = mended > bars.max()
    assert np.unique(CUBES[split]).tolist() == [4, 6]  # the first and the third of block 1
    expected = bars.copy()
    for one, *others in (3, 7), (12, 15, 18):
        expected[np.isin(bars, others)] = one
    assert (mended == expected)[~split].all()
    assert Path("out.pre/mesh/info").exists()


def test_masks(names: dict[str, Any]) -> None:
    stages, rules = codes("masks.md")
    exec(stages, names)
    assert names["summary"]
    calls = re.findall(r"^labels.*?\)(?=\s*#)", rules, re.DOTALL | re.MULTILINE)
    assert len(calls) == 3
    for number, call in enumerate(calls):
        names["path"] = f"rule.zarr/{number}"
        exec(call, names)
        assert (dbw.open_volume(names["path"])[:] == CUBES).all()


def test_networks(names: dict[str, Any]) -> None:
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Conv3d(1, 4, 3, padding=1)

        def forward(self, grey: torch.Tensor) -> dict[str, torch.Tensor]:
            found = self.inner(grey)
            return {"affinities": found[:, :3], "distances": found[:, 3:]}

    blended, augmented, several = codes("networks.md")
    exec(blended, names)
    names |= {"network": nn.Sequential(nn.Conv3d(1, 2, 3, padding=1), nn.Sigmoid())}
    exec(augmented, names)
    names |= {"network": Both()}
    exec(several, names)
    assert dbw.open_volume("out.zarr/affinities").shape == (3, *CUBES.shape)
    assert dbw.open_volume("out.zarr/distances").shape == CUBES.shape


def test_outputs(names: dict[str, Any]) -> None:
    (colours,) = codes("outputs.md")
    exec(colours, names)
    assert "#ff8000" not in Path("image.zarr/labels/cells/zarr.json").read_text()
    assert "255" in Path("image.zarr/labels/cells/zarr.json").read_text()


def test_seeing(names: dict[str, Any]) -> None:
    section, viewers, reports = codes("seeing.md")
    names["raw"].to_zarr("fib25.zarr/raw", progress=False)
    exec(section, names)
    try:
        exec(viewers, names)
    finally:
        neuroglancer.stop()
    exec(reports, names)
    assert {path.name for path in Path().glob("*.*")} >= {"run.html", "run.json", "section.png"}
