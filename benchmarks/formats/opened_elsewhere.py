"""What is written here, opened by other tools: a row for each."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from distributed import Client

import dask_blockwise as dbw

from .environments import HERE, python_of
from .known import OFFSET, UNIT, VOXEL_SIZE, labels, values

__all__ = ["HEAD", "NAMES", "row_of", "write_all"]

HEAD = ("opened by", "opens", "values", "world")
# By reader: the environment that has it, and what it should say otherwise.
NAMES: dict[str, tuple[str, dict[str, Any]]] = {
    "zarr 2": ("zarr 2", {}),
    "zarr 3, sharded": (HERE, {}),
    "TensorStore, zarr3": (HERE, {}),
    "TensorStore, precomputed": (HERE, {}),
    "ome-zarr-py, 0.4": ("ome-zarr-py", {}),
    "ome-zarr-py, 0.5": ("ome-zarr-py", {}),
    "ngff-zarr with validation, 0.4": ("ngff-zarr", {}),
    "ngff-zarr with validation, 0.5": ("ngff-zarr", {}),
    "napari-ome-zarr, 0.5": ("ome-zarr-py", {}),
    "napari-ome-zarr, labels of 0.4": ("ome-zarr-py", {}),
    "cloud-volume, raw, sharded": ("cloud-volume", {}),
    "cloud-volume, raw, a file a chunk": ("cloud-volume", {}),
    "cloud-volume, labels, compressed_segmentation": ("cloud-volume", {}),
    "cloud-volume, labels, second mip": ("cloud-volume", {"voxel_size": [40.0, 16.0, 9.0]}),
    "funlib.persistence, zarr 3": ("funlib.persistence", {"voxel_size": [40.0, 8.0, 4.0],
                                                          "offset": [80.0, -16.0, 8.0]}),
    "xarray, zarr 3, without levels": ("xarray", {}),
    "xarray, zarr 3, with drop_variables for all levels but one": ("xarray", {}),
    "z5py, zarr 2": ("z5py", {}),
    "iohub, 0.4": ("iohub", {}),
}  # fmt: skip


def write_all(folder: Path) -> None:
    """Everything that is read."""
    how: dict[str, Any] = {"progress": False, "block_shape": (8, 8, 16)}
    place = {"voxel_size": VOXEL_SIZE, "offset": OFFSET, "unit": UNIT}
    raw = dbw.Volume.from_array(values(), **place)
    cells = dbw.Volume.from_array(labels(), **place)
    whole = dbw.Volume.from_array(values(), (40, 8, 4), (80, -16, 8), unit=UNIT)
    with Client(processes=False, n_workers=1, threads_per_worker=2, dashboard_address=":0"):
        raw.to_zarr(folder / "zarr2.zarr/raw", zarr_format=2, **how)
        raw.to_zarr(folder / "zarr3.zarr/raw", pyramid=True, **how)
        whole.to_zarr(folder / "whole.zarr/raw", **how)
        raw.to_zarr(folder / "labelled.zarr/raw", zarr_format=2, **how)
        cells.to_zarr(folder / "labelled.zarr/raw/labels/cells", **how)
        raw.to_precomputed(folder / "raw", **how)
        raw.to_precomputed(folder / "unsharded", sharded=False, **how)
        cells.to_precomputed(folder / "cells", pyramid=[(1, 2, 2)], **how)


def row_of(name: str, folder: Path, environments: Path) -> tuple[str, ...]:
    """Name, and whether it opens with the right values and world; or what goes wrong."""
    environment, known = NAMES[name]
    script = Path(__file__).with_name("read_by.py")
    try:
        python = python_of(environment, environments)
    except RuntimeError as error:
        return name, f"not tried: {error}", "", ""
    command = [python, "-W", "ignore", str(script), name, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return name, f"no: {done.stderr.strip().splitlines()[-1]}".replace(str(folder), ""), "", ""
    found = json.loads(done.stdout.splitlines()[-1])
    return name, "yes", "yes" if found["same"] else f"no: {found['shape']}", _world(found, known)


def _world(found: dict[str, Any], known: dict[str, Any]) -> str:
    """ "yes", "not asked" of what a tool doesn't say, or what it says and should."""
    expected = {"voxel_size": list(VOXEL_SIZE), "offset": list(OFFSET), "unit": UNIT} | known
    said = {part: found[part] for part in expected if part in found}
    if not said:
        return "it reads none"
    wrong = {part: value for part, value in said.items() if value != expected[part]}
    wrong.pop("unit", None) if str(wrong.get("unit", "")) in ("nm", UNIT) else None
    if wrong:
        return "no: " + ", ".join(f"{k} {v} for {expected[k]}" for k, v in wrong.items())
    return "yes" if len(said) == len(expected) else f"yes ({' and '.join(said)})".replace("_", " ")
