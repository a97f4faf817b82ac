"""zarr 2 and 3: TensorStore reads and writes, and zarr-python where TensorStore lacks a codec.

zarr-python also words the metadata of new arrays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import zarr
from zarr.storage import MemoryStore

from ..checked import MEND, NOT_UNDERSTOOD, mapping, placing_or_why_not
from ..documents import read_json
from ..location import on_disk
from .by_tensorstore import TensorStoreArray, open_tensorstore
from .compressors import codec_for
from .dimension_units import of_dimension_units
from .found_names import check_names, has_units, likely_names, some_names
from .mended import without_threads, zarr3_as_taken
from .numbered_levels import numbered_levels
from .protocol import OpenArray
from .registry import register
from .transform import of_transform
from .unit_names import UnitNames, zarr2_names, zarr3_names
from .zarr_python import open_zarr_python

__all__ = ["Zarr", "Zarr2", "Zarr3", "new_array_documents"]


_DRIVERS = {2: "zarr", 3: "zarr3"}
_OF_GROUPS = ("zarr.json", ".zgroup")
_OTHER = {".": "/", "/": "."}


class Zarr:
    """What arrays of both versions have in common."""

    name: ClassVar[str]
    version: ClassVar[int]
    # Of the document that tells of the array.
    told_by: ClassVar[str]
    # Whether chunks that aren't there are read as fill value.
    fills: bool
    title = "zarr, OME-Zarr"

    def find(self, location: str) -> Mapping[str, Any] | None:
        """Attributes of an array of this version."""
        raise NotImplementedError

    def taken(self, document: Mapping[str, Any]) -> Mapping[str, Any]:
        """The document that tells of an array, as libraries take it."""
        raise NotImplementedError

    def levels(self, location: str) -> list[str] | None:
        """Of a group whose arrays are called s0, s1 and so on; OME-Zarr's are known before."""
        is_group = any(read_json(location, name) for name in _OF_GROUPS)
        is_group = is_group and self.find(location) is None
        return numbered_levels(location, "s", self.told_by) if is_group else None

    def open(self, location: str, rechecks: bool) -> OpenArray:
        """Open by TensorStore, or else by zarr-python, which caches nothing."""
        document = read_json(location, self.told_by)
        taken = self.taken(document)
        # What has been read of a distant store isn't asked for again.
        own = on_disk(location) and taken == document
        instead = None if own else (self.told_by, taken)
        driver = _DRIVERS[self.version]
        try:
            return TensorStoreArray(
                open_tensorstore(driver, location, rechecks, fills=self.fills, instead=instead)
            )
        except (ValueError, NotImplementedError):
            # A codec, filter or data type that TensorStore doesn't have, or a setting that it
            # refuses, such as zlib's own level of gzip, -1, in what n5-zarr has written.
            return open_zarr_python(location, taken, self.fills)


@dataclass(frozen=True)
class Zarr3(Zarr):
    """Arrays of zarr 3."""

    name = "zarr3"
    version = 3
    told_by = "zarr.json"
    noticed_by = (told_by,)
    fills: bool = True

    def find(self, location: str) -> Mapping[str, Any] | None:
        """Attributes of an array; the names of its dimensions are among them."""
        document = read_json(location, "zarr.json")
        if document.get("node_type") != "array":
            if document and document.get("node_type") != "group":
                raise ValueError(
                    f"node_type of {location}/zarr.json should be 'array' or 'group', and is "
                    f"{document.get('node_type')!r}. {MEND}"
                )
            return None
        names = document.get("dimension_names")
        named = {"axis_names": names} if names else {}
        own = _own(dict(mapping(document.get("attributes") or {}, "attributes")))
        return named | own | placing_or_why_not(lambda: of_dimension_units(own))

    def taken(self, document: Mapping[str, Any]) -> Mapping[str, Any]:
        """Without nulls and threads."""
        return zarr3_as_taken(document)

    def matched(self, location: str) -> Zarr3:
        """Itself, where chunks are named as the encoding of keys has it."""
        document = self.document(location)
        names = zarr3_names(document)
        if names is not None:
            mend = "write in zarr.json how they are named (chunk_key_encoding)"
            likely = likely_names([names], document["shape"], _outer_chunks(document))
            there = some_names(location, likely)
            check_names(location, there, names, len(document["shape"]), mend)
        return self

    def strict(self) -> Zarr3:
        """Raise of chunks that aren't there."""
        return replace(self, fills=False)

    def unit_names(self, location: str) -> UnitNames | None:
        """By the encoding of keys."""
        return zarr3_names(self.document(location))

    def document(self, location: str) -> Mapping[str, Any]:
        """All but the attributes."""
        document = read_json(location, "zarr.json")
        return {key: value for key, value in document.items() if key != "attributes"}


@dataclass(frozen=True)
class Zarr2(Zarr):
    """Arrays of zarr 2."""

    name = "zarr"
    version = 2
    told_by = ".zarray"
    noticed_by = (told_by,)
    fills: bool = True
    # What is between numbers in names of chunks, where metadata say otherwise or nothing.
    separator: str | None = None

    def find(self, location: str) -> Mapping[str, Any] | None:
        """Attributes of an array, from the document beside that which tells of it."""
        return _own(read_json(location, ".zattrs")) if read_json(location, ".zarray") else None

    def taken(self, document: Mapping[str, Any]) -> Mapping[str, Any]:
        """With the separator of the files, and without threads."""
        separator = {"dimension_separator": self.separator} if self.separator else {}
        return {**without_threads(document), **separator}

    def matched(self, location: str) -> Zarr2:
        """With the separator that the files have."""
        document = self.document(location)
        told, dimensions = zarr2_names(document), len(document["shape"])
        other = replace(told, separator=_OTHER.get(told.separator, "."))
        likely = likely_names([told, other], document["shape"], document["chunks"])
        there = some_names(location, likely)
        if dimensions < 2 or not has_units(there, other, dimensions):
            mend = "write in .zarray how they are named (dimension_separator)"
            check_names(location, there, told, dimensions, mend)
            return self
        if has_units(there, told, dimensions):
            raise ValueError(
                f"{location} has chunks by two kinds of names, with {told.separator!r} as its "
                f"metadata say and with {other.separator!r}: remove those that are left over"
            )
        return replace(self, separator=other.separator)

    def strict(self) -> Zarr2:
        """Raise of chunks that aren't there."""
        return replace(self, fills=False)

    def unit_names(self, location: str) -> UnitNames:
        """By the separator of numbers."""
        return zarr2_names(self.taken(self.document(location)))

    def document(self, location: str) -> Mapping[str, Any]:
        """The document that tells of the array."""
        return read_json(location, ".zarray")


def new_array_documents(
    zarr_format: int,
    axes: Sequence[str] | None,
    compressor: str | Mapping[str, Any] | None,
    separator: str = "/",
    **settings: Any,
) -> dict[str, bytes]:
    """Metadata of a new zarr array; other settings are those of zarr-python."""
    documents: dict[str, Any] = {}
    zarr.create_array(
        MemoryStore(documents),
        zarr_format=zarr_format,  # type: ignore[arg-type]
        dimension_names=axes if zarr_format == 3 else None,
        compressors=codec_for(compressor, zarr_format),
        chunk_key_encoding={
            "name": "v2" if zarr_format == 2 else "default",
            "separator": separator,
        },
        **settings,
    )
    return {name: document.to_bytes() for name, document in documents.items()}


def _outer_chunks(document: Mapping[str, Any]) -> Sequence[int]:
    """Voxels of a file; where the grid is of another kind, of all."""
    grid = mapping(document.get("chunk_grid"), "chunk_grid").get("configuration", {})
    sizes: Sequence[int] = grid.get("chunk_shape", document["shape"])
    return sizes


def _own(attributes: dict[str, Any]) -> dict[str, Any]:
    """With the place that a transform has; one of another kind is left to whoever wrote it."""
    transform = attributes.get("transform")
    known = isinstance(transform, Mapping) and "scale" in transform
    if not known:
        return attributes
    placing = placing_or_why_not(lambda: of_transform(attributes, x_first=False))
    return {**attributes, **placing} if NOT_UNDERSTOOD in placing else placing


register(Zarr3())
register(Zarr2())
