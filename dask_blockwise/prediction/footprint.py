"""What an output voxel of a network depends on, found by probing it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

__all__ = ["AxisFootprint", "Footprint", "UnfitNetworkError", "probe"]

Array = NDArray[np.float32]
Run = Callable[[Array], Array]

# Every stride divides 96; 32 neighbouring planes meet every phase of one.
_STRIDES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
_PHASES = 32
_LENGTHS = (96, 192, 384, 576)
_WIDTHS = (8, 16, 32, 64, 96, 44, 92, 128, 140, 188)


class UnfitNetworkError(ValueError):
    """A network that takes no input of such channels and axes."""


@dataclass(frozen=True)
class AxisFootprint:
    """What a network sees along one axis; the default is one that sees the voxel alone.

    A tick is the part of an input voxel that ``scale`` inputs and outputs are whole multiples of.
    """

    # Input voxels before and after those that lie under an output voxel.
    halo: tuple[int, int] = (0, 0)
    # Inputs must begin at multiples of it for the same prediction.
    stride: int = 1
    # Output voxels for each stride.
    step: int = 1
    # Ticks of an input that its output doesn't cover: what valid convolutions take off, both sides.
    lost: int = 0
    # What is left of the length of an input after division by the stride.
    rest: int = 0

    @property
    def scale(self) -> Fraction:
        """Input voxels that an output voxel is long."""
        return Fraction(self.stride, self.step)

    @property
    def trim(self) -> int:
        """Ticks before the first output voxel."""
        return self.lost // 2


@dataclass(frozen=True)
class Footprint:
    """What an output voxel of a network depends on, along each axis of space."""

    axes: tuple[AxisFootprint, ...]
    # Of the output.
    channels: int
    # The only input that the network takes, if there is but one.
    only_shape: tuple[int, ...] | None = None


def probe(
    run: Run,
    channels: int,
    dimensions: int,
    bounded: bool = True,
    only_shape: tuple[int, ...] | None = None,
) -> Footprint:
    """Find which input voxels an output voxel of a network depends on.

    A plane of NaN is laid through the input; the planes of the output that it reaches are those
    that depend on it, whatever the weights. The stride is the smallest step by which inputs may
    grow and be shifted, and the output grows and is shifted alike.

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
    """
    shape, outputs = _accepted(run, channels, dimensions, only_shape)
    axes = [_Axis.of(run, shape, axis, only_shape is not None) for axis in range(dimensions)]
    return Footprint(tuple(axis.probe(bounded) for axis in axes), outputs, only_shape)


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

    @classmethod
    def of(cls, run: Run, shape: tuple[int, ...], axis: int, fixed: bool) -> _Axis:
        """The network may take multiples of its stride alone, or only those and a rest."""
        if fixed:
            return cls(run, shape, axis, shape[axis + 1], True)
        plain = cls(run, shape, axis)
        accepted = all(plain._length(n) for n in _LENGTHS[:2])
        return plain if accepted else cls(run, shape, axis, shape[axis + 1])

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
        margin = max(map(max, seen), default=0) + phases
        if length - 2 * (lost // scale.denominator + margin) <= phases and not self.fixed:
            return None
        stride = self._stride(length, scale, margin)
        more = self._spans(length, scale, lost, range(start, start + min(stride, phases)))
        if more is None:
            return None
        spans = seen + more or [(0, 0)]
        halo = max(before for before, _ in spans), max(after for _, after in spans)
        return self._found(halo, stride, scale, lost)

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
        for plane in planes:
            image = self._input(length)
            image[(slice(None),) * (self.axis + 2) + (plane,)] = np.nan
            reached = np.isnan(self._planes(image))
            hit = np.flatnonzero(reached.reshape(len(reached), -1).any(1))
            if not hit.size:
                continue
            if hit[0] == 0 or hit[-1] == len(reached) - 1:
                return None
            begin = (lost // 2 + int(hit[-1]) * scale.numerator) // scale.denominator
            end = -(-(lost // 2 + (int(hit[0]) + 1) * scale.numerator) // scale.denominator)
            spans.append((max(0, begin - plane), max(0, plane - end + 1)))
        return spans

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
        generator, step = np.random.default_rng(0), int(stride / scale)
        image = generator.standard_normal(self._input(length + stride).shape, np.float32)
        around = (slice(None),) * (self.axis + 2)
        one = self._planes(image[(*around, slice(length))])
        other = self._planes(image[(*around, slice(stride, None))])
        edge = int(-(-margin // scale))
        inner = slice(edge, len(one) - edge - step)
        tolerance = 1e-4 * float(np.abs(one).max())
        return bool(np.allclose(one[step:][inner], other[inner], rtol=1e-3, atol=tolerance))


def _accepted(
    run: Run, channels: int, dimensions: int, only: tuple[int, ...] | None
) -> tuple[tuple[int, ...], int]:
    """The smallest input of a few that the network takes, and the channels of its output."""
    failure: Exception | None = None
    widths = [only] if only else [(width,) * dimensions for width in _WIDTHS]
    for width in widths:
        try:
            result = run(np.zeros((1, channels, *width), np.float32))
        except Exception as error:
            failure = error
        else:
            if result.ndim == dimensions + 2 and result.size:
                return (channels, *width), result.shape[1]
    reason = f"{type(failure).__name__}: {failure}" if failure else "its output has other axes"
    tried = f"the size {only}" if only else f"sizes {min(_WIDTHS)} to {max(_WIDTHS)}"
    raise UnfitNetworkError(
        f"The network takes no input of {channels} channels and {dimensions} axes of space (tried "
        f"{tried}): {reason.splitlines()[0]}. "
        "Give it a volume with the channels that it was trained on."
    )
