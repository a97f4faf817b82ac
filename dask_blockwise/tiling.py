"""How an axis of a volume is predicted by pieces, so that they equal the prediction at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from .footprint import AxisFootprint

__all__ = ["AxisTiling"]


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
