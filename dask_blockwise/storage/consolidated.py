"""Consolidated metadata: copies, in a group, of the documents of all that lies below it.

Readers such as xarray believe the copies, so they are made anew where what they are of has changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import islice
from typing import Any

from .documents import read_json
from .edits import edit_json
from .location import folders_above

__all__ = ["renew_consolidated"]

_ZARR2 = (".zarray", ".zgroup", ".zattrs")
_INLINE = "consolidated_metadata"
# A level of a label image lies some groups below its container.
_GROUPS_SEARCHED = 8

Documents = dict[str, Any]


def renew_consolidated(location: str) -> None:
    """Renew what groups at a location and above it have of its documents, if they have any.

    Parameters
    ----------
    location : str
        Of an array or group that was added or changed, or removed with all below it.

    Raises
    ------
    OSError
        If the store can't be read or written.
    """
    if read_json(location, ".zmetadata"):
        edit_json(location, ".zmetadata", partial(_renewed_zarr2, location, ""))
    for group, path in islice(folders_above(location), _GROUPS_SEARCHED):
        if read_json(group, ".zmetadata"):
            edit_json(group, ".zmetadata", partial(_renewed_zarr2, group, path))
        if isinstance(read_json(group, "zarr.json").get(_INLINE), Mapping):
            edit_json(group, "zarr.json", partial(_renewed_zarr3, group, path))


def _renewed_zarr2(group: str, path: str, found: Documents) -> Documents:
    """The content of ``.zmetadata``, whose keys are paths of documents."""
    kept = dict(found.get("metadata") or {})
    for node in _on_the_way(path):
        documents = {name: read_json(f"{group}/{node}", name) for name in _ZARR2}
        there = {name: document for name, document in documents.items() if document}
        kept = _without(kept, node, all_below=node == path and not there)
        kept |= {_join(node, name): document for name, document in there.items()}
    return {**found, "metadata": _in_order(kept)} if found else {}


def _renewed_zarr3(group: str, path: str, found: Documents) -> Documents:
    """The group's own document, in which others lie by the paths of what they are of."""
    inline = found.get(_INLINE)
    if not isinstance(inline, Mapping):
        return found
    kept = dict(inline.get("metadata") or {})
    for node in filter(None, _on_the_way(path)):
        document = read_json(f"{group}/{node}", "zarr.json")
        if not document:
            kept = {key: of for key, of in kept.items() if not f"{key}/".startswith(f"{node}/")}
        else:
            kept[node] = {key: part for key, part in document.items() if key != _INLINE}
    return {**found, _INLINE: {**inline, "metadata": _in_order(kept)}}


def _in_order(documents: Documents) -> Documents:
    """By path: zarr-python (3.1) loses what doesn't lie beside what is in the same group."""
    return dict(sorted(documents.items()))


def _on_the_way(path: str) -> Iterator[str]:
    """Each group on a path, the last of which is the path itself."""
    parts = path.split("/")
    yield from ("/".join(parts[:n]) for n in range(1, len(parts) + 1))


def _without(kept: Documents, node: str, all_below: bool) -> Documents:
    """Without a node's own documents, or also those of all below it."""
    own = {_join(node, name) for name in _ZARR2}
    return {
        key: document
        for key, document in kept.items()
        if key not in own and not (all_below and key.startswith(f"{node}/"))
    }


def _join(node: str, name: str) -> str:
    return f"{node}/{name}" if node else name
