"""What napari's reader of OME-Zarr gives of what is stored here."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dask_blockwise import Volume

napari_ome_zarr = pytest.importorskip("napari_ome_zarr", reason="needs napari-ome-zarr")

pytestmark = pytest.mark.filterwarnings("ignore")


def world(given: Any, voxel: list[int]) -> list[float]:
    """Where napari lays a voxel: by scale and translate, and then its affine."""
    own = np.multiply(voxel, given["scale"]) + given.get("translate", 0)
    affine = np.asarray(getattr(given.get("affine"), "affine_matrix", np.eye(len(voxel) + 1)))
    return list((affine @ [*own, 1])[:-1].round(9))


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_images_are_layers_at_their_place(tmp_path: Path, near: Any, zarr_format: int) -> None:
    raw = np.random.default_rng(0).integers(0, 256, (16, 32, 32)).astype(np.uint8)
    labels = (raw > 128).astype(np.uint32)
    place: Any = {"voxel_size": (0.4, 0.1, 0.1), "offset": (0.8, 0, 0.1), "unit": "micrometer"}
    path = tmp_path / "a.zarr/raw"
    options: Any = {"client": near, "progress": False, "zarr_format": zarr_format}
    Volume.from_array(raw, **place).to_zarr(path, pyramid=1, **options)
    Volume.from_array(labels, **place).to_zarr(path / "labels/cells", **options)
    layers = napari_ome_zarr.napari_get_reader(str(path))(str(path))
    found = {kind: (data, given) for data, given, kind in layers}
    assert {*found} == {"image", "labels"}
    for kind, array in ("image", raw), ("labels", labels):
        data, given = found[kind]
        finest = data[0] if isinstance(data, list | tuple) else data
        np.testing.assert_array_equal(np.asarray(finest), array)
        # Of 0.10 that leaves out translations, so that all begin at the origin.
        step = np.subtract(world(given, [1, 2, 3]), world(given, [0, 0, 0]))
        np.testing.assert_allclose(step, [0.4, 0.2, 0.3])
