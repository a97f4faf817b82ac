"""What a network sees along one axis, found by running it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .footprint import AxisFootprint
from .perturbations import PERTURBATIONS, UNKNOWN, Spread, changed, sides

__all__ = ["ProbedAxis"]

Array = NDArray[np.float32]
Run = Callable[[Array], NDArray[Any]]

# Every stride divides 96; 32 neighbouring planes meet every phase of one.
_STRIDES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
_PHASES = 32
_LENGTHS = (96, 192, 384, 576)
_STANDARD = Spread(0, 1)
# Planes that are tried in a network that hides some of what it sees from NaN.
_MORE = 16


@dataclass(frozen=True)
class _Seen:
    """How far outputs see before and after, and whether NaN tells all of it."""

    halo: tuple[int, int] = (0, 0)
    # As far as NaN has shown.
    by_nan: int = 0
    hides: bool = False

    def grown(self, span: tuple[int, int], is_nan: bool, passed: bool) -> _Seen:
        """With what one perturbation has shown; those by NaN come first."""
        halo = max(self.halo[0], span[0]), max(self.halo[1], span[1])
        if is_nan:
            return _Seen(halo, max(*halo), self.hides or not passed)
        return _Seen(halo, self.by_nan, self.hides or max(span) > self.by_nan)


@dataclass(frozen=True)
class ProbedAxis:
    """One axis of a network's input, along which it is probed.

    Parameters
    ----------
    run
        The network: float32 of shape (1, c, z, y, x) or (1, c, y, x) in.
    shape
        An input that the network takes, (c, z, y, x).
    axis
        0 for z, or y of a network of two axes.
    base
        The network takes it and any multiple of 96 voxels.
    fixed
        Whether it takes no other input.
    spread
        Of the values that it is to be given.
    """

    run: Run
    shape: tuple[int, ...]
    axis: int
    base: int = 0
    fixed: bool = False
    spread: Spread = UNKNOWN

    @classmethod
    def of(
        cls, run: Run, shape: tuple[int, ...], axis: int, fixed: bool, spread: Spread
    ) -> ProbedAxis:
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
            "normalisation or global pooling, or batch normalisation that was traced or exported "
            "without eval(): its prediction by blocks would differ from that of the whole volume. "
            "Use batch normalisation, or give halo= and accept seams."
        )

    def _bounded(self, length: int, scale: Fraction, lost: int) -> AxisFootprint | None:
        """What is seen, if no output that sees the middle of the input sees its ends."""
        phases = min(_PHASES, length // 3)
        start = (length - phases) // 2
        seen = self._spans(length, scale, lost, (start, start + phases - 1))
        if seen is None:
            return None
        margin = max(seen.halo) + phases
        if length - 2 * (lost // scale.denominator + margin) <= phases and not self.fixed:
            return None
        stride = self._stride(length, scale, margin)
        planes = min(max(stride, _MORE if seen.hides else 1), phases)
        more = self._spans(length, scale, lost, range(start, start + planes))
        if more is None:
            return None
        halo = max(seen.halo[0], more.halo[0]), max(seen.halo[1], more.halo[1])
        if self._mirrors(length, scale, lost, halo, stride):
            # Each layer may see as far on its other side, so at most as far as both together.
            halo = sum(halo), sum(halo)
        return self._found(halo, stride, scale, lost)

    def _mirrors(
        self, length: int, scale: Fraction, lost: int, halo: tuple[int, int], stride: int
    ) -> bool:
        """Whether outputs at an end see further inwards: what is padded by reflection does."""
        ends = {-1: length - halo[0] - 2, 1: halo[1] + 1}
        for perturbation in PERTURBATIONS:
            base, other = perturbation.pair(self._input(length).shape, self.spread)
            unchanged = self._planes(base)
            for side, k in ((side, k) for side in ends for k in range(stride)):
                plane = ends[side] + side * k
                (image,) = (i for s, i in sides(base, other, self.axis + 2, plane) if s == side)
                reached = changed(unchanged, self._planes(image))
                hit = np.flatnonzero(reached.reshape(len(reached), -1).any(1))
                if not hit.size:
                    continue
                before, after = _span(int(hit[0]), int(hit[-1]), side, plane, scale, lost)
                if before > halo[0] or after > halo[1]:
                    return True
        return False

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
        self, length: int, scale: Fraction, lost: int, planes: Sequence[int]
    ) -> _Seen | None:
        """How far outputs see one of the planes; None if the input is too short."""
        seen = _Seen()
        for perturbation in PERTURBATIONS:
            base, other = perturbation.pair(self._input(length).shape, self.spread)
            unchanged = self._planes(base)
            images = (
                (plane, *one)
                for plane in planes
                for one in sides(base, other, self.axis + 2, plane)
            )
            for at, side, image in images:
                output = self._planes(image)
                reached = changed(unchanged, output)
                hit = np.flatnonzero(reached.reshape(len(reached), -1).any(1))
                if not hit.size:
                    continue
                first, last = int(hit[0]), int(hit[-1])
                if (first == 0 and side > 0) or (last == len(reached) - 1 and side < 0):
                    return None
                span = _span(first, last, side, at, scale, lost)
                passed = bool(np.isnan(output[reached]).all())
                seen = seen.grown(span, perturbation.is_nan, passed)
        return seen

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
        around = (slice(None),) * (self.axis + 2)
        edge = int(-(-margin // scale))
        # By a stride, and by many, so that what changes slowly with the place shows too.
        far = stride * max(1, _PHASES // stride)
        for shift, spread in ((stride, _STANDARD), (far, self.spread), (far, _STANDARD)):
            image = spread.draw(self._input(length + shift).shape, shift)
            one = self._planes(image[(*around, slice(length))])
            other = self._planes(image[(*around, slice(shift, None))])
            step = int(shift / scale)
            inner = slice(edge, max(edge, len(one) - edge - step))
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
