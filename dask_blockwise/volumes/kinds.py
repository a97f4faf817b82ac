"""Sources that compute nothing: arrays in memory, arrays in a store, and checkpoints."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Self

import dask.array as da
import numpy as np
from dask.base import compute
from numpy.typing import NDArray

from ..geometry.boxes import Index, bounded, full_box
from ..storage.arrays import StoredArray, open_array
from .options import StoreOptions
from .source import Source, Voxels

__all__ = ["Checkpoint", "InMemory", "Stored", "Turned"]


@dataclass(frozen=True, eq=False)
class InMemory(Source):
    """A numpy or dask array."""

    array: Any
    axes: tuple[str, ...]

    inputs = ()
    kind = "ArrayVolume"

    def read(self, begin: Index, end: Index) -> NDArray[Any]:
        """See `Source.read`."""
        values = self.array[full_box(self.axes, begin, end)]
        if isinstance(values, da.Array):
            # Within a task, where no other scheduler may be asked.
            (values,) = compute(values, scheduler="synchronous")
        return np.asarray(values)

    def dask_array(self) -> da.Array | None:
        """The array itself, where it is one of dask's."""
        return self.array if isinstance(self.array, da.Array) else None


@dataclass(frozen=True, eq=False)
class Stored(Source):
    """An array in a store."""

    stored: StoredArray
    axes: tuple[str, ...]
    # Whether the run that reads it writes it too.
    written: bool = False

    inputs = ()
    kind = "StoredVolume"

    def read(self, begin: Index, end: Index) -> NDArray[Any]:
        """See `Source.read`."""
        return self.stored.read(self.box(begin, end))

    def box(self, begin: Index, end: Index) -> tuple[slice, ...]:
        """A box without channels, along all axes."""
        return bounded(full_box(self.axes, begin, end), self.stored.shape)

    def prepared(self, inputs: tuple[Any, ...]) -> Self:
        """Read without asking the store each time, unless it is written meanwhile."""
        return self if self.written else replace(self, stored=self.stored.steady())


@dataclass(frozen=True, eq=False)
class Turned(Source):
    """What is stored or in memory, with its axes in another order."""

    # It, which is computed from nothing.
    of: Voxels
    # Which of its axes come first, second, and so on.
    order: Index

    inputs = ()

    def read(self, begin: Index, end: Index) -> NDArray[Any]:
        """See `Source.read`."""
        names = self.of.frame.axes
        turned = [names[n] for n in self.order if names[n] != "c"]
        block_axes = self.of.frame.placement.block_axes
        low, high = (
            tuple(side[turned.index(axis)] for axis in block_axes) for side in (begin, end)
        )
        return self.of.source.read(low, high).transpose(self.order)

    def prepared(self, inputs: tuple[Any, ...]) -> Self:
        """With what it reads prepared."""
        return replace(self, of=replace(self.of, source=self.of.source.prepared(())))


@dataclass(frozen=True, eq=False)
class Checkpoint(Source):
    """What is stored on the way to what is made from it; a preview computes it."""

    # The volume that it stores, alone.
    inputs: tuple[Voxels]
    path: str
    options: StoreOptions = field(default_factory=StoreOptions)

    @property
    def made(self) -> Voxels:
        """The volume that it stores."""
        return self.inputs[0]

    def read(self, begin: Index, end: Index) -> NDArray[Any]:
        """See `Source.read`."""
        return self.made.source.read(begin, end)

    def dask_array(self) -> da.Array | None:
        """That of what it stores."""
        return self.made.source.dask_array()

    def stored(self) -> Stored:
        """What is made from it reads it so, once it is stored."""
        return Stored(open_array(self.path), self.made.frame.axes)
