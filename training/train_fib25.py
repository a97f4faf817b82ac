"""Train the affinity network of the fib25 sample on z < 160 of fib25/raw.tif.

    python training/train_fib25.py --data DIR --output dask_blockwise/networks/fib25.pt

The volume's z >= 160 is never read, so that scores there are of unseen data.
"""

import argparse
import itertools
import time
from pathlib import Path

import numpy as np
import tifffile
import torch
from numpy.typing import NDArray
from torch import Tensor

from dask_blockwise.unet import UNet

OFFSETS = [
    *[(-1, 0, 0), (0, -1, 0), (0, 0, -1)],
    *[(-3, 0, 0), (0, -3, 0), (0, 0, -3)],
    *[(-9, 0, 0), (0, -9, 0), (0, 0, -9)],
]
TRAINED_BELOW_Z = 160
FEATURES = (8, 32, 96)
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


def augmented(
    raw: NDArray[np.float32], labels: NDArray[np.int64], rng: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """A random crop under a random symmetry of the cube, contrast, brightness and noise."""
    size = CROP + MARGIN
    start = [int(rng.integers(0, n - size + 1)) for n in raw.shape]
    where = tuple(slice(s, s + size) for s in start)
    turn = tuple(int(a) for a in rng.permutation(3))
    flip = [a for a in range(3) if rng.random() < 0.5]
    image = np.flip(raw[where].transpose(turn), flip)
    image = (image - 0.5) * rng.uniform(0.75, 1.3) + 0.5 + rng.uniform(-0.12, 0.12)
    image = image + rng.normal(0, rng.uniform(0, 0.04), image.shape)
    same, known = affinities(np.flip(labels[where].transpose(turn), flip))
    image = image[MARGIN:, MARGIN:, MARGIN:]
    return torch.from_numpy(image.astype(np.float32))[None], same, known


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
    parser.add_argument("--data", type=Path, required=True, help="folder that holds fib25/")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--iterations", type=int, default=2500)
    arguments = parser.parse_args()
    raw = tifffile.imread(arguments.data / "fib25/raw.tif")[:TRAINED_BELOW_Z] / np.float32(255)
    labels = np.load(arguments.data / "fib25/labels.npz")["neurons"][:TRAINED_BELOW_Z]
    labels = labels.astype(np.int64)
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    net = UNet(1, len(OFFSETS), FEATURES).to(memory_format=torch.channels_last_3d)
    optimizer = torch.optim.AdamW(net.parameters(), weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 4e-3, total_steps=arguments.iterations, pct_start=0.1
    )
    began, losses = time.monotonic(), []
    for step in itertools.count(1):
        image, same, known = (t[None] for t in augmented(raw, labels, rng))
        loss = balanced_loss(net(image.to(memory_format=torch.channels_last_3d)), same, known)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        if step % 50 == 0:
            pace = (time.monotonic() - began) / step
            print(f"{step}: loss {np.mean(losses[-50:]):.4f}, {pace:.2f} s a step", flush=True)
        if step % 250 == 0 or step == arguments.iterations:
            weights = {
                k: v.half() if v.is_floating_point() else v for k, v in net.state_dict().items()
            }
            arguments.output.parent.mkdir(parents=True, exist_ok=True)
            torch.save(weights, arguments.output)
        if step == arguments.iterations:
            return


if __name__ == "__main__":
    main()
