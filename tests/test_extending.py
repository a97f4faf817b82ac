"""What docs/extending.md adds from outside the package works as it stands there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from distributed import Client
from scipy.ndimage import distance_transform_edt, gaussian_filter, label

import dask_blockwise as dbw
from dask_blockwise.storage.formats import unregister

TEXT = Path(__file__).parents[1].joinpath("docs/extending.md").read_text()
GREY = (255 * np.random.default_rng(0).random((12, 20, 22))).astype(np.uint8)
MASK = (gaussian_filter(GREY.astype(float), 1.2) > 128).astype(np.uint8)


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory, client: Client) -> dict[str, Any]:
    """What the examples define, after all of them ran on worker processes."""
    folder = tmp_path_factory.mktemp("extending")
    blocks = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    names: dict[str, Any] = {"__name__": "__main__"}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        dbw.Volume.from_array(MASK, chunks=(6, 10, 11)).to_zarr("in.zarr/mask", progress=False)
        Path("scan").mkdir()
        header = {"shape": GREY.shape, "dtype": "u1", "voxel_size": [40, 4, 4]}
        Path("scan/header.json").write_text(json.dumps(header))
        Path("scan/voxels.raw").write_bytes(GREY.tobytes())
        try:
            for block in blocks:
                exec(block, names)
        finally:
            unregister("raw")
        stored = ("distances", "objects", "bright")
        return names | {f"stored {name}": dbw.open_volume(f"out.zarr/{name}")[:] for name in stored}


def test_a_source_gives_what_scipy_gives_of_the_whole(names: dict[str, Any]) -> None:
    whole = distance_transform_edt(MASK).clip(max=8)
    np.testing.assert_allclose(names["stored distances"], whole)
    np.testing.assert_allclose(names["distances"][3:9, :, 5:6], whole[3:9, :, 5:6])
    plan = names["distances"].plan()
    assert plan.read_bytes > MASK.size
    assert "<Distances (12, 20, 22) float32 zyx" in repr(names["distances"])


def test_a_rule_joins_what_it_says(names: dict[str, Any]) -> None:
    found = names["stored objects"]
    np.testing.assert_array_equal(found > 0, MASK > 0)
    touching = label(MASK)[1]
    by_touch = dbw.relabel(names["pieces"], match="touch").data.max().compute()
    least_one = names["MatchRule"](names["ByContact"](least=1))
    same = dbw.relabel(names["pieces"], match=least_one).data.compute()
    assert by_touch == same.max() == touching < found.max()


def test_a_format_is_read_by_workers(names: dict[str, Any]) -> None:
    np.testing.assert_array_equal(names["stored bright"], GREY > 100)
    assert names["bright"].voxel_size == (40, 4, 4)


def test_a_network_takes_a_normalisation(names: dict[str, Any]) -> None:
    net = torch.nn.Conv3d(1, 1, 1, bias=False)
    torch.nn.init.ones_(net.weight)
    volume = dbw.Volume.from_array(GREY)
    options = {"normalize": names["Clipped"](50, 100), "output_dtype": "float32"}
    prediction = dbw.predict(volume, net, **options)[:]
    expected = ((GREY[None].astype(np.float32) - 50) / 50).clip(0, 1)
    np.testing.assert_allclose(prediction, expected, rtol=1e-6)
