"""How an axis of a volume is predicted by pieces, so that they equal the prediction at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from numbers import Integral

from .footprint import AxisFootprint, Footprint

__all__ = ["AxisTiling", "tilings_of"]


@dataclass(frozen=True)
class AxisTiling:
    """One axis of a volume as a network sees it; input voxels count from the volume's first.

    Examples
    --------
    Six outputs of a network that halves its input, each of which sees one voxel on either side:

    >>> tiling = AxisTiling(13, AxisFootprint(halo=(1, 1), stride=2))
    >>> tiling.outputs, tiling.read(2, 4)
    (6, (2, 10, 1))
    """

    # Voxels of the volume.
    size: int
    network: AxisFootprint
    # Whether to leave out what would need input beyond the volume.
    cropped: bool = False
    # Voxels that the network is given at once.
    given: int | None = None

    @property
    def begin(self) -> int:
        """First input voxel of the prediction at once; negative where context is made up."""
        return 0 if self.cropped else -(self.network.trim // self._ticks)

    @property
    def origin(self) -> int:
        """Ticks before the first output voxel, from the volume's first input voxel."""
        return self.begin * self._ticks + self.network.trim

    @cached_property
    def outputs(self) -> int:
        """Output voxels: those that lie wholly in the volume."""
        net = self.network
        if not self.cropped:
            return (self.size * self._ticks - self.origin) // net.scale.numerator
        whole = self.size - (self.size - net.rest) % net.stride
        return (whole * self._ticks - net.lost) // net.scale.numerator

    @cached_property
    def end(self) -> int:
        """End of the input of the prediction at once."""
        if self.cropped:
            return self.size - (self.size - self.network.rest) % self.network.stride
        return self.begin + self._accepted(max(self._enough(self.outputs), self.size - self.begin))

    @cached_property
    def reach(self) -> int:
        """Output voxels that an input of the given shape is enough for, wherever they begin."""
        if self.given is None or self.begin + self.given >= self.end:
            return self.outputs
        longest = int(self.given / self.network.scale)
        return next((n for n in range(longest, 0, -1) if self._fits(n)), 0)

    def tiles(self, begin: int, end: int) -> Iterator[tuple[int, int]]:
        """Pieces of a range of output voxels, each of one input."""
        step = self.reach if self.given else end - begin
        return ((low, min(low + step, end)) for low in range(begin, end, step))

    def read(self, begin: int, end: int) -> tuple[int, int, int]:
        """What is read for a range of output voxels, and the output voxel that it begins with."""
        low, high = self._wanted(begin, end)
        low, high = max(low, self.begin), min(high, self.end)
        if self.given is not None:
            low = max(self.begin, min(low, self.end - self.given))
            high = low + self.given
        return low, high, (low - self.begin) // self.network.stride * self.network.step

    @property
    def context(self) -> tuple[int, int]:
        """What is read at most before and after an output voxel, in input voxels."""
        net, beyond = self.network, int(-(-self.network.lost // self._ticks))
        far = max(self.given or 0, net.stride + net.rest + beyond)
        return net.halo[0] + far, net.halo[1] + far

    @property
    def _ticks(self) -> int:
        """In an input voxel."""
        return self.network.scale.denominator

    def _fits(self, outputs: int) -> bool:
        spans = (self._wanted(n, n + outputs) for n in range(self.network.step))
        return all(high - low <= (self.given or 0) for low, high in spans)

    def _wanted(self, begin: int, end: int) -> tuple[int, int]:
        """What the network would be given if there were no border."""
        net = self.network
        first = (self.origin + begin * net.scale.numerator) // self._ticks
        last = -(-(self.origin + end * net.scale.numerator) // self._ticks)
        strides = min(begin // net.step, (first - net.halo[0] - self.begin) // net.stride)
        low = self.begin + strides * net.stride
        length = max(self._enough(end - strides * net.step), last + net.halo[1] - low)
        return low, low + self._accepted(length)

    def _enough(self, outputs: int) -> int:
        """The shortest input with so many outputs."""
        return -(-(outputs * self.network.scale.numerator + self.network.lost) // self._ticks)

    def _accepted(self, length: int) -> int:
        """The next length that the network takes."""
        return length + (self.network.rest - length) % self.network.stride


def tilings_of(
    sizes: Sequence[int],
    footprint: Footprint,
    *,
    halo: Sequence[tuple[int, int]] | None = None,
    given: Sequence[int] | None = None,
    cropped: bool = False,
) -> tuple[AxisTiling, ...]:
    """Tile all axes of space; one that the network lacks is tiled by single planes.

    Parameters
    ----------
    sizes : sequence of int
        Voxels of the volume, along each axis of space.
    footprint : Footprint
    halo : sequence of (int, int), optional
        In place of the network's own.
    given : sequence of int, optional
        Voxels that the network is given at once; a plane's for a network of two axes.
    cropped : bool
        Whether to leave out what would need input beyond the volume.

    Returns
    -------
    tuple of AxisTiling

    Raises
    ------
    ValueError
        If the network can't take such inputs, or nothing would be left of them.

    Examples
    --------
    >>> plane = Footprint((AxisFootprint((2, 2)),) * 2, channels=1)
    >>> [tiling.read(4, 5)[:2] for tiling in tilings_of((9, 9, 9), plane)]
    [(4, 5), (2, 7), (2, 7)]
    """
    flat = len(sizes) - len(footprint.axes)
    axes = footprint.axes
    if halo is not None:
        axes = tuple(replace(axis, halo=pair) for axis, pair in zip(axes, halo[flat:]))
    shape = _input_shape(footprint.only_shape if given is None else given, len(sizes))
    tilings = tuple(
        AxisTiling(size, axis, cropped, n)
        for size, axis, n in zip(sizes, (AxisFootprint(),) * flat + axes, shape)
    )
    _check_input(tilings, footprint)
    _check_output(tilings)
    return tilings


def _input_shape(given: Sequence[int] | None, axes: int) -> tuple[int | None, ...]:
    if given is None:
        return (None,) * axes
    shape = tuple(given) if isinstance(given, Iterable) else ()
    if len(shape) == axes - 1:
        shape = (1, *shape)
    if len(shape) != axes or not all(isinstance(n, Integral) for n in shape):
        raise ValueError(
            f"input_shape must be {axes} whole numbers of voxels, one for each axis of space, got "
            f"{given!r}."
        )
    return tuple(map(int, shape))


def _check_input(tilings: Sequence[AxisTiling], footprint: Footprint) -> None:
    given = tuple(tiling.given for tiling in tilings)
    strides = [tiling.network.stride for tiling in tilings]
    rests = [tiling.network.rest for tiling in tilings]
    if footprint.only_shape and given[-len(footprint.axes) :] != footprint.only_shape:
        raise ValueError(
            f"The network was exported for inputs of {footprint.only_shape} alone, got "
            f"input_shape={given}: leave input_shape out, or export it with dynamic shapes."
        )
    if any(n is not None and (n < 1 or n % s != r) for n, s, r in zip(given, strides, rests)):
        raise ValueError(
            f"input_shape must be {len(given)} positive numbers of voxels, which leave {rests} "
            f"after division by the network's stride {strides}, got {given}."
        )


def _check_output(tilings: Sequence[AxisTiling]) -> None:
    given = tuple(tiling.given for tiling in tilings)
    if any(t.outputs < 1 or (t.cropped and t.given and t.given > t.end) for t in tilings):
        raise ValueError(
            f"A volume of {[t.size for t in tilings]} voxels is too small for the network or for "
            "input_shape with boundary='valid': use boundary='reflect', or a smaller input."
        )
    if any(t.reach < 1 for t in tilings):
        raise ValueError(
            f"input_shape {given} leaves nothing after the network's halo "
            f"{[t.network.halo for t in tilings]} and stride {[t.network.stride for t in tilings]}:"
            " give a larger one, or none for that of a block."
        )
