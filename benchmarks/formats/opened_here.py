"""What other tools write, opened here: a row for each."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import dask_blockwise as dbw

from .environments import HERE, python_of
from .known import OFFSET, SHAPE, UNIT, VOXEL_SIZE, coarse, labels, padded, values

__all__ = ["HEAD", "NAMES", "row_of"]

HEAD = ("written by", "opens", "shape", "values", "world")
_NOWHERE = (0.0, 0.0, 0.0)
# By writer: the environment that has it, and what it can't say of the place.
NAMES: dict[str, tuple[str, dict[str, Any]]] = {
    "cloud-volume, raw": ("cloud-volume", {}),
    "cloud-volume, not compressed": ("cloud-volume", {}),
    "cloud-volume, labels": ("cloud-volume", {"values": labels}),
    "cloud-volume, sharded labels": (
        "cloud-volume",
        {"values": padded, "shape": padded().shape, "voxel_size": (40.0, 8.0, 4.0),
         "offset": _NOWHERE},
    ),
    "cloud-volume, second mip, by its key": (
        "cloud-volume",
        {"values": coarse, "shape": coarse().shape, "voxel_size": (40.0, 16.0, 8.0),
         "offset": _NOWHERE},
    ),
    "z5py, N5": ("z5py", {}),
    "z5py, N5 as n5-viewer has it": ("z5py", {"offset": _NOWHERE}),
    "z5py, N5 as Paintera has it": ("z5py", {"unit": None}),
    "z5py, zarr": ("z5py", {}),
    "ngff-zarr, 0.4": ("ngff-zarr", {}),
    "ngff-zarr, 0.5": ("ngff-zarr", {}),
    "ngff-zarr, 0.6": ("ngff-zarr", {}),
    "ngff-zarr, 0.5 in .ozx": ("ngff-zarr", {}),
    "ome-zarr-py, 0.4": ("ome-zarr-py", {}),
    "ome-zarr-py, 0.5": ("ome-zarr-py", {}),
    "ome-zarr-py, 0.5, labels": ("ome-zarr-py", {"values": labels}),
    "ome-zarr-py, 0.4, field of a plate": ("ome-zarr-py", {}),
    "iohub, TCZYX": (
        "iohub",
        {"shape": (1, 1, *SHAPE), "voxel_size": (1.0, *VOXEL_SIZE), "offset": (0.0, *OFFSET),
         "unit": None},
    ),
    "funlib.persistence": ("funlib.persistence", {"voxel_size": (40.0, 8.0, 4.0)}),
    "bioio-ome-zarr": ("bioio-ome-zarr", {"offset": _NOWHERE}),
    "zarr 2, nested": ("zarr 2", {}),
    "zarr 2, N5 store": ("zarr 2", {"unit": None}),
    "zarr 2, zip store, delta and lzma": ("zarr 2", {}),
    "zarr 3, sharded": (HERE, {}),
    "tifffile, OME-TIFF": (HERE, {"offset": _NOWHERE}),
    "h5py": (HERE, {}),
}  # fmt: skip


def row_of(name: str, environments: Path) -> tuple[str, ...]:
    """Name, and whether it opens with the right shape, values and world; or what goes wrong."""
    environment, known = NAMES[name]
    with tempfile.TemporaryDirectory() as folder:
        try:
            path = _written(name, python_of(environment, environments), folder)
        except RuntimeError as error:
            return name, f"not tried: {error}", "", "", ""
        try:
            volume = dbw.open_volume(path)
            read = volume[:]
        except (OSError, ValueError) as error:
            return name, f"refused: {error}".replace(folder, ""), "", "", ""
    shape = known.get("shape", SHAPE)
    expected = known.get("values", values)().reshape(shape)
    same = "yes" if np.array_equal(read, expected) else "no"
    right = "yes" if volume.shape == shape else f"no: {volume.shape}"
    return name, "yes", right, same, _world(volume, known)


def _world(volume: dbw.Volume, known: dict[str, Any]) -> str:
    """ "yes", or what it says and should."""
    place = volume.placement
    unit = known.get("unit", UNIT)
    expected = (known.get("voxel_size", VOXEL_SIZE), known.get("offset", OFFSET), unit or "")
    found = (
        tuple(map(float, place.written_size)),
        tuple(map(float, place.written_offset)),
        place.as_written[-1].unit,
    )
    if unit is None:
        found = (*found[:2], "")
    return "yes" if found == expected else f"no: {found} for {expected}"


def _written(name: str, python: str, folder: str) -> str:
    """What is to be opened.

    Raises
    ------
    RuntimeError
        If the tool doesn't write it.
    """
    script = Path(__file__).with_name("written_by.py")
    command = [python, "-W", "ignore", str(script), name, folder]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    path: str = json.loads(done.stdout.splitlines()[-1])["path"]
    return path
