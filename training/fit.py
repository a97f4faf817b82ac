"""The loop that trains a sample network, and how its weights are kept."""

import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

# One crop: the image, shape (1, z, y, x), and what the loss compares it with.
Example = tuple[Tensor, ...]


def fit(
    net: nn.Module,
    examples: Iterator[Example],
    loss_of: Callable[..., Tensor],
    iterations: int,
    output: Path,
    *,
    settled: float = 1.0,
) -> None:
    """Train with AdamW under one cycle of the learning rate; write the weights now and then.

    After the share ``settled`` of the steps, the batch statistics are those that the network will
    have for good: those of single crops tell it the contrast, which a prediction by blocks must
    not know.
    """
    net.to(memory_format=torch.channels_last_3d)
    optimizer = torch.optim.AdamW(net.parameters(), weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 4e-3, total_steps=iterations, pct_start=0.1
    )
    began, losses = time.monotonic(), []
    for step, example in enumerate(itertools.islice(examples, iterations), start=1):
        if step > settled * iterations:
            net.eval()
        image, *targets = (part[None] for part in example)
        loss = loss_of(net(image.to(memory_format=torch.channels_last_3d)), *targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        if step % 50 == 0 or step == iterations:
            pace = (time.monotonic() - began) / step
            print(f"{step}: loss {np.mean(losses[-50:]):.4f}, {pace:.2f} s a step", flush=True)
            save(net, output)


def save(net: nn.Module, output: Path) -> None:
    """Write a state dict in half precision."""
    weights = {k: v.half() if v.is_floating_point() else v for k, v in net.state_dict().items()}
    output.parent.mkdir(parents=True, exist_ok=True)
    torch.save(weights, output)
