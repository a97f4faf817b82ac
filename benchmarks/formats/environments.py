"""Environments of other tools, each in a folder of its own, made once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

__all__ = ["HERE", "python_of"]

# The environment in which this runs.
HERE = ""
# What each needs; those that can't live together have environments of their own.
ENVIRONMENTS = {
    "cloud-volume": ["cloud-volume"],
    "z5py": ["z5py"],
    "ngff-zarr": ["ngff-zarr[validate]"],
    "ome-zarr-py": ["ome-zarr>=0.11", "napari-ome-zarr"],
    "iohub": ["iohub"],
    "funlib.persistence": ["funlib.persistence"],
    "bioio-ome-zarr": ["bioio-ome-zarr"],
    "zarr 2": ["zarr<3", "numcodecs<0.16"],
    "xarray": ["xarray", "zarr>=3"],
}


def python_of(environment: str, folder: Path) -> str:
    """The Python of an environment, which is made where it isn't there.

    Raises
    ------
    RuntimeError
        If what it needs can't be installed.
    """
    if environment == HERE:
        return sys.executable
    place = folder / environment.replace(" ", "-")
    python = place / "bin/python"
    if not (place / "ready").exists():
        install = [python, "-m", "pip", "install", "-q", *ENVIRONMENTS[environment]]
        for command in ([sys.executable, "-m", "venv", place], install):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                said = (done.stderr or done.stdout).strip().splitlines()[-1]
                raise RuntimeError(f"can't be installed: {said}")
        (place / "ready").touch()
    return str(python)
