"""Sources that compute nothing: arrays in memory or in a store, checkpoints, turned axes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np
from dask.base import compute
from numpy.typing import NDArray

from ..geometry.boxes import Index, bounded, full_box
from ..storage.arrays import StoredArray, open_array
from ..storage.casting import as_dtype, unmasked
from ..storage.foreign import as_stored
from .options import StoreOptions
from .source import Source, Voxels

if TYPE_CHECKING:
    import dask.array as da

__all__ = ["AnyVoxels", "Checkpoint", "InMemory", "Stored", "Turned", "checkpointed"]

AnyVoxels = TypeVar("AnyVoxels", bound=Voxels)


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
        if is_dasks(values):
            # Within a task, where no other scheduler may be asked.
            (values,) = compute(values, scheduler="synchronous")
        return unmasked(values, "An array")

    def __recipe__(self) -> Any:
        """The values; of what dask is still to compute, what it calls them, and its functions."""
        if not is_dasks(self.array):
            return {"array": self.array, "axes": self.axes}
        return {"dask": self.array.name, "axes": self.axes, "functions": _functions(self.array)}

    @property
    def arrays(self) -> tuple[StoredArray, ...]:
        """Those that dask is to read from stores, as far as they are known."""
        if not is_dasks(self.array):
            return ()
        found = (as_stored(value) for value in _held(self.array))
        return tuple({array.location: array for array in found if array is not None}.values())

    def dask_array(self) -> da.Array | None:
        """The array itself, where it is one of dask's; in the processor's order of bytes."""
        if not is_dasks(self.array):
            return None
        native: da.Array = self.array.astype(self.array.dtype.newbyteorder("="))
        return native


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

    def __recipe__(self) -> Any:
        """What it is, wherever it lies; its content is known by its files."""
        return {"stored": self.stored, "axes": self.axes}

    def box(self, begin: Index, end: Index) -> tuple[slice, ...]:
        """A box without channels, along all axes."""
        return bounded(full_box(self.axes, begin, end), self.stored.shape)

    def prepared(self, inputs: tuple[Any, ...]) -> Self:
        """Read without asking the store each time, unless it is written meanwhile."""
        return self if self.written else replace(self, stored=self.stored.steady())


@dataclass(frozen=True, eq=False)
class Turned(Source):
    """A volume with its axes in another order."""

    inputs: tuple[Voxels]
    # Which of the input's axes but "c" come first, second, and so on.
    order: Index

    def read(self, begin: Index, end: Index) -> NDArray[Any]:
        """See `Source.read`."""
        (volume,) = self.inputs
        low, high = map(self.back, (begin, end))
        return volume.source.read(low, high).transpose(volume.frame.full_order(self.order))

    def is_empty(self, begin: Index, end: Index) -> bool:
        """See `Source.is_empty`."""
        return self.inputs[0].source.is_empty(*map(self.back, (begin, end)))

    @property
    def empty_is_zero(self) -> bool:
        """See `Source.empty_is_zero`."""
        return self.inputs[0].source.empty_is_zero

    @property
    def masks(self) -> tuple[Any, ...]:
        """See `Source.masks`."""
        return self.inputs[0].source.masks

    def back(self, values: Index) -> Index:
        """What is given along its own axes but "c", along those of the input."""
        return tuple(values[n] for n in np.argsort(self.order))


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

    def __recipe__(self) -> Any:
        """What it stores, in which blocks, of which version and as what."""
        options = self.options
        stored = {"block": options.block_shape, "version": options.version}
        return {"of": self.made, **stored, **options.stored_as.recipe}

    def read(self, begin: Index, end: Index) -> NDArray[Any]:
        """See `Source.read`."""
        values = self.made.source.read(begin, end)
        return as_dtype(values, self.options.stored_as.of(self.made.frame), self.path)

    @property
    def largest_id(self) -> int | None:
        """See `Source.largest_id`."""
        return self.made.source.largest_id

    def dask_array(self) -> da.Array | None:
        """That of what it stores, where that is of the same dtype."""
        return None if self.options.stored_as.dtype else self.made.source.dask_array()

    def stored(self) -> Stored:
        """What is made from it reads it so, once it is stored."""
        return Stored(open_array(self.path), self.made.frame.axes)


def checkpointed(volume: AnyVoxels, path: str, options: StoreOptions) -> AnyVoxels:
    """The same volume, stored at a path on the way to what is made from it."""
    frame = volume.frame.with_block(volume.frame.checked_block(options.block_shape))
    frame = replace(frame, dtype=options.stored_as.of(volume.frame))
    return replace(volume, frame=frame, source=Checkpoint((volume,), path, options))


def before_checkpoint(volume: AnyVoxels, path: str) -> AnyVoxels:
    """What a volume is made of that is a checkpoint at this very path; else the volume."""
    source = volume.source
    if not isinstance(source, Checkpoint) or source.path != path:
        return volume
    return replace(volume, frame=source.made.frame, source=source.made.source)


def is_dasks(array: Any) -> bool:
    """Whether an array is one of dask's.

    There are none before somebody has imported dask.array. That is left to what computes with it,
    as it brings xarray, pandas and scipy where these are installed: a worker process that has no
    use for them takes twice as long to start.
    """
    return isinstance(array, getattr(sys.modules.get("dask.array"), "Array", ()))


def _held(array: da.Array) -> Iterator[Any]:
    """What dask is to give to functions."""
    for task in dict(array.__dask_graph__()).values():
        yield task
        for given in (*getattr(task, "args", ()), task):
            yield getattr(given, "value", given)


def _functions(array: da.Array) -> list[Any]:
    """What dask is to call, each once."""
    tasks = dict(array.__dask_graph__()).values()
    called = (getattr(task, "func", None) for task in tasks)
    return list({id(function): function for function in called if function is not None}.values())
