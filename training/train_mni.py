"""Train the tissue network of the mni152 sample on the back half of the head.

    python training/train_mni.py --output dask_blockwise/networks/mni152.pt

The template is symmetric left to right, so it is split front to back: the front half is never
read, and the Dice that is printed at the end is of that half alone.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from fit import fit
from numpy.typing import NDArray
from torch import Tensor

from dask_blockwise.demo.samples import mni152
from dask_blockwise.demo.unet import UNet
from dask_blockwise.labels.scores import dice

CROP = 64


def crops(raw: NDArray[np.uint8], truth: NDArray[np.uint8]) -> Iterator[tuple[Tensor, Tensor]]:
    """Random crops around tissue, of random contrast, brightness and noise."""
    rng = np.random.default_rng(0)
    tissue = np.argwhere(truth)
    while True:
        centre = tissue[rng.integers(len(tissue))] + rng.integers(-CROP // 3, CROP // 3, 3)
        begin = np.clip(centre - CROP // 2, 0, np.array(raw.shape) - CROP)
        where = tuple(slice(b, b + CROP) for b in begin)
        flip = [a for a in range(3) if rng.random() < 0.5]
        image = np.flip(raw[where], flip) / np.float32(255)
        image = image ** rng.uniform(0.95, 1.05) * rng.uniform(0.95, 1.05)
        image = image + rng.normal(0, rng.uniform(0, 0.03), image.shape)
        classes = np.flip(truth[where], flip).astype(np.int64)
        yield torch.from_numpy(image.astype(np.float32))[None], torch.from_numpy(classes)


def loss_of(logits: Tensor, classes: Tensor) -> Tensor:
    """Cross entropy plus one minus the mean soft Dice of the tissues."""
    cross_entropy = torch.nn.functional.cross_entropy(logits, classes)
    probability = logits.softmax(1)
    one_hot = torch.nn.functional.one_hot(classes, logits.shape[1]).movedim(-1, 1)
    axes = (0, 2, 3, 4)
    shared = (probability * one_hot).sum(axes)
    soft_dice = (2 * shared + 1) / (probability.sum(axes) + one_hot.sum(axes) + 1)
    return cross_entropy + 1 - soft_dice[1:].mean()


@torch.inference_mode()
def predicted_classes(net: UNet, raw: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Predict a whole volume at once."""
    padding = [(0, -n % 4) for n in raw.shape]
    image = torch.from_numpy(np.pad(raw, padding) / np.float32(255))[None, None]
    classes = net.eval()(image)[0].argmax(0).numpy()
    return classes[tuple(slice(n) for n in raw.shape)]


def main() -> None:
    """Train, write the weights as a half-precision state dict, and score the unseen half."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--iterations", type=int, default=700)
    arguments = parser.parse_args()
    brain = mni152()
    raw, truth = (volume[volume.roi] for volume in (brain.raw, brain.truth))
    middle = brain.unseen.begin[1] - brain.raw.roi.begin[1]
    torch.manual_seed(0)
    net = UNet(1, len(brain.network.channels), brain.network.features)
    examples = crops(raw[:, :middle], truth[:, :middle])
    fit(net, examples, loss_of, arguments.iterations, arguments.output, settled=2 / 3)
    front = predicted_classes(net, raw)[:, middle:]
    for number, tissue in enumerate(brain.network.channels[1:], start=1):
        score = dice(truth[:, middle:] == number, front == number)
        print(f"Dice of {tissue} in the unseen half: {score:.3f}")


if __name__ == "__main__":
    main()
