"""What is subtracted from the voxels that a network is given, and what they are divided by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ..volumes.region import computed
from ..volumes.volume import Volume

if TYPE_CHECKING:
    import dask.array as da

__all__ = [
    "Normalization",
    "Numbers",
    "WholeVolume",
    "moved",
    "normalization_of",
    "volumes_of",
]

Values = tuple[float, ...]


@runtime_checkable
class Normalization(Protocol):
    """What voxels go through before a network sees them; ``predict`` takes one of your own too.

    It is sent to worker processes, and its attributes say what the prediction depends on: a frozen
    dataclass is right.
    """

    @property
    def numbers(self) -> Normalization:
        """The same with all that is taken from a whole volume known; called before work begins."""

    def apply(self, array: NDArray[Any]) -> NDArray[np.float32]:
        """Normalise an array of shape ``(c, ...)``."""


@dataclass(frozen=True)
class Numbers:
    """Given numbers: one for all channels, or one for each."""

    subtract: Values
    divide: Values

    @property
    def numbers(self) -> Numbers:
        """Itself."""
        return self

    def apply(self, array: NDArray[Any]) -> NDArray[np.float32]:
        """Normalise an array of shape ``(c, ...)``."""
        shape = (-1,) + (1,) * (array.ndim - 1)
        subtract, divide = (
            np.asarray(v, np.float32).reshape(shape) for v in (self.subtract, self.divide)
        )
        values: NDArray[np.float32] = (array.astype(np.float32) - subtract) / divide
        return values


@dataclass(frozen=True, eq=False)
class WholeVolume:
    """Numbers taken from the whole volume, once, when they are first needed.

    They go to other processes as numbers: no worker takes them again.
    """

    volume: Volume
    # "moments", or "percentiles" with the two of them.
    kind: str
    percentiles: tuple[float, float] = (0.0, 100.0)
    # Whether each channel has its own.
    by_channel: bool = False
    epsilon: float = 0.0

    @cached_property
    def numbers(self) -> Numbers:
        """In one pass over the blocks."""
        taken = self._percentiles if self.kind == "percentiles" else _moments
        found = computed(*map(taken, self._parts))
        low, spread = zip(*((float(low), float(spread)) for low, spread in found))
        return Numbers(low, tuple(float(s + self.epsilon) or 1.0 for s in spread))

    def estimate(self, values: NDArray[Any]) -> Numbers:
        """The numbers of a part of the volume, shape ``(c, ...)``, in place of the whole."""
        parts = list(values) if self.by_channel else [values]
        taken = self._percentiles_of if self.kind == "percentiles" else _moments_of
        low, spread = zip(*map(taken, parts))
        return Numbers(low, tuple(float(s + self.epsilon) or 1.0 for s in spread))

    def apply(self, array: NDArray[Any]) -> NDArray[np.float32]:
        """Normalise an array of shape ``(c, ...)``."""
        return self.numbers.apply(array)

    def _percentiles_of(self, values: NDArray[Any]) -> tuple[float, float]:
        low, high = np.percentile(values, self.percentiles)
        return float(low), float(high - low)

    def __reduce__(self) -> tuple[Any, ...]:
        return Numbers, (self.numbers.subtract, self.numbers.divide)

    def __recipe__(self) -> Any:
        """What the numbers depend on, without taking them."""
        options = {"percentiles": self.percentiles, "by_channel": self.by_channel}
        return {"kind": self.kind, "of": self.volume, "epsilon": self.epsilon, **options}

    @property
    def _parts(self) -> list[da.Array]:
        data, axes = self.volume.data, self.volume.axes
        if not (self.by_channel and "c" in axes):
            return [data]
        channel = axes.index("c")
        return [data[(slice(None),) * channel + (n,)] for n in range(data.shape[channel])]

    def _percentiles(self, data: da.Array) -> da.Array:
        """Exact, from the counts of all values."""
        import dask.array as da  # see `kinds.is_dasks`

        values = np.iinfo(data.dtype).max + 1
        counts = da.bincount(data.ravel(), minlength=values)
        span: da.Array = counts.map_blocks(
            partial(_span, percentiles=self.percentiles), chunks=(2,)
        )
        return span


def volumes_of(normalization: Normalization) -> tuple[Volume, ...]:
    """Of which all voxels count, whatever is normalised."""
    return (normalization.volume,) if isinstance(normalization, WholeVolume) else ()


def moved(normalization: Normalization, old: Any, new: Any) -> Normalization:
    """The same of another volume, where its numbers are those of the old one."""
    if isinstance(normalization, WholeVolume) and normalization.volume is old:
        return replace(normalization, volume=new)
    return normalization


def normalization_of(normalize: Any, volume: Volume) -> Normalization:
    """The normalisation that an option of ``predict`` gives.

    Parameters
    ----------
    normalize : "dtype", "volume", (subtract, divide), or a Normalization
        Each of the two a number, or one for each channel.
    volume : Volume

    Returns
    -------
    Normalization

    Raises
    ------
    ValueError
        If it is something else, or the volume's values have no range to go by.

    Examples
    --------
    >>> volume = Volume.from_array(np.array([[0, 51]], np.uint8))
    >>> normalization_of("dtype", volume).apply(volume[:][None])
    array([[[0. , 0.2]]], dtype=float32)
    """
    if isinstance(normalize, Normalization):
        return normalize
    if isinstance(normalize, str) and normalize in _NAMED:
        return _NAMED[normalize](volume)
    try:
        subtract, divide = map(_values, normalize)
    except (TypeError, ValueError):
        subtract = divide = ()
    channels = volume.frame.channels or 1
    finite = np.isfinite([*subtract, *divide]).all()
    if {len(subtract), len(divide)} - {1, channels} or 0 in divide or not finite:
        raise ValueError(
            f"normalize must be {', '.join(map(repr, _NAMED))} or (subtract, divide), each of the "
            f"two a finite number or one for each of {channels} channels, and none to divide by 0; "
            f"got {normalize!r}."
        )
    return Numbers(subtract, divide)


def _by_dtype(volume: Volume) -> Normalization:
    return Numbers((0.0,), (_largest(volume.dtype),))


def _by_volume(volume: Volume) -> Normalization:
    return WholeVolume(volume, "moments")


# What ``predict(normalize=...)`` takes by name.
_NAMED: dict[str, Callable[[Volume], Normalization]] = {"dtype": _by_dtype, "volume": _by_volume}


def _values(given: float | Sequence[float]) -> Values:
    return tuple(float(v) for v in np.atleast_1d(given))


def _largest(dtype: np.dtype[Any]) -> float:
    if dtype.kind in "iu" and dtype.itemsize > 2:
        raise ValueError(
            f"Values of {dtype} are rarely spread over its range, so normalize='dtype' would make "
            "them nearly 0. If these are intensities, give normalize='volume' or (subtract, "
            "divide); if they are labels, no network is meant for them."
        )
    return float(np.iinfo(dtype).max) if dtype.kind in "iu" else 1.0


def _moments(data: da.Array) -> da.Array:
    import dask.array as da  # see `kinds.is_dasks`

    values = data.astype(np.float64)
    both: da.Array = da.stack([values.mean(), values.std()])
    return both


def _moments_of(values: NDArray[Any]) -> tuple[float, float]:
    return float(values.mean(dtype=np.float64)), float(values.std(dtype=np.float64))


def _span(counts: NDArray[np.int64], percentiles: tuple[float, float]) -> NDArray[np.float64]:
    """The lower percentile, and how far the upper one is from it; linear between values."""
    upto = np.cumsum(counts)
    at = np.asarray(percentiles) / 100 * (upto[-1] - 1)
    below = np.searchsorted(upto, np.floor(at), "right")
    above = np.searchsorted(upto, np.ceil(at), "right")
    low, high = below + (above - below) * (at % 1)
    return np.array([low, high - low])
