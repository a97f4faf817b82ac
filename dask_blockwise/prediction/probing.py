"""Probing: which input voxels an output voxel of a network depends on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .footprint import Footprint, UnfitNetworkError
from .outputs import UnfitOutputError
from .perturbations import UNKNOWN, Spread, changed
from .probed_axis import ProbedAxis

__all__ = ["probe"]

Array = NDArray[np.float32]
Run = Callable[[Array], NDArray[Any]]

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
        If it gives other values each time, or an output voxel depends on all of the input, as with
        instance normalisation, or on where the input begins.

    Examples
    --------
    >>> from scipy.ndimage import correlate1d
    >>> probe(lambda image: correlate1d(image, [1, 2, 3, 2, 1]), 1, 2).axes[1].halo
    (2, 2)
    >>> probe(lambda image: correlate1d(image, [1, 2, 3, 2, 1]) > 0.5, 1, 2).axes[1].halo
    (2, 2)
    """
    shape, output = _accepted(run, channels, dimensions, only_shape)
    _check_repeats(run, shape)
    watched = _Watched(run)
    axes = [
        ProbedAxis.of(watched, shape, axis, only_shape is not None, spread)
        for axis in range(dimensions)
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
    reason = _reason(failure) if failure else "its output has other axes"
    tried = f"the size {only}" if only else f"sizes {min(_WIDTHS)} to {max(_WIDTHS)}"
    raise UnfitNetworkError(
        f"The network takes no input of {channels} channels and {dimensions} axes of space (tried "
        f"{tried}): {reason}. "
        "Give it a volume with the channels that it was trained on; it is run in float32, so that "
        "nothing in it may need another type, such as half."
    )


def _reason(failure: Exception) -> str:
    """The line that says it: torch's interpreter has where it was before, and the error last."""
    lines = [line for line in str(failure).splitlines() if line.strip()] or [""]
    if "TorchScript interpreter" in lines[0]:
        return lines[-1].strip()
    return f"{type(failure).__name__}: {lines[0]}".rstrip(".")


def _check_repeats(run: Run, shape: tuple[int, ...]) -> None:
    """Refuse what draws random numbers, or remembers what it was given before."""
    image = UNKNOWN.draw((1, *shape), 6)
    if changed(run(image), run(image)).any():
        raise ValueError(
            "The network gives other values each time that it is given the same, so blocks would "
            "not fit one another: call eval() before it is traced or exported, so that dropout is "
            "off, and leave out of it random numbers and what it remembers."
        )
