"""An output whose metadata somebody edited is not what was stored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dask_blockwise as dbw
from dask_blockwise import Volume

GREY = np.arange(16**3, dtype="u2").reshape(16, 16, 16)


def scaled(metadata: str) -> str:
    document = json.loads(metadata)
    (dataset,) = document["attributes"]["ome"]["multiscales"][0]["datasets"]
    for transform in dataset["coordinateTransformations"]:
        transform[transform["type"]] = [9.0, 9.0, 9.0]
    return json.dumps(document)


EDITS = {
    "unit": lambda metadata: metadata.replace("nanometer", "micrometer"),
    "scale and translation": scaled,
}


@pytest.mark.parametrize("name", EDITS)
def test_one_that_lies_elsewhere_by_now(name: str, near: Any, tmp_path: Path) -> None:
    path, options = tmp_path / "a.zarr/grey", {"client": near, "progress": False}
    volume = Volume.from_array(GREY, (4, 4, 5), (8, 0, 5), unit="nm") + 1
    volume.to_zarr(path, block_shape=(8, 8, 8), **options)
    assert not dbw.status(path).problems
    document = path / "zarr.json"
    document.write_text(EDITS[name](document.read_text()))
    assert dbw.open_volume(path).placement != volume.placement

    assert "metadata were edited" in str(dbw.status(path))
    with pytest.raises(dbw.OutputChanged, match="metadata were edited"):
        volume.to_zarr(path, block_shape=(8, 8, 8), **options)
    volume.to_zarr(path, block_shape=(8, 8, 8), on_change="redo", **options)
    stored = dbw.open_volume(path)
    np.testing.assert_array_equal(stored[:], GREY + 1)
    assert (stored.roi, stored.unit) == (volume.roi, volume.unit)
    assert not dbw.status(path).problems


@pytest.mark.parametrize("size", [(4, 4, 5), (5.24, 1 / 3, 0.5)], ids=["whole", "fractions"])
@pytest.mark.parametrize("unit", ["nm", "um", ""], ids=["nm", "um", "none"])
def test_one_that_nobody_edited(size: Any, unit: str, near: Any, tmp_path: Path) -> None:
    volume = Volume.from_array(GREY, size, np.multiply(size, 2), unit=unit) + 1
    blocks = {"client": near, "progress": False, "block_shape": (16, 16, 16)}
    for _ in range(2):
        volume.to_zarr(tmp_path / "a.zarr/grey", zarr_format=2, pyramid=1, **blocks)
        if unit:
            volume.to_precomputed(tmp_path / "grey.pre", **blocks)
