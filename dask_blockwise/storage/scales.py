"""Scales of precomputed data: what the info says of each, and how room is made for one."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from math import prod
from pathlib import Path
from typing import Any

from .checked import understood
from .documents import put, read_json
from .formats import OURS, scale_keys, some_names
from .location import is_remote
from .removal import MARKS, remove_in_order

__all__ = ["check_room", "clear_room", "keys_of", "put_properties", "put_scale"]

# What an info names that was made from its voxels, and may be another tool's.
_MADE_FROM_THEM = ("mesh", "skeletons")
_PROPERTIES = "segment_properties"


def keys_of(root: str) -> list[str]:
    """Where the scales of precomputed data lie, finest first mostly; none where there are none."""
    with understood(root):
        return scale_keys(read_json(root, "info"))


def check_room(root: str, first: str, overwrite: bool) -> None:
    """Refuse to write scales where there is something else.

    Parameters
    ----------
    root : str
    first : str
        Key of the finest of them.
    overwrite : bool
        Whether other precomputed data are replaced; anything else never is.

    Raises
    ------
    FileExistsError
    """
    info = read_json(root, "info")
    if not info:
        _check_free(root)
        return
    by_key = _by_key(root)
    ours = [key for key, scale in by_key.items() if OURS in scale]
    strange = [key for key in by_key if key not in ours]
    another = ours and first not in ours
    if not overwrite and (strange or another):
        raise FileExistsError(
            f"{root} has precomputed data that weren't written by this very computation, "
            f"{', '.join(strange or ours)}. Choose another path, or pass overwrite=True to "
            "replace them."
        )
    beside = [name for name in _MADE_FROM_THEM if name in info]
    if beside:
        raise FileExistsError(
            f"The info of {root} names {' and '.join(beside)}, made from the voxels that are there "
            "now: remove it with its files first, or choose another path."
        )


def clear_room(root: str, planned: Collection[str]) -> None:
    """Remove scales that aren't planned."""
    by_key = _by_key(root)
    gone = set(by_key) - set(planned)
    if not gone:
        return
    for key in gone:
        remove_in_order(f"{root}/{key}", keep_claims=True)
    info = read_json(root, "info")
    _put(root, {**info, "scales": [scale for key, scale in by_key.items() if key not in gone]})


def put_scale(root: str, about: Mapping[str, Any], scale: Mapping[str, Any]) -> None:
    """List a scale in the info, in place of one that is there.

    Parameters
    ----------
    root : str
        Where the info lies.
    about : mapping
        What the info says of all scales; those of others than this go.
    scale : mapping
    """
    info = read_json(root, "info")
    same = all(info.get(name) == part for name, part in about.items())
    others = [old for key, old in _by_key(root).items() if key != scale["key"]]
    while others and not same:
        remove_in_order(f"{root}/{others.pop()['key']}", keep_claims=True)
    if _PROPERTIES in info:
        remove_in_order(f"{root}/{_PROPERTIES}")
    _put(root, {**about, "scales": sorted([*others, scale], key=_voxel)})


def put_properties(root: str, properties: Mapping[str, Any]) -> None:
    """Write properties of segments, of which the info then tells."""
    _put(f"{root}/{_PROPERTIES}", properties)
    _put(root, {**read_json(root, "info"), _PROPERTIES: _PROPERTIES})


def _put(location: str, info: Mapping[str, Any]) -> None:
    put(location, "info", json.dumps(info, indent=2).encode())


def _by_key(root: str) -> dict[str, Mapping[str, Any]]:
    return dict(zip(keys_of(root), read_json(root, "info").get("scales") or (), strict=True))


def _voxel(scale: Mapping[str, Any]) -> float:
    return float(prod(scale["resolution"]))


def _check_free(root: str) -> None:
    """Refuse a folder in which there is more than what runs of this kind leave."""
    if not is_remote(root) and any(path.is_file() for path in (Path(root), *Path(root).parents)):
        raise FileExistsError(f"{root} is, or lies in, a file: choose another path.")
    if any(MARKS not in name.split("/") for name in some_names(root)):
        raise FileExistsError(
            f"{root} is there and has no precomputed data, so that it isn't overwritten: choose "
            "another path, or remove it yourself."
        )
