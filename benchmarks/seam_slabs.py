"""Slabs that are segmented in one piece and by blocks: neurons, and nuclei under the microscope.

Neurons: affinities that a network predicts of the fib25 sample, as they are, with noise, and
blurred; and affinities simulated from a dense segmentation of other tissue, whose membranes are
blurred, noisy and have holes. Nuclei: two volumes of an ovule in light microscopy; how bright each
voxel is beside what lies around it, as it is, with noise, and blurred.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bioimage_cpp
import h5py
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

import dask_blockwise as dbw
from dask_blockwise.demo import samples

Bytes = NDArray[np.uint8]
Labels = NDArray[np.integer[Any]]

OFFSETS = samples.FIB25.channels
CHOSEN, SHOWN = ("0:50", "50:100"), ("100:150", "150:200")
OVULES = 1135, 1136
# Voxels are more than twice as long along z; a nucleus is some 24 wide.
FINE, WIDE = (0.5, 1, 1), (10, 20, 20)


@dataclass(frozen=True)
class Slab:
    """What is segmented of a part of a volume, and its objects."""

    name: str
    # Shape (channels, z, y, x); of nuclei there is one channel.
    values: Bytes
    truth: Labels


def neurons(folder: Path, seen: bool) -> Iterator[Slab]:
    """Slabs on which numbers were chosen, or those that nothing was chosen on."""
    for layers in CHOSEN if seen else SHOWN:
        yield from fib25(folder, layers)
    yield simulated(0 if seen else 1)


def affinities(folder: Path) -> dbw.Volume:
    """What the network predicts of the sample, made once."""
    data, path = samples.fib25(), folder / "fib25.zarr/affinities"
    if not path.exists():
        dbw.predict(data.raw, **data.network.options).to_zarr(path)
    return dbw.open_volume(path)


def fib25(folder: Path, layers: str) -> Iterator[Slab]:
    """A slab of the sample, with affinities of three qualities."""
    z = slice(*map(int, layers.split(":")))
    values, truth = affinities(folder)[:, z], samples.fib25().truth[z]
    yield Slab(f"fib25 {layers}", values, truth)
    yield Slab(f"fib25 {layers}, noise", noisy(values / 255, 1.5), truth)
    yield Slab(f"fib25 {layers}, blurred", blurred(values / 255, 2), truth)


def simulated(half: int) -> Slab:
    """Affinities as of membranes that are blurred, noisy and have holes, made of dense labels."""
    with np.load(data("connectomics_labels/labels_256.npz")) as arrays:
        whole = arrays["labels"]
    truth = np.ascontiguousarray(whole[:50, :, 128 * half : 128 * half + 128])
    clean, _ = bioimage_cpp.affinities.compute_affinities(truth.astype(np.uint64), OFFSETS)
    wide = np.stack([gaussian_filter(channel, 1) for channel in clean])
    holes = smooth_noise(truth.shape, 4, seed=1) > 2
    return Slab(f"simulated {half}", noisy(np.where(holes, wide.clip(0.8), wide), 1.0), truth)


def nuclei(seen: bool) -> Iterator[Slab]:
    """An ovule, with three qualities of how bright its voxels are: 0.5 is as what lies around."""
    name = OVULES[0 if seen else 1]
    with h5py.File(data(f"fluorescence/ovule_nuclei_{name}_100.h5")) as file:
        raw, truth = file["raw"][:].astype(np.float64), file["label"][:].astype(np.uint32)
    around = gaussian_filter(raw, WIDE)
    noise = 15 * smooth_noise(raw.shape, 1, seed=0)
    for quality, some, sigma in (
        ("", raw, FINE),
        (", noise", (raw + noise).clip(0), FINE),
        (", blurred", raw, tuple(3 * s for s in FINE)),
    ):
        smooth = gaussian_filter(some, sigma)
        yield Slab(f"ovule {name}{quality}", as_bytes(smooth / (smooth + around))[None], truth)


def data(name: str) -> Path:
    """A file of the folder of test data."""
    return Path(os.environ["DASK_BLOCKWISE_DATA"]) / name


def noisy(affinities: NDArray[np.floating[Any]], strength: float) -> Bytes:
    """With smooth noise on their logits, half of it common to all channels."""
    unit = affinities.clip(1e-3, 1 - 1e-3)
    logits = np.log(unit / (1 - unit))
    common = smooth_noise(unit.shape[1:], 2, seed=0)
    for n, channel in enumerate(logits, 1):
        channel += strength * (common + smooth_noise(unit.shape[1:], 1.5, seed=n))
    return as_bytes(1 / (1 + np.exp(-logits)))


def blurred(affinities: NDArray[np.floating[Any]], sigma: float) -> Bytes:
    """By a Gaussian of so many voxels."""
    return as_bytes(np.stack([gaussian_filter(channel, sigma) for channel in affinities]))


def smooth_noise(shape: Sequence[int], sigma: float, seed: int) -> NDArray[np.floating[Any]]:
    """Of deviation 1."""
    noise = np.random.default_rng(seed).standard_normal(shape)
    smooth: NDArray[np.floating[Any]] = gaussian_filter(noise, sigma)
    return smooth / smooth.std()


def as_bytes(unit: NDArray[np.floating[Any]]) -> Bytes:
    """In steps of 1/255."""
    return np.rint(255 * unit).clip(0, 255).astype(np.uint8)
