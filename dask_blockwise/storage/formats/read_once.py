"""Which regions of an array are read once, as far as can be told, and needn't be kept."""

from __future__ import annotations

from collections import deque
from math import prod

from ...geometry.boxes import Box, is_whole
from .protocol import Layout

__all__ = ["ReadOnce"]

# Smaller chunks are had from memory that is in use already, and cost next to nothing to keep.
_LARGE_CHUNK = 1 << 20
# Regions that are remembered: more than threads of a process read at once.
_REMEMBERED = 64


class ReadOnce:
    """Tells regions that no other block is likely to read, of an array that is read by blocks.

    They are those of whole chunks, as blocks without a halo read: to keep these takes new memory
    for each, a fifth of what a threshold takes. Not so a whole array, which every block may read,
    nor shards, of which it is kept too where their chunks lie, nor all that is read from the time
    on when a region was read again, as by several stages that share an input.

    Examples
    --------
    >>> import numpy as np
    >>> layout = Layout((4096, 1024), np.dtype("uint8"), (1024, 1024), None)
    >>> once, chunk = ReadOnce(layout), (slice(0, 1024), slice(0, 1024))
    >>> once.is_likely(chunk), once.is_likely(chunk), once.is_likely(chunk)
    (True, False, False)
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        large = prod(layout.chunks) * layout.dtype.itemsize >= _LARGE_CHUNK
        self._never = not large or layout.shards is not None
        self._last: deque[tuple[tuple[int, int], ...]] = deque(maxlen=_REMEMBERED)

    def is_likely(self, region: Box) -> bool:
        """Whether a region that is about to be read won't be read again."""
        shape = self._layout.shape
        is_all = all(side.stop - side.start == n for side, n in zip(region, shape, strict=True))
        if self._never or is_all or not is_whole(region, self._layout.chunks, shape):
            return False
        sides = tuple((side.start, side.stop) for side in region)
        self._never = sides in self._last
        self._last.append(sides)
        return not self._never
