"""Metadata that others wrote a little differently, as TensorStore and zarr-python take them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["N5_COMPRESSIONS", "n5_as_taken", "without_threads", "zarr3_as_taken"]

# Of N5, with what TensorStore knows of each; others also keep how many threads packed it and such.
N5_COMPRESSIONS = {
    "raw": (),
    "gzip": ("level", "useZlib"),
    "bzip2": ("blockSize",),
    "xz": ("preset",),
    "blosc": ("cname", "clevel", "shuffle", "blocksize"),
    "zstd": ("level",),
}

_OF_PLACE = ("axes", "resolution", "units")
_FILL = {"bool": False, "complex64": [0, 0], "complex128": [0, 0]}


def without_threads(value: Any) -> Any:
    """Without the number of threads, which some writers of blosc record.

    Examples
    --------
    >>> without_threads({"compression": {"type": "blosc", "clevel": 5, "nthreads": 4}})
    {'compression': {'type': 'blosc', 'clevel': 5}}
    """
    if isinstance(value, Mapping):
        return {key: without_threads(each) for key, each in value.items() if key != "nthreads"}
    return [without_threads(each) for each in value] if isinstance(value, list) else value


def n5_as_taken(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes of N5 with the compression as an object, as it is since 2.0, and nothing unknown.

    Examples
    --------
    >>> n5_as_taken({"dimensions": [4], "compressionType": "gzip"})
    {'dimensions': [4], 'compression': {'type': 'gzip'}}
    >>> n5_as_taken({"compression": {"type": "zstd", "level": 3, "nbWorkers": 0}})
    {'compression': {'type': 'zstd', 'level': 3}}
    """
    taken: dict[str, Any] = _without_odd_places(dict(attributes))
    kind = taken.pop("compressionType", "raw")
    return {**taken, "compression": _known_of(taken.get("compression", {"type": kind}))}


def _known_of(compression: Any) -> Any:
    """What TensorStore knows of a compression; of another kind all, for what is to be said."""
    kind = compression.get("type") if isinstance(compression, Mapping) else None
    known = N5_COMPRESSIONS.get(kind) if isinstance(kind, str) else None
    if known is None:
        return compression
    return {key: value for key, value in compression.items() if key in ("type", *known)}


def _without_odd_places(attributes: dict[str, Any]) -> dict[str, Any]:
    """Without what says where it lies, where it isn't a list of one for each dimension.

    TensorStore refuses such an array, though others write sizes of those of space alone.
    """
    dimensions = attributes.get("dimensions")
    count = len(dimensions) if isinstance(dimensions, list) else 0
    places = [attributes[key] for key in _OF_PLACE if key in attributes]
    names = attributes.get("axes", [])
    alike = isinstance(names, list) and len(set(map(str, names))) < len(names)
    if not alike and all(isinstance(place, list) and len(place) == count for place in places):
        return attributes
    return {key: value for key, value in attributes.items() if key not in _OF_PLACE}


def zarr3_as_taken(document: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata of zarr 3 with zeros for fill_value null, no attributes for null, and no threads.

    Examples
    --------
    >>> zarr3_as_taken({"data_type": "uint8", "fill_value": None, "attributes": None})
    {'data_type': 'uint8', 'fill_value': 0, 'attributes': {}}
    """
    taken = dict(document)
    if "codecs" in taken:
        taken["codecs"] = without_threads(taken["codecs"])
    if taken.get("fill_value", 0) is None:
        taken["fill_value"] = _FILL.get(str(taken.get("data_type")), 0)
    if taken.get("attributes", 0) is None:
        taken["attributes"] = {}
    return taken
