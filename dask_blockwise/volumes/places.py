"""Places of outputs: an image of its own, or one more level of an image."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from typing import Any, Protocol

from ..geometry.boxes import Index
from ..storage.arrays import StoredArray, create_image, node_attributes
from ..storage.levels import OUR_METHOD, create_level, level_after, list_level, listed_levels
from ..storage.location import location_of
from .frame import Frame
from .record import Record

__all__ = ["ImageLevels", "ImagePlace", "LevelPlace", "LevelPlaces", "Place"]

_DESCRIPTION = {
    "mean": "mean, of integers rounded half to even",
    "labels": "most frequent label but background (0), of several the rarest in the cells around",
}


class Place(Protocol):
    """Where an output lies, and its record."""

    @property
    def path(self) -> str:
        """As people are told of it."""

    @property
    def array_path(self) -> str:
        """Of its array, in which its marks lie."""

    def record(self) -> Record | None:
        """That of what lies there, if it was written here."""

    def write(self, record: Record) -> None:
        """Keep a record there."""

    def create(
        self, frame: Frame, settings: Mapping[str, Any], record: Record, **said: Any
    ) -> StoredArray:
        """Make its array anew, with what is said of it among its attributes."""

    def tell(self) -> None:
        """See to it that metadata tell of the array that is there."""


class LevelPlaces(Protocol):
    """Where coarser levels of an output lie."""

    @property
    def path(self) -> str:
        """Of all levels, for people."""

    @property
    def aligned(self) -> bool:
        """Whether voxels of a level lie whole ones of it from the world's origin."""

    def at(self, number: int, frame: Frame, factors: Index, method: str) -> Place:
        """The place of one, counted from 1 on."""

    def there(self) -> Iterator[str]:
        """Paths of the arrays that may be levels, from the first coarser one on."""

    def listed(self) -> list[str]:
        """Paths of levels that metadata tell of, wherever they lie."""

    def keep_only(self, paths: Sequence[str]) -> None:
        """Remove levels that lie elsewhere."""


@dataclass(frozen=True)
class ImagePlace:
    """An image of its own, of which the first level is the output."""

    # Absolute, or a URL.
    path: str

    @property
    def array_path(self) -> str:
        """See `Place`."""
        return f"{self.path}/s0"

    def record(self) -> Record | None:
        """See `Place`."""
        return Record.at(self.path)

    def write(self, record: Record) -> None:
        """See `Place`."""
        record.write(self.path)

    def create(
        self, frame: Frame, settings: Mapping[str, Any], record: Record, **said: Any
    ) -> StoredArray:
        """See `Place`."""
        return create_image(
            self.path,
            frame.placement,
            frame.shape,
            attributes=said,
            group_attributes=record.attributes,
            **settings,
        )

    def tell(self) -> None:
        """See `Place`."""


@dataclass(frozen=True)
class LevelPlace:
    """One more level of an image."""

    # Of the image, absolute or a URL.
    image: str
    # Of the level and of the one that it is a coarser one of, within the image.
    name: str
    first: str
    # Of its voxels to those of the first, along all axes but "c".
    factors: Index
    method: str
    zarr_format: int
    axes: tuple[str, ...]

    @property
    def path(self) -> str:
        """See `Place`."""
        return f"{self.image}/{self.name}"

    @property
    def array_path(self) -> str:
        """See `Place`."""
        return self.path

    def record(self) -> Record | None:
        """See `Place`."""
        return Record.in_attributes(node_attributes(self.path))

    def write(self, record: Record) -> None:
        """See `Place`."""
        record.write(self.path)

    def create(
        self, frame: Frame, settings: Mapping[str, Any], record: Record, **said: Any
    ) -> StoredArray:
        """See `Place`."""
        self.tell()
        rest = {key: value for key, value in settings.items() if key != "overwrite"}
        ours = {key: {**value, **record.attributes[key]} for key, value in said.items()}
        return create_level(
            self.image, self.name, frame.placement, frame.shape, attributes=ours, **rest
        )

    def tell(self) -> None:
        """See `Place`."""
        rest = iter(self.factors)
        list_level(
            location_of(self.image),
            self.zarr_format,
            self.name,
            first=self.first,
            factors=tuple(1 if axis == "c" else next(rest) for axis in self.axes),
            how=self._how,
        )

    @cached_property
    def _how(self) -> dict[str, Any]:
        """Type and metadata, as OME-Zarr has them."""
        described = _DESCRIPTION.get(self.method, self.method)
        metadata = {"description": described, "method": OUR_METHOD}
        return {
            "type": self.method,
            "metadata": metadata | {"kwargs": {"method": self.method}},
        }


@dataclass(frozen=True)
class ImageLevels:
    """Levels after one of an image, called by the next names."""

    # Of the image, absolute or a URL; and of the level from which they are made, within it.
    path: str
    base: str = "s0"
    zarr_format: int = 3
    aligned = False

    def at(self, number: int, frame: Frame, factors: Index, method: str) -> Place:
        """See `LevelPlaces`."""
        name = level_after(self.base, number)
        return LevelPlace(
            *(self.path, name, self.base, factors, method, self.zarr_format, frame.axes)
        )

    def there(self) -> Iterator[str]:
        """See `LevelPlaces`."""
        return (f"{self.path}/{level_after(self.base, number)}" for number in count(1))

    def listed(self) -> list[str]:
        """See `LevelPlaces`; without that from which they are made."""
        names = listed_levels(self.path, self.base)
        return [f"{self.path}/{name}" for name in names if name != self.base]

    def keep_only(self, paths: Sequence[str]) -> None:
        """See `LevelPlaces`; they go by fixed names, of which none is elsewhere."""
