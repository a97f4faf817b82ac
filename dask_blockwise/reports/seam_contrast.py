"""A measure at faces of blocks beside the same measure elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Verdict = Literal["clean", "seams", "unclear"]

__all__ = ["Comparison", "Verdict", "contrast", "verdict_of"]

_RESAMPLES = 2000
_FEWEST = 5


def verdict_of(interval: tuple[float, float], allowed: float) -> Verdict:
    """Whether all of an interval lies beyond what is allowed, or within it.

    Examples
    --------
    >>> verdict_of((0.1, 0.3), 0.2)
    'unclear'
    """
    low, high = interval
    return "seams" if low > allowed else "clean" if high <= allowed else "unclear"


@dataclass(frozen=True)
class Comparison:
    """A measure at faces of blocks beside the same measure elsewhere."""

    name: str
    at_faces: float
    elsewhere: float
    # Where their difference lies, with 95 % confidence.
    interval: tuple[float, float]
    # The difference that is allowed; None where the measure only informs.
    tolerance: float | None = None

    @property
    def verdict(self) -> Verdict | None:
        """Whether the whole interval lies beyond what is allowed, or within it."""
        if self.tolerance is None:
            return None
        low, high = self.interval
        return "seams" if low > self.tolerance else "clean" if high <= self.tolerance else "unclear"


def contrast(
    name: str,
    at_faces: NDArray[np.float64],
    elsewhere: NDArray[np.float64],
    rng: np.random.Generator,
    tolerance: float | None = None,
    paired: bool = False,
) -> Comparison:
    """Compare means, by resampling windows (a percentile bootstrap).

    Parameters
    ----------
    name : str
    at_faces, elsewhere : ndarray
        A value a window.
    rng : Generator
    tolerance : float, optional
    paired : bool
        Whether both values of a place come from one window.

    Examples
    --------
    >>> values = np.array([0.9, 1.0, 1.1, 1.0, 1.0, 1.0])
    >>> contrast("VOI", values, values - 1, np.random.default_rng(0), 0.05, paired=True).verdict
    'seams'
    """
    if paired:
        low, high = _interval([at_faces - elsewhere], rng)
    else:
        low, high = _interval([at_faces, -elsewhere], rng)
    means = [float(v.mean()) if v.size else float("nan") for v in (at_faces, elsewhere)]
    return Comparison(name, means[0], means[1], (low, high), tolerance)


def _interval(samples: list[NDArray[np.float64]], rng: np.random.Generator) -> tuple[float, float]:
    """Where the sum of the means lies; anywhere if there are too few values."""
    if min(s.size for s in samples) < _FEWEST:
        return -np.inf, np.inf
    drawn = (s[rng.integers(0, s.size, (_RESAMPLES, s.size))].mean(1) for s in samples)
    low, high = np.quantile(sum(drawn), [0.025, 0.975])
    return float(low), float(high)
