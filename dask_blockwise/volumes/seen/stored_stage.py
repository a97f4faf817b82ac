"""What a run stored, as its report shows it: pictures, objects by size, parameters, provenance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from ...tables import html_columns, html_table
from ..found_places import place_at
from ..frame import Frame
from ..made_by import parameters_in_words
from ..record import Record
from ..region import dask_array
from ..source import Source
from ..stored_frame import OpenOptions, stored_frame
from ..wiring import token_of
from .html import known_of, pictures_of
from .object_sizes import object_sizes, sizes_html, sizes_in_words

if TYPE_CHECKING:
    import dask.array as da

__all__ = ["StoredStage"]

_SAID = ("begin", "end", "host", "user", "python", "verify", "notes")


@dataclass(frozen=True)
class StoredStage:
    """Something that a run stored, looked at when its report is written."""

    path: str

    @property
    def title(self) -> str:
        """Its path."""
        return self.path

    @property
    def ended(self) -> str:
        """When a run last ended that computed some of it."""
        try:
            record = place_at(self.path).record()
        except Exception:  # whatever a store holds, a report is written
            return ""
        return "" if record is None else record.end

    def to_html(self) -> str:
        """Sections, metadata, objects by size, and what it was computed by and from."""
        try:
            return "".join(self._parts())
        except Exception as error:  # whatever a store holds, the rest of a report is written
            return f"<p>It can't be shown: {escape(str(error))}</p>"

    def to_dict(self) -> dict[str, Any]:
        """The same without pictures."""
        try:
            return {"path": self.path, **dict(self._facts())}
        except Exception as error:
            return {"path": self.path, "error": str(error)}

    def _parts(self) -> Iterator[str]:
        volume = _Opened(*stored_frame(self.path, OpenOptions()))
        yield pictures_of(volume)
        yield html_table(known_of(volume))
        yield sizes_html(volume)
        if (record := place_at(self.path).record()) is not None:
            yield from _provenance(record)

    def _facts(self) -> Iterator[tuple[str, Any]]:
        volume = _Opened(*stored_frame(self.path, OpenOptions()))
        yield from known_of(volume).items()
        if (sizes := object_sizes(volume)) is not None:
            yield "objects", sizes_in_words(sizes)
        if (record := place_at(self.path).record()) is not None:
            yield from ((name, getattr(record, name)) for name in _SAID)
            yield "stages", [_stage(stage) for stage in record.stages]
            yield from (("inputs", record.inputs), ("packages", record.packages))


@dataclass(frozen=True, eq=False)
class _Opened:
    """A stored volume without the methods of one."""

    frame: Frame
    source: Source

    @property
    def token(self) -> str:
        return token_of(self)

    @property
    def data(self) -> da.Array:
        return dask_array(self)


def _provenance(record: Record) -> Iterator[str]:
    yield "<h3>Computed by</h3>"
    rows = [tuple(map(str, _stage(stage).values())) for stage in record.stages]
    yield html_columns(("stage", "path", "shape", "parameters"), rows)
    if record.inputs:
        yield "<h3>Read from</h3>"
        names = ("path", "shape", "dtype")
        each = [tuple(str(one.get(name, "")) for name in names) for one in record.inputs]
        yield html_columns(names, each)
    said = {name: getattr(record, name) for name in _SAID if getattr(record, name)}
    packages = ", ".join(f"{name} {number}" for name, number in record.packages.items())
    yield f"<h3>Where and when</h3>{html_table(said | {'packages': packages})}"


def _stage(stage: Mapping[str, Any]) -> dict[str, str]:
    """A stage in a few words."""
    return {
        "stage": str(stage.get("stage", "")),
        "path": str(stage.get("path") or ""),
        "shape": " x ".join(map(str, stage.get("shape") or ())),
        "parameters": parameters_in_words(stage.get("parameters")),
    }
