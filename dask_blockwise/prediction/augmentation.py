"""Test-time augmentation: inputs are turned, and the mean of what is made of them is taken."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .footprint import Footprint

__all__ = ["Augmentation", "augmentation_of", "turned_footprint"]

Array = NDArray[Any]
Turn = Callable[[Array], Array]


class Augmentation(Protocol):
    """In which ways inputs are turned."""

    def mean(self, run: Callable[[Array], Array], arrays: Array) -> Array:
        """The mean of what is made of arrays ``(n, c, ...)`` in each way, turned back."""

    def around(self, footprint: Footprint) -> Footprint:
        """What a network sees in any of these ways.

        Raises
        ------
        ValueError
            If it can't be given turned inputs.
        """


@dataclass(frozen=True)
class Turns:
    """Mirrored along each axis of space, and perhaps turned in planes of y and x."""

    quarters: bool = False

    def mean(self, run: Callable[[Array], Array], arrays: Array) -> Array:
        """See `Augmentation.mean`."""
        space = arrays.ndim - 2
        outputs = (
            _turned(run(_turned(arrays, flips, turn)), flips, turn, back=True)
            for flips in product((False, True), repeat=space)
            for turn in self._turns(flips)
        )
        return _mean(outputs)

    def around(self, footprint: Footprint) -> Footprint:
        """See `Augmentation.around`."""
        return turned_footprint(footprint, self.quarters)

    def _turns(self, flips: Sequence[bool]) -> Iterator[bool]:
        """Whether y and x change places; that and mirrors make all quarter turns."""
        yield False
        if self.quarters and len(flips) > 1:
            yield True


@dataclass(frozen=True)
class OwnTurns:
    """What a person's function makes of an input: others, each with a way back."""

    function: Callable[[Array], Iterable[tuple[Array, Turn]]]

    def mean(self, run: Callable[[Array], Array], arrays: Array) -> Array:
        """See `Augmentation.mean`."""
        return np.stack([_mean(self._outputs(run, array)) for array in arrays])

    def around(self, footprint: Footprint) -> Footprint:
        """See `Augmentation.around`; it may mirror and turn them."""
        return turned_footprint(footprint, quarters=_is_alike(footprint))

    def _outputs(self, run: Callable[[Array], Array], array: Array) -> Iterator[Array]:
        shape = array.shape[1:]
        for turned, back in _checked(self.function(array)):
            (output,) = run(np.ascontiguousarray(turned, np.float32)[None])
            restored = np.asarray(back(output))
            if turned.shape == array.shape and restored.shape != output.shape:
                raise ValueError(
                    f"augment's way back made {restored.shape} of an output of {output.shape}, "
                    f"for an input of {shape} in space: it must undo what was done to the input."
                )
            yield restored


def augmentation_of(given: Any) -> Augmentation | None:
    """What ``augment=`` of predict gives.

    Raises
    ------
    ValueError
        If it is neither a known name nor a function.
    """
    if given is None:
        return None
    if given in ("flips", "rot90"):
        return Turns(quarters=given == "rot90")
    if not callable(given):
        raise ValueError(
            f"augment must be 'flips', 'rot90' or a function that gives pairs of a turned input "
            f"and what turns its output back, got {given!r}."
        )
    return OwnTurns(given)


def turned_footprint(footprint: Footprint, quarters: bool) -> Footprint:
    """What a network sees of an input that is mirrored, and perhaps turned in the last plane.

    Raises
    ------
    ValueError
        If mirrored inputs would have their outputs elsewhere, or y and x aren't alike, or no mean
        can be taken of outputs.

    Examples
    --------
    >>> from dask_blockwise.prediction.footprint import AxisFootprint
    >>> axes = AxisFootprint(halo=(1, 4)), AxisFootprint(halo=(0, 2))
    >>> [axis.halo for axis in turned_footprint(Footprint(axes, 1), quarters=True).axes]
    [(4, 4), (4, 4)]
    """
    if footprint.dtype.kind != "f":
        raise ValueError(
            f"The network gives {footprint.dtype}, such as classes, of which no mean can be taken: "
            "leave augment out, or take its output before they are made."
        )
    if any(axis.lost % 2 for axis in footprint.axes):
        raise ValueError(
            f"The network's output lies half a voxel off the middle of its input (valid "
            f"convolutions take {[axis.lost for axis in footprint.axes]} voxels off), so that of a "
            "mirrored input lies elsewhere: leave augment out."
        )
    axes = [replace(axis, halo=(max(axis.halo),) * 2) for axis in footprint.axes]
    if quarters and len(axes) > 1:
        if not _is_alike(footprint):
            raise ValueError(
                "augment='rot90' turns y to x, along which the network has other strides: "
                "give augment='flips'."
            )
        wide = max(axes[-2].halo[0], axes[-1].halo[0])
        axes[-2:] = [replace(axis, halo=(wide, wide)) for axis in axes[-2:]]
    return replace(footprint, axes=tuple(axes))


def _is_alike(footprint: Footprint) -> bool:
    """Whether the last two axes are cut alike."""
    return len({replace(axis, halo=(0, 0)) for axis in footprint.axes[-2:]}) == 1


def _checked(turned: Any) -> Iterator[tuple[Array, Turn]]:
    try:
        pairs = [(np.asarray(array), back) for array, back in turned]
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"augment's function must give pairs of a turned input and a function that turns its "
            f"output back, got {type(turned).__name__}."
        ) from error
    if not pairs or not all(callable(back) for _, back in pairs):
        raise TypeError(
            "augment's function must give at least one pair of a turned input and a function that "
            "turns its output back."
        )
    yield from pairs


def _turned(arrays: Array, flips: Sequence[bool], turn: bool, back: bool = False) -> Array:
    """Mirrored along axes of space, and y and x exchanged before, or after it is turned back."""
    if turn and not back:
        arrays = arrays.swapaxes(-1, -2)
    arrays = np.flip(arrays, tuple(axis for axis, flipped in enumerate(flips, 2) if flipped))
    return arrays.swapaxes(-1, -2) if turn and back else arrays


def _mean(outputs: Iterable[Array]) -> Array:
    found = iter(outputs)
    total, count = next(found).astype(np.float32), 1
    for output in found:
        total, count = total + output, count + 1
    return np.asarray(total / np.float32(count), np.float32)
