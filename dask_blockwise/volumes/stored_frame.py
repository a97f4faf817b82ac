"""Frame and source of an array in a store, as it is asked for."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from ..geometry.axes import AXES
from ..geometry.units import check_units
from ..storage.arrays import StoredArray, open_array
from ..storage.checked import understood
from ..storage.formats import Strict
from ..storage.label_lists import is_image_label
from ..storage.placing import placed_as
from .frame import Frame, check_axes
from .kinds import Stored
from .meaning import are_names, stands_for_in

__all__ = ["OnCorrupt", "OnMissing", "OpenOptions", "stored_frame"]

OnMissing = Literal["fill", "raise"]
OnCorrupt = Literal["raise", "fill"]


@dataclass(frozen=True)
class OpenOptions:
    """How a stored volume is opened, as ``open_volume`` documents it."""

    stands_for: tuple[float, float] | None = None
    on_missing: OnMissing = "fill"
    on_corrupt: OnCorrupt = "raise"
    axes: Sequence[str] | None = None
    voxel_size: Sequence[Any] | None = None
    offset: Sequence[Any] | None = None
    unit: str | Sequence[str] | None = None

    def __post_init__(self) -> None:
        check_units(self.unit)
        if self.on_missing not in get_args(OnMissing):
            raise ValueError(f"on_missing is 'fill' or 'raise', got {self.on_missing!r}.")
        if self.on_corrupt not in get_args(OnCorrupt):
            raise ValueError(f"on_corrupt is 'raise' or 'fill', got {self.on_corrupt!r}.")


def stored_frame(path: str | os.PathLike[str], options: OpenOptions) -> tuple[Frame, Stored]:
    """Of an array, or of the first level of an image."""
    stored = _reading(open_array(path), options)
    placement = placed_as(stored, options.axes, options.voxel_size, options.offset, options.unit)
    with understood(stored.path):
        if stored.dtype.kind not in "buifc":
            raise ValueError(f"voxels must be numbers, and these are {stored.dtype}")
        order = _time_and_channels_first(placement.axes)
        placement = placement.along([placement.axes[n] for n in order])
        check_axes(placement.axes, len(stored.shape))
    stored = stored.turned(order)
    frame = Frame(
        shape=stored.shape,
        dtype=stored.dtype,
        placement=placement,
        chunks=stored.chunks,
        shards=stored.shards,
        stands_for=options.stands_for or stands_for_in(stored.attributes),
        names=are_names(stored.attributes) or _is_in_image_label(stored),
    )
    return frame, Stored(stored, placement.axes)


def _time_and_channels_first(axes: Sequence[str]) -> list[int]:
    """The axes' numbers with time and then channels first; those of space as they are."""
    of_space = AXES.index("c") + 1
    return sorted(range(len(axes)), key=lambda n: min(AXES.index(axes[n]), of_space))


def _reading(stored: StoredArray, options: OpenOptions) -> StoredArray:
    """The array, whose reads do with chunks that are missing or damaged what was asked for."""
    if options.on_corrupt == "fill":
        if not stored.tells_corrupt:
            raise ValueError(
                f"{stored.path} is {stored.format.title}, of which it isn't told apart what is "
                "damaged: leave on_corrupt out."
            )
        stored = replace(stored, fills_corrupt=True)
    return _strict(stored) if options.on_missing == "raise" else stored


def _strict(stored: StoredArray) -> StoredArray:
    """The same array, whose reads raise of a chunk that isn't there."""
    if not isinstance(stored.format, Strict):
        raise ValueError(
            f"{stored.path} is {stored.format.title}, of which it isn't known whether chunks are "
            "missing: leave on_missing out."
        )
    return replace(stored, format=stored.format.strict()).again()


def _is_in_image_label(stored: StoredArray) -> bool:
    """Whether the group that holds it says that it labels an image."""
    return stored.zarr_format is not None and is_image_label(stored.location.rpartition("/")[0])
