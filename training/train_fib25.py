"""Train the affinity network of the fib25 sample on z < 160 of fib25/raw.tif.

    python training/train_fib25.py --output dask_blockwise/networks/fib25.pt

The volume's z >= 160 is never read, so that scores there are of unseen data.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from fit import Example, fit
from numpy.typing import NDArray
from torch import Tensor

from dask_blockwise.demo.samples import FIB25, fib25
from dask_blockwise.demo.unet import UNet

OFFSETS = FIB25.channels
CROP = 64
MARGIN = 9


def affinities(labels: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
    """Affinity (1 inside an object) and the mask of known pairs, for every offset."""
    core = tuple(slice(MARGIN, n) for n in labels.shape)
    here = labels[core]
    pairs = [
        labels[tuple(slice(MARGIN + d, n + d) for d, n in zip(o, labels.shape, strict=True))]
        for o in OFFSETS
    ]
    same = np.stack([there == here for there in pairs]).astype(np.float32)
    known = np.stack([(there > 0) & (here > 0) for there in pairs]).astype(np.float32)
    return torch.from_numpy(same), torch.from_numpy(known)


def crops(raw: NDArray[np.float32], labels: NDArray[np.int64]) -> Iterator[Example]:
    """Random crops under random symmetries of the cube, contrast, brightness and noise."""
    rng, size = np.random.default_rng(0), CROP + MARGIN
    while True:
        start = [int(rng.integers(0, n - size + 1)) for n in raw.shape]
        where = tuple(slice(s, s + size) for s in start)
        turn = tuple(int(a) for a in rng.permutation(3))
        flip = [a for a in range(3) if rng.random() < 0.5]
        image = np.flip(raw[where].transpose(turn), flip)
        image = (image - 0.5) * rng.uniform(0.75, 1.3) + 0.5 + rng.uniform(-0.12, 0.12)
        image = image + rng.normal(0, rng.uniform(0, 0.04), image.shape)
        same, known = affinities(np.flip(labels[where].transpose(turn), flip))
        image = image[MARGIN:, MARGIN:, MARGIN:]
        yield torch.from_numpy(image.astype(np.float32))[None], same, known


def balanced_loss(logits: Tensor, same: Tensor, known: Tensor) -> Tensor:
    """Binary cross entropy in which, for each offset, cuts weigh as much as joins, up to 4:1."""
    axes = (0, 2, 3, 4)
    cuts = ((1 - same) * known).sum(axes, keepdim=True)
    joins = (same * known).sum(axes, keepdim=True)
    weight = torch.where(same > 0, torch.ones(()), (joins / (cuts + 1)).clamp(1, 4)) * known
    loss = torch.nn.functional.binary_cross_entropy_with_logits(
        logits, same, weight, reduction="sum"
    )
    return loss / weight.sum()


def main() -> None:
    """Train, and write the weights as a half-precision state dict."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--iterations", type=int, default=2500)
    arguments = parser.parse_args()
    medulla = fib25()
    below = slice(0, medulla.unseen.begin[0] // medulla.raw.voxel_size[0])
    raw, labels = medulla.raw[below] / np.float32(255), medulla.truth[below].astype(np.int64)
    torch.manual_seed(0)
    net = UNet(1, len(OFFSETS), FIB25.features)
    fit(net, crops(raw, labels), balanced_loss, arguments.iterations, arguments.output)


if __name__ == "__main__":
    main()
