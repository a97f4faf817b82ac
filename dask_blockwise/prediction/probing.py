"""Probing: which input voxels an output voxel of a network depends on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .footprint import AxisFootprint, Footprint, UnfitNetworkError
from .outputs import UnfitOutputError
from .perturbations import PERTURBATIONS, UNKNOWN, Spread, changed, sides

__all__ = ["probe"]

Array = NDArray[np.float32]
Run = Callable[[Array], NDArray[Any]]

# Every stride divides 96; 32 neighbouring planes meet every phase of one.
_STRIDES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
_PHASES = 32
_LENGTHS = (96, 192, 384, 576)
_WIDTHS = (8, 16, 32, 64, 96, 44, 92, 128, 140, 188)


def probe(
    run: Run,
    channels: int,
    dimensions: int,
    bounded: bool = True,
    only_shape: tuple[int, ...] | None = None,
    spread: Spread = UNKNOWN,
) -> Footprint:
    """Find which input voxels an output voxel of a network depends on.

    All that lies on one side of a plane is replaced, by NaN, by noise of any size and by other
    noise like the data; the planes of the output that change are those that depend on it. The
    stride is the smallest step by which inputs may grow and be shifted, and the output grows and is
    shifted alike. What none of this finds, `proof` does on the data.

    Parameters
    ----------
    run : callable
        The network: float32 of shape (1, c, z, y, x) or (1, c, y, x) in and out.
    channels : int
        Of the input.
    dimensions : int
        2 or 3.
    bounded : bool
        Whether to refuse a network that sees all of its input; its halo is 0 otherwise.
    only_shape : tuple of int, optional
        Of the only input that the network takes, along the axes of space.
    spread : Spread
        Of the values that it is to be given.

    Returns
    -------
    Footprint

    Raises
    ------
    UnfitNetworkError
        If the network doesn't take such input.
    ValueError
        If an output voxel depends on all of the input, as with instance normalisation, or on
        where the input begins.

    Examples
    --------
    >>> from scipy.ndimage import correlate1d
    >>> probe(lambda image: correlate1d(image, [1, 2, 3, 2, 1]), 1, 2).axes[1].halo
    (2, 2)
    >>> probe(lambda image: correlate1d(image, [1, 2, 3, 2, 1]) > 0.5, 1, 2).axes[1].halo
    (2, 2)
    """
    shape, output = _accepted(run, channels, dimensions, only_shape)
    watched = _Watched(run)
    axes = [
        _Axis.of(watched, shape, axis, only_shape is not None, spread) for axis in range(dimensions)
    ]
    seen = tuple(axis.probe(bounded) for axis in axes)
    dtype = output.dtype if output.dtype.kind in "iub" else np.dtype(np.float32)
    return Footprint(seen, output.shape[1], only_shape, dtype, watched.least)


@dataclass
class _Watched:
    """A network, and the least value that it gave."""

    run: Run
    least: float = field(default=np.inf, init=False)

    def __call__(self, image: Array) -> NDArray[Any]:
        values = self.run(image)
        self.least = min(self.least, float(np.nan_to_num(values, nan=np.inf, posinf=np.inf).min()))
        return values


@dataclass(frozen=True)
class _Axis:
    """One axis of a network's input, along which it is probed."""

    run: Run
    # An input that the network takes, (c, z, y, x).
    shape: tuple[int, ...]
    axis: int
    # The network takes it and any multiple of 96 voxels.
    base: int = 0
    # Whether it takes no other input.
    fixed: bool = False
    spread: Spread = UNKNOWN

    @classmethod
    def of(cls, run: Run, shape: tuple[int, ...], axis: int, fixed: bool, spread: Spread) -> _Axis:
        """The network may take multiples of its stride alone, or only those and a rest."""
        plain = cls(run, shape, axis, spread=spread)
        if not fixed and all(plain._length(n) for n in _LENGTHS[:2]):
            return plain
        return replace(plain, base=shape[axis + 1], fixed=fixed)

    def probe(self, bounded: bool) -> AxisFootprint:
        """The halo is found on the shortest input with room around it."""
        scale, lost = self._scale()
        lengths = [self.base] if self.fixed else [self.base + n for n in _LENGTHS]
        for length in lengths:
            found = self._bounded(length, scale, lost)
            if found:
                return found
        if not bounded:
            return self._found((0, 0), self._stride(lengths[0], scale, None), scale, lost)
        raise ValueError(
            f"An output voxel of the network depends on inputs more than {lengths[-1] // 2} "
            "voxels away along an axis, probably on all of them, as with instance or group "
            "normalisation or global pooling: its prediction by blocks would differ from that of "
            "the whole volume. Use batch normalisation, or give halo= and accept seams."
        )

    def _bounded(self, length: int, scale: Fraction, lost: int) -> AxisFootprint | None:
        """What is seen, if no output that sees the middle of the input sees its ends."""
        phases = min(_PHASES, length // 3)
        start = (length - phases) // 2
        seen = self._spans(length, scale, lost, (start, start + phases - 1))
        if seen is None:
            return None
        margin = max(*map(max, seen), 0) + phases
        if length - 2 * (lost // scale.denominator + margin) <= phases and not self.fixed:
            return None
        stride = self._stride(length, scale, margin)
        more = self._spans(length, scale, lost, range(start, start + min(stride, phases)))
        if more is None:
            return None
        before, after = zip(*seen, *more)
        return self._found((max(before), max(after)), stride, scale, lost)

    def _found(
        self, halo: tuple[int, int], stride: int, scale: Fraction, lost: int
    ) -> AxisFootprint:
        return AxisFootprint(halo, stride, int(stride / scale), lost, self.base % stride)

    def _input(self, length: int) -> Array:
        shape = list(self.shape)
        shape[self.axis + 1] = length
        return np.zeros((1, *shape), np.float32)

    def _planes(self, image: Array) -> Array:
        """The output, this axis first."""
        return np.moveaxis(self.run(image), self.axis + 2, 0)

    def _length(self, length: int) -> int:
        """Of the output; 0 if the network doesn't take the input."""
        try:
            return len(self._planes(self._input(length)))
        except Exception:
            return 0

    def _scale(self) -> tuple[Fraction, int]:
        """Input voxels that an output voxel is long, and the ticks that are lost."""
        short = self.base or _LENGTHS[0]
        long = short if self.fixed else short + _LENGTHS[0]
        outputs = self._length(short), self._length(long)
        grown = outputs[1] - outputs[0]
        scale = Fraction(1) if self.fixed else Fraction(long - short, grown or long)
        lost = short * scale.denominator - outputs[0] * scale.numerator
        if not all(outputs):
            raise ValueError(
                f"The network takes {self.shape[self.axis + 1]} voxels along an axis, but not both "
                f"{short} and {long}: blocks need inputs of several sizes. Use a network of "
                "convolutions and pooling, or export it for the size of a block, torch.export."
            )
        if lost < 0 or (grown == 0 and not self.fixed):
            raise ValueError(
                f"The network turns {short} voxels into {outputs[0]} along an axis, and {long} "
                f"into {outputs[1]}: its output neither keeps to the voxels of its input nor to a "
                "fraction or multiple of them. Pad it less, or resample its output."
            )
        return scale, lost

    def _spans(
        self, length: int, scale: Fraction, lost: int, planes: Iterable[int]
    ) -> list[tuple[int, int]] | None:
        """How far before and after it outputs see each plane; None if the input is too short."""
        spans = []
        planes = list(planes)
        for perturbation in PERTURBATIONS:
            base, other = perturbation.pair(self._input(length).shape, self.spread)
            unchanged = self._planes(base)
            for plane in planes:
                for side, image in sides(base, other, self.axis + 2, plane):
                    reached = changed(unchanged, self._planes(image))
                    hit = np.flatnonzero(reached.reshape(len(reached), -1).any(1))
                    if not hit.size:
                        continue
                    if (hit[0] == 0 and side > 0) or (hit[-1] == len(reached) - 1 and side < 0):
                        return None
                    spans.append(_span(int(hit[0]), int(hit[-1]), side, plane, scale, lost))
        return spans or [(0, 0)]

    def _stride(self, length: int, scale: Fraction, margin: int | None) -> int:
        for stride in _STRIDES:
            whole = stride % scale.numerator == 0
            if (
                whole
                and self._grows(length, stride, scale)
                and self._shifts(length, stride, scale, margin)
            ):
                return stride
        raise ValueError(
            f"The network neither grows nor shifts by one of {_STRIDES} voxels along an axis: its "
            "prediction depends on where its input begins, so blocks would not fit one another. "
            "Use a network of convolutions and pooling by small factors."
        )

    def _grows(self, length: int, stride: int, scale: Fraction) -> bool:
        if self.fixed:
            return True
        return self._length(length + stride) == self._length(length) + stride / scale

    def _shifts(self, length: int, stride: int, scale: Fraction, margin: int | None) -> bool:
        """Whether a shifted input gives the shifted output, away from the borders."""
        if margin is None:
            return True
        shape, step = self._input(length + stride).shape, int(stride / scale)
        around = (slice(None),) * (self.axis + 2)
        edge = int(-(-margin // scale))
        for image in (Spread(0, 1).draw(shape, 0), self.spread.draw(shape, 6)):
            one = self._planes(image[(*around, slice(length))])
            other = self._planes(image[(*around, slice(stride, None))])
            inner = slice(edge, len(one) - edge - step)
            if not _alike(one[step:][inner], other[inner]):
                return False
        return True


def _span(
    first: int, last: int, side: int, plane: int, scale: Fraction, lost: int
) -> tuple[int, int]:
    """How far the outermost output that sees one side of a plane is from it, in input voxels."""
    begin = (lost // 2 + last * scale.numerator) // scale.denominator
    end = -(-(lost // 2 + (first + 1) * scale.numerator) // scale.denominator)
    return (max(0, begin - plane), 0) if side < 0 else (0, max(0, plane - end + 1))


def _alike(one: NDArray[Any], other: NDArray[Any]) -> bool:
    """Whether two outputs are equal to rounding, which may tip a few comparisons."""
    one, other = one.astype(np.float64), other.astype(np.float64)
    size = float(np.abs(one[np.isfinite(one)]).max(initial=0))
    close = np.isclose(one, other, rtol=1e-3, atol=1e-4 * size, equal_nan=True)
    return bool((~close).sum() <= close.size // 2000)


def _accepted(
    run: Run, channels: int, dimensions: int, only: tuple[int, ...] | None
) -> tuple[tuple[int, ...], NDArray[Any]]:
    """The shape of the smallest input of a few that the network takes, and its output."""
    failure: Exception | None = None
    widths = [only] if only else [(width,) * dimensions for width in _WIDTHS]
    for width in widths:
        try:
            result = run(np.zeros((1, channels, *width), np.float32))
        except UnfitOutputError:
            raise
        except Exception as error:
            failure = error
        else:
            if result.ndim == dimensions + 2 and result.size:
                return (channels, *width), result
    reason = f"{type(failure).__name__}: {failure}" if failure else "its output has other axes"
    tried = f"the size {only}" if only else f"sizes {min(_WIDTHS)} to {max(_WIDTHS)}"
    raise UnfitNetworkError(
        f"The network takes no input of {channels} channels and {dimensions} axes of space (tried "
        f"{tried}): {reason.splitlines()[0]}. "
        "Give it a volume with the channels that it was trained on."
    )
