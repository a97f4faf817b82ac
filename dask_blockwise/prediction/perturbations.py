"""Inputs that differ before or after a plane: what an output sees is what changes it.

One kind is not enough. NaN passes through all arithmetic, so it finds what a weight of any size, or
of 0, lets through; but what compares, ranks or replaces (argmax, a gate, ``nan_to_num``) may drop
it. Numbers much larger than the input tip any comparison, but saturate what is smooth; numbers as
large as the data's tip what is between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["PERTURBATIONS", "UNKNOWN", "Perturbation", "Spread", "changed", "sides"]

Array = NDArray[np.float32]
# What is no more than rounding, beside the largest value of the output.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Spread:
    """How large the values are that a network is to be given."""

    mean: float = 0.5
    deviation: float = 0.3

    @classmethod
    def of(cls, values: Array) -> Spread:
        """Of normalised values, rounded so that alike volumes share what was probed.

        Examples
        --------
        >>> Spread.of(np.array([0.123, 0.377], np.float32))
        Spread(mean=0.25, deviation=0.13)
        """
        known = values[np.isfinite(values)].astype(np.float64)
        if not known.size or not known.std():
            return cls()
        mean, deviation = (float(f"{v:.1e}") for v in (known.mean(), known.std()))
        return cls(mean, deviation)

    def draw(self, shape: tuple[int, ...], seed: int) -> Array:
        """Noise of this spread."""
        noise = np.random.default_rng(seed).standard_normal(shape, np.float32)
        return np.float32(self.mean) + np.float32(self.deviation) * noise


# Of data that nobody has looked at.
UNKNOWN = Spread()


@dataclass(frozen=True)
class Perturbation:
    """An input, and another one that takes its place on one side of a plane."""

    before: Callable[[tuple[int, ...], Spread], Array]
    after: Callable[[tuple[int, ...], Spread], Array]
    is_nan: bool = False

    def pair(self, shape: tuple[int, ...], spread: Spread) -> tuple[Array, Array]:
        """Both inputs, of a shape."""
        return self.before(shape, spread), self.after(shape, spread)


def _zeros(shape: tuple[int, ...], spread: Spread) -> Array:
    return np.zeros(shape, np.float32)


def _noise(shape: tuple[int, ...], spread: Spread) -> Array:
    return Spread(0, 1).draw(shape, 1)


def _nan(shape: tuple[int, ...], spread: Spread) -> Array:
    return np.full(shape, np.nan, np.float32)


def _alike(shape: tuple[int, ...], spread: Spread) -> Array:
    return spread.draw(shape, 2)


def _other(shape: tuple[int, ...], spread: Spread) -> Array:
    return spread.draw(shape, 3)


def _of_any_size(shape: tuple[int, ...], spread: Spread) -> Array:
    """From a tenth to ten thousand times the data, side by side."""
    powers = np.random.default_rng(4).uniform(-1, 4, shape).astype(np.float32)
    size = np.float32(max(abs(spread.mean), spread.deviation))
    return Spread(0, 1).draw(shape, 5) * size * 10**powers


PERTURBATIONS = (
    Perturbation(_noise, _nan, is_nan=True),
    Perturbation(_zeros, _of_any_size),
    Perturbation(_alike, _of_any_size),
    Perturbation(_alike, _other),
)


def sides(base: Array, other: Array, axis: int, plane: int) -> Iterator[tuple[int, Array]]:
    """The base with what lies up to a plane, and from it, taken from the other one.

    Yields
    ------
    side : int
        -1 for what lies up to it, 1 for what lies from it.
    image : ndarray
    """
    for side, part in ((-1, slice(plane + 1)), (1, slice(plane, None))):
        image = base.copy()
        where = (slice(None),) * axis + (part,)
        image[where] = other[where]
        yield side, image


def changed(one: NDArray[np.generic], other: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Where two outputs differ by more than rounding.

    Examples
    --------
    >>> changed(np.array([1, 2, np.nan]), np.array([1.0000001, np.nan, np.nan]))
    array([False,  True, False])
    """
    a, b = (np.asarray(values, np.float64) for values in (one, other))
    finite = np.abs(a[np.isfinite(a)])
    near = _ROUNDING * float(finite.max(initial=0))
    with np.errstate(invalid="ignore"):
        same = (a == b) | (np.isnan(a) & np.isnan(b)) | (np.abs(a - b) <= near)
    return np.asarray(~same)
