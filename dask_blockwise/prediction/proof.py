"""The proof, on the volume's own values, that a network sees no further than was found.

No probe finds everything: a gate that noise never opens may open on the data. So a few boxes are
predicted twice, with the context that was found and with much more, and must come out equal.

That is done when the prediction is made: reading a few windows is quick where the network has been
probed for seconds anyway, and previews and ``.data`` never pass through the driver's preparations.
Only numbers that are to be taken from the whole volume aren't known by then; those of the window
stand for them, and `Predicted.prepared` proves it again with the true ones.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.boxes import Index
from .normalization import Normalization
from .quantisation import check_within
from .tiling import AxisTiling
from .windows import most_varied

__all__ = ["Difference", "difference", "prove"]

# Voxels along an axis that are compared at once, by the number of axes.
_CORE = {1: 64, 2: 64, 3: 12}
# The same at corners, where a block may be as thin.
_THIN = 2
# At how many places at most; as many as take so many voxels together, but two.
_BOXES, _SMALL = 8, 2**18
# Multiples of these, but for whole numbers, lie apart.
_APART = (0.618, 0.755, 0.570)
# Voxels that the network is given for it at most, unless what was found takes half of that.
_MOST = 2**20
# What rounding may make of the largest value; tensor cores round to 10 bits.
_ROUNDING, _ROUNDING_OF_TENSOR_CORES = 1e-4, 3e-3
# What is added to a small halo, in voxels.
_LEAST_MORE = 16
_Box = tuple[Index, Index]
# `Predicted`, which proves itself, so can't be imported.
_Predicted = Any


@dataclass(frozen=True)
class Difference:
    """What more context makes of a few boxes of a prediction."""

    # Largest difference, and largest value.
    largest: float
    size: float
    # How many values differ by more than rounding, of how many.
    differing: int
    of: int
    # Least and greatest value that the network gave; NaN if one was.
    least: float
    greatest: float

    def __str__(self) -> str:
        return (
            f"{self.differing} of {self.of} values by up to {self.largest:.3g} (the largest value "
            f"is {self.size:.3g})"
        )


def prove(predicted: _Predicted, estimated: bool = False) -> Difference:
    """Refuse a prediction that more context changes, or whose values bytes can't stand for.

    Parameters
    ----------
    predicted : Predicted
        Of inputs that can be read now.
    estimated : bool
        Whether its normalisation is that of a window, so that its values are not the final ones.

    Returns
    -------
    Difference

    Raises
    ------
    ValueError

    Examples
    --------
    >>> import torch
    >>> from dask_blockwise import Volume, predict
    >>> raw = Volume.from_array(np.random.default_rng(0).random((60, 60), np.float32))
    >>> network = torch.nn.Conv2d(1, 1, 3, padding=1)
    >>> prove(predict(raw, network, activation="sigmoid").source).differing
    0
    """
    seen = difference(predicted)
    halo = [tiling.network.halo for tiling in predicted.tilings]
    if seen.differing and predicted.found:
        raise ValueError(
            f"With more context than the voxels that probing found, {halo} before and after along "
            f"the axes of space, the prediction of this volume's own values differs in {seen}: the "
            "network sees further in a way that probes don't show, so blocks would not equal the "
            "whole. Give a larger halo=, and seams are accepted, or use another network."
        )
    if seen.differing and seen.largest > 0.01 * seen.size:
        warnings.warn(
            f"With more context than halo={halo}, the prediction differs in {seen}: there will be "
            "seams between blocks.",
            stacklevel=4,
        )
    span = predicted.frame.stands_for
    if span and predicted.network.activation is None and not estimated:
        check_within(seen.least, seen.greatest, span)
    return seen


def difference(predicted: _Predicted) -> Difference:
    """Predict a few boxes with the context that was found, and with more.

    Parameters
    ----------
    predicted : Predicted
        Of inputs that can be read now.

    Returns
    -------
    Difference
    """
    plain = _plain(predicted)
    pairs = [_pair(plain, box) for box in _boxes(plain)]
    values = np.concatenate([array.ravel() for pair in pairs for array in pair[:2]])
    size = float(np.abs(values[np.isfinite(values)]).max(initial=0))
    gaps = [_gap(*pair[:2]) for pair in pairs]
    rounding = _ROUNDING if plain.network.device == "cpu" else _ROUNDING_OF_TENSOR_CORES
    near = 0.0 if values.dtype.kind in "iub" else rounding * size
    differing = sum(_differing(plain, pair, gap, near) for pair, gap in zip(pairs, gaps))
    return Difference(
        max(float(gap.max(initial=0)) for gap in gaps),
        size,
        differing,
        sum(gap.size for gap in gaps),
        float(values.min()),
        float(values.max()),
    )


_Pair = tuple[NDArray[Any], NDArray[Any], _Box]


def _plain(predicted: _Predicted) -> _Predicted:
    """The network's own output, one input at a time, of any size unless it takes but one."""
    own, network = predicted.frame.dtype, predicted.network
    dtype = np.dtype(np.float32) if predicted.frame.stands_for or own.kind == "f" else own
    tilings = predicted.tilings
    if not predicted.fixed:
        tilings = tuple(replace(tiling, given=None) for tiling in tilings)
    return replace(
        predicted,
        frame=replace(predicted.frame, dtype=dtype, stands_for=None),
        tilings=tilings,
        network=replace(
            network,
            activation=None,
            precision="float32",
            # What was probed is loaded there.
            device="cpu" if network.device == "openvino" else network.device,
            compiled=False,
            augmentation=None,
        ),
        batch=1,
    )


def _pair(plain: _Predicted, box: _Box) -> _Pair:
    """With the context that was found, and with more; the same array where there is no more."""
    found = _read(plain, box)
    wider = replace(plain, tilings=_wider(plain.tilings, box, plain.planes))
    if _inputs(wider, box) == _inputs(plain, box):
        return found, found, box
    return found, _read(wider, box), box


def _inputs(predicted: _Predicted, box: _Box) -> list[tuple[int, int, int]]:
    return [tiling.read(*axis) for tiling, *axis in zip(predicted.tilings, *box)]


def _read(predicted: _Predicted, box: _Box) -> NDArray[Any]:
    time = (0,) * ("t" in predicted.frame.axes)
    begin, end = (*time, *box[0]), (*(1 for _ in time), *box[1])
    values: NDArray[Any] = predicted.read(begin, end)
    return values


def _differing(plain: _Predicted, pair: _Pair, gap: NDArray[Any], near: float) -> int:
    """How many values differ, but for the few that rounding of the input tips as well."""
    found, _, box = pair
    far = gap > near
    if not far.any() or far.mean() > 0.01:
        return int(far.sum())
    for seed in range(4):
        shaken = replace(plain, normalization=_Shaken(plain.normalization, seed))
        far &= _gap(found, _read(shaken, box)) <= near
    return int(far.sum())


@dataclass(frozen=True)
class _Shaken:
    """A normalisation whose values are rounded otherwise."""

    normalization: Normalization
    seed: int

    @property
    def numbers(self) -> Normalization:
        """Itself."""
        return self

    def apply(self, array: NDArray[Any]) -> NDArray[np.float32]:
        """Normalise an array of shape ``(c, ...)``."""
        values = self.normalization.apply(array)
        noise = np.random.default_rng(self.seed).standard_normal(values.shape, np.float32)
        size = float(np.abs(values[np.isfinite(values)]).max(initial=0))
        return values + np.float32(1e-6 * size) * noise


def _gap(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.float64]:
    """How far values differ; infinitely where but one is NaN."""
    a, b = one.astype(np.float64), other.astype(np.float64)
    with np.errstate(invalid="ignore"):
        gap = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, np.abs(a - b))
    return np.nan_to_num(gap, nan=np.inf)


def _boxes(predicted: _Predicted) -> Iterator[_Box]:
    """Of the output: where the data varies most, at places apart, and at corners."""
    (volume,) = predicted.inputs
    raw, tilings = volume.frame.space, predicted.tilings
    cores = [1] * predicted.planes
    most = _CORE[len(tilings) - len(cores)]
    cores += [_core(tiling, most) for tiling in tilings[len(cores) :]]
    size = prod(
        core * tiling.network.scale + sum(tiling.network.halo)
        for core, tiling in zip(cores, tilings)
    )
    count = int(min(max(_SMALL // size, 2), _BOXES))
    places = [most_varied(volume)[0]]
    places += [
        tuple(int(n * (k * _APART[i] % 1)) for i, n in enumerate(raw)) for k in range(1, count)
    ]
    corners = (tuple(0 for _ in raw), tuple(raw))
    boxes = [(place, cores) for place in places]
    boxes += [(corner, [min(_THIN, core) for core in cores]) for corner in corners]
    for place, sizes in boxes:
        begin = tuple(
            min(max(0, int(at / tiling.network.scale) - n // 2), tiling.outputs - n)
            for at, n, tiling in zip(place, sizes, tilings)
        )
        yield begin, tuple(b + n for b, n in zip(begin, sizes))


def _core(tiling: AxisTiling, most: int) -> int:
    """Output voxels along an axis that are compared at once, with some of the volume around."""
    return max(1, min(most, tiling.reach, max(8, tiling.outputs // 3), tiling.outputs))


def _wider(tilings: tuple[AxisTiling, ...], box: _Box, planes: bool) -> tuple[AxisTiling, ...]:
    """Tilings with twice the halo and some strides, as far as that is affordable."""
    factor, most = 1.0, max(_MOST, 2 * _voxels(tilings, box))
    while True:
        wider = tuple(
            tiling if planes and not axis else _grown(tiling, end - begin, factor)
            for axis, (tiling, begin, end) in enumerate(zip(tilings, *box))
        )
        if factor < 0.05 or _voxels(wider, box) <= most:
            return wider
        factor *= 0.8


def _voxels(tilings: tuple[AxisTiling, ...], box: _Box) -> int:
    """That the network is given for a box."""
    reads = (tiling.read(begin, end) for tiling, begin, end in zip(tilings, *box))
    return prod(high - low for low, high, _ in reads)


def _grown(tiling: AxisTiling, core: int, factor: float) -> AxisTiling:
    """More by a number of strides that no other stride divides, so that its phase is another."""
    net = tiling.network
    before, after = net.halo
    if tiling.given is not None:
        room = int(tiling.given - core * net.scale) - before - after - 2 * net.stride
        return replace(tiling, network=replace(net, halo=(before + max(0, room), after)))
    strides = int(factor * max(before, after, _LEAST_MORE)) // net.stride + 1
    strides += next(n for n in range(6) if (strides + n) % 2 and (strides + n) % 3)
    more = strides * net.stride
    return replace(tiling, network=replace(net, halo=(before + more, after + more)))
