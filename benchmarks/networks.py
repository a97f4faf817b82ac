"""Small random networks: prediction by blocks against torch on the whole.

Each is predicted in small blocks, and equals what torch makes of the whole volume, or is refused in
the package's own words. Anything else is printed with the seed that makes it again.

python benchmarks/networks.py [how many, 2000] [first seed, 0]
"""

import re
import sys
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

import dask_blockwise
from dask_blockwise import Volume, predict

PACKAGE = Path(dask_blockwise.__file__).parent
# Refusals are counted by what they say first, without its numbers.
WORDS = 9


class Apply(nn.Module):
    """A function of the values, and of their count of axes, as a layer."""

    def __init__(self, name, function):
        super().__init__()
        self.name, self.function = name, function

    def forward(self, x):
        return self.function(x)

    def extra_repr(self):
        return self.name


class Beside(nn.Module):
    """A layer, and its input beside it."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        y = self.layer(x)
        if y.ndim != x.ndim or y.shape[2:] != x.shape[2:]:
            return y
        return torch.cat([x.to(y.dtype), y], 1)


def one_hot(x):
    return functional.one_hot(x.argmax(1), x.shape[1]).movedim(-1, 1).float()


# What networks do to values, each at its own place; by name.
PLACEWISE = {
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "elu": functional.elu,
    "gate": lambda x: x * (x > 0.1),
    "step": lambda x: (x > 0).float(),
    "high step": lambda x: (x > 0.7).float(),
    "where": lambda x: torch.where(x > 0.2, x, -1.0),
    "within": lambda x: ((x > 0.3) & (x < 0.35)).float(),
    "nan_to_num": torch.nan_to_num,
    "clamp": lambda x: x.clamp(0, 1),
    "round": lambda x: (x * 3).round(),
    "argmax": lambda x: x.argmax(1, keepdim=True).float(),
    "one hot": one_hot,
    "softmax": lambda x: x.softmax(1),
    "rank": lambda x: x.sort(1).indices.float(),
    "mean of channels": lambda x: x.mean(1, keepdim=True),
}
# What a network may end in.
LAST = {
    "argmax": lambda x: x.argmax(1, keepdim=True),
    "squeezed argmax": lambda x: x.argmax(1),
    "squeezed": lambda x: x[:, 0],
    "squeezed altogether": torch.squeeze,
    "truth": lambda x: x > 0.1,
    "tuple": lambda x: (x, x),
    "bytes": lambda x: (x.sigmoid() * 255).to(torch.uint8),
}
# What depends on all of the input.
GLOBAL = {
    "minus mean": lambda x: x - x.mean(tuple(range(2, x.ndim)), keepdim=True),
    "over largest": lambda x: x / (1e-3 + x.abs().amax(tuple(range(2, x.ndim)), keepdim=True)),
    "gated by mean": lambda x: x * (x.mean() > 0.1),
    "position": lambda x: x + torch.linspace(0, 1, x.shape[-1]),
    "size": lambda x: x * x.shape[-1] / 50,
    "rolled": lambda x: x.roll(3, -1),
    "flipped": lambda x: x.flip(-1),
    "attention": lambda x: x * x.flatten(2).softmax(2).amax(2)[(..., *(None,) * (x.ndim - 2))],
}


def convolution(rng, axes):
    """A convolution of any size, padding, dilation and stride."""
    kind = nn.LazyConv2d if axes == 2 else nn.LazyConv3d
    channels = int(rng.integers(1, 4))
    what = rng.random()
    if what < 0.2:
        return kind(channels, 3, padding="same", dilation=int(rng.integers(2, 5)))
    if what < 0.35:
        return kind(channels, 3, stride=some(rng, axes, 3), padding=1)
    mode = str(rng.choice(["zeros", "reflect", "replicate", "circular"], p=[0.7, 0.1, 0.1, 0.1]))
    padding = "same" if rng.random() < 0.6 else 0
    return kind(channels, some(rng, axes, 5), padding=padding, padding_mode=mode)


def resampling(rng, axes):
    """Something that pools, averages or upsamples."""
    step, names = some(rng, axes, 3), ("MaxPool", "AvgPool")
    what = rng.random()
    if what < 0.5:
        pool = getattr(nn, f"{rng.choice(names)}{axes}d")
        return pool(step) if rng.random() < 0.5 else pool(3, 1, 1)
    factor = tuple(map(float, step))
    if what < 0.7:
        smooth = "bilinear" if axes == 2 else "trilinear"
        return nn.Upsample(scale_factor=factor, mode=smooth if rng.random() < 0.4 else "nearest")
    if what < 0.85:
        return getattr(nn, f"LazyConvTranspose{axes}d")(int(rng.integers(1, 4)), step, step)
    inner = getattr(nn, f"LazyConv{axes}d")(2, 3, padding=1)
    pool = getattr(nn, f"MaxPool{axes}d")(step)
    return nn.Sequential(pool, inner, nn.Upsample(scale_factor=factor))


def normalisation(rng, axes):
    """By numbers that were learned, or by those of the input."""
    if rng.random() < 0.2:
        return Apply("group norm", lambda x: functional.group_norm(x, 1))
    kind = rng.choice(["BatchNorm", "BatchNorm", "InstanceNorm"])
    return getattr(nn, f"Lazy{kind}{axes}d")()


def function(rng, axes):
    """What is done to each value, now and then with all of the input in view."""
    table = GLOBAL if rng.random() < 0.1 else PLACEWISE
    name = str(rng.choice(list(table)))
    return Apply(name, table[name])


def beside(rng, axes):
    """A layer, and its input beside it."""
    return Beside(layer(rng, axes))


def some(rng, axes, most):
    """A number below the most, for each axis."""
    return tuple(int(n) for n in rng.integers(1, most, axes))


LAYERS = (convolution, resampling, normalisation, function, beside)


def layer(rng, axes):
    """One layer of any kind, lazily of any number of channels."""
    made = LAYERS[rng.choice(len(LAYERS), p=[0.4, 0.2, 0.08, 0.26, 0.06])]
    return made(rng, axes)


def network(seed):
    """A network, the axes it has, and an image, for a seed."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    axes = 2 if rng.random() < 0.65 else 3
    layers = [layer(rng, axes) for _ in range(rng.integers(1, 6))]
    if rng.random() < 0.3:
        name = str(rng.choice(list(LAST)))
        layers.append(Apply(name, LAST[name]))
    shape = (rng.integers(40, 60), rng.integers(40, 60)) if axes == 2 else rng.integers(18, 30, 3)
    shape = (int(rng.integers(1, 3)), *map(int, shape))
    image = rng.random(shape, np.float32)
    if rng.random() < 0.5:
        image = np.round(image * 8) / 8
    return nn.Sequential(*layers), image, rng


def trained(net, image):
    """With channels that fit the image, and statistics and weights of any size."""
    with torch.no_grad():
        net.train()(torch.from_numpy(image)[None].repeat(2, *(1,) * image.ndim))
        for weight in net.parameters():
            weight.mul_(2)
    return net.eval()


def outcome(seed):
    """ "equal", "different: ...", or why it was refused."""
    net, image, rng = network(seed)
    try:
        net = trained(net, image)
        with torch.inference_mode():
            whole = net(torch.from_numpy(image)[None])
    except (RuntimeError, ValueError, TypeError, AttributeError):
        return "no network"
    block = tuple(int(n) for n in rng.integers(5, 16, image.ndim - 1))
    axes = image.ndim - 1
    volume = Volume.from_array(image, axes=f"c{'zyx'[-axes:]}", voxel_size=(1296,) * axes)
    try:
        prediction = predict(
            volume, net, output_dtype="float32", boundary="valid", block_shape=block, device="cpu"
        )
        blocks = prediction.data.compute(scheduler="synchronous")
    except Exception as error:
        return refused(error)
    return compared(prediction, blocks, whole)


def refused(error):
    """What an error says, if it is raised on purpose, from this package."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames[-1].filename.startswith(str(PACKAGE)) or "raise" not in (frames[-1].line or ""):
        return f"foreign: {type(error).__name__}: {error}"
    text = re.sub(r"[\d.()\[\]]+", "#", str(error))
    return f"refused: {' '.join(text.split()[:WORDS])}"


def compared(prediction, blocks, whole):
    """Whether blocks are what torch makes of the whole; nearly all of them, where it compares."""
    whole = whole[:, None] if whole.ndim == blocks.ndim else whole
    expected = whole[0].numpy()
    if any((t.size - t.network.rest) % t.network.stride for t in prediction.source.tilings):
        # Else the voxels that don't fill a stride are left out, and torch makes something of them.
        return "not of whole strides"
    if expected.shape != blocks.shape:
        return f"different: shape {blocks.shape}, not {expected.shape}"
    size = float(np.abs(np.nan_to_num(expected.astype(float))).max(initial=0))
    close = np.isclose(blocks, expected, rtol=1e-3, atol=1e-4 * size, equal_nan=True)
    # Rounding tips a comparison now and then, and with it all that see it.
    if (~close).mean() <= 1e-3:
        return "equal"
    return f"different: {(~close).sum()} of {close.size} values"


def main(count, first):
    """Count what becomes of so many networks."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    begin, counts, wrong = time.perf_counter(), Counter(), []
    for seed in range(first, first + count):
        found = outcome(seed)
        counts[found.partition(":")[0]] += 1
        if found.startswith("refused"):
            counts[found] += 1
        if found.startswith(("different", "foreign")):
            wrong.append(seed)
            print(f"seed {seed}: {found}\n{network(seed)[0]}", flush=True)
    print(f"{count} networks from seed {first}, in {time.perf_counter() - begin:.0f} s")
    for name in ("equal", "refused", "not of whole strides", "no network", "different", "foreign"):
        print(f"{counts[name]:6} {name}")
    for name, times in counts.most_common():
        if name.startswith("refused:"):
            print(f"{times:6}   {name.partition(': ')[2]} ...")
    return bool(wrong)


if __name__ == "__main__":
    numbers = [int(text) for text in sys.argv[1:]]
    sys.exit(main(*numbers, *(2000, 0)[len(numbers) :]))
