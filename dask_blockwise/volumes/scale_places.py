"""Places of outputs that are scales of precomputed data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..geometry.boxes import Index
from ..storage.arrays import StoredArray
from ..storage.scale_output import ScaleOutput
from ..storage.scales import clear_room, keys_of
from .frame import Frame
from .places import Place
from .record import Record

__all__ = ["ScaleLevels", "ScalePlace"]


@dataclass(frozen=True)
class ScalePlace:
    """A scale of precomputed data."""

    # Of all scales, and its key: absolute or a URL.
    path: str
    kind: ScaleOutput

    @property
    def array_path(self) -> str:
        """See `Place`."""
        return self.path

    def record(self) -> Record | None:
        """See `Place`."""
        return Record.in_attributes(self.kind.record(self.path))

    def write(self, record: Record) -> None:
        """See `Place`."""
        self.kind.write_record(self.path, record.attributes)

    def create(
        self, frame: Frame, settings: Mapping[str, Any], record: Record, **said: Any
    ) -> StoredArray:
        """See `Place`."""
        return self.kind.create(
            *(self.path, frame.placement, frame.shape, frame.dtype, settings["block"]),
            attributes=said,
            record=record.attributes,
        )

    def tell(self) -> None:
        """See `Place`."""


@dataclass(frozen=True)
class ScaleLevels:
    """Coarser scales of precomputed data."""

    # Of all scales.
    path: str
    kind: ScaleOutput
    aligned = True

    def at(self, number: int, frame: Frame, factors: Index, method: str) -> Place:
        """See `LevelPlaces`."""
        return ScalePlace(self.kind.path_in(self.path, frame.placement), self.kind)

    def there(self) -> Iterator[str]:
        """See `LevelPlaces`."""
        return (f"{self.path}/{key}" for key in keys_of(self.path)[1:])

    def listed(self) -> list[str]:
        """See `LevelPlaces`."""
        return list(self.there())

    def keep_only(self, paths: Sequence[str]) -> None:
        """See `LevelPlaces`."""
        clear_room(self.path, [path.rpartition("/")[2] for path in paths])
