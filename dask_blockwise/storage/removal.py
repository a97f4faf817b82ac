"""Removal of arrays and groups in an order that can be broken off anywhere, and done again.

First go marks, which vouch for chunks, then chunks, then the documents that tell of an array, then
those of the group that holds it: what is left is an array or a group until the end.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Collection, Iterable
from itertools import groupby
from pathlib import Path

from .documents import list_names, remove_documents, store_error
from .formats import is_noticed
from .location import is_remote

__all__ = ["CLAIM_FILES", "MARKS", "holds_only_claims", "remove_in_order"]

# The folder of an array in which runs keep marks of what they have done.
MARKS = ".dask_blockwise"
# Of them, what tells that a run is going on: it may be the very one that makes room for its output.
CLAIM_FILES = ("run.json", "run.lock")

# So a network file system calls what was removed while somebody has it open; it goes when that one
# closes it, and can't be removed before.
_HELD_OPEN = ".nfs"

_MARK, _CHUNK, _BESIDE, _TELLING = range(4)
_TELL_OF_GROUPS = (".zgroup",)
_BESIDE_THOSE = (".zattrs", ".zmetadata")


def remove_in_order(
    location: str, arrays: Iterable[str] = (".",), keep_claims: bool = False
) -> None:
    """Remove an array or group and all below it.

    Parameters
    ----------
    location : str
    arrays : iterable of str
        Paths of the arrays below it, whose marks go before anything else; of a bucket they
        need not be known.
    keep_claims : bool
        Whether it is left that a run writes there.

    Raises
    ------
    OSError
        If something can't be removed; the same call then goes on.
    """
    kept = CLAIM_FILES if keep_claims else ()
    if is_remote(location):
        _remove_objects(location, kept)
        return
    try:
        if Path(location).is_symlink():
            raise OSError("it is a link, and what it leads to may be another's")
        for array in arrays:
            _remove_folder(Path(location, array, MARKS), kept)
        _remove_folder(Path(location), kept)
    except OSError as error:
        raise store_error(location, "removed", error) from error


def holds_only_claims(location: str) -> bool:
    """Whether below a local folder there is no file but those that tell of a run."""
    return all(
        (name in CLAIM_FILES and Path(folder).name == MARKS) or name.startswith(_HELD_OPEN)
        for folder, _, names in os.walk(location)
        for name in names
    )


def _remove_folder(folder: Path, kept: Collection[str]) -> bool:
    """Remove all below a folder, and the folder, if nothing of it is kept or held open."""
    if not folder.is_dir() or folder.is_symlink():
        return True
    spared = kept if folder.name == MARKS else ()
    with os.scandir(folder) as entries:
        found = sorted(entries, key=_turn_of)
    gone = True
    for entry in found:
        if entry.is_dir(follow_symlinks=False):
            gone &= _remove_folder(Path(entry.path), kept)
        elif entry.name in spared or entry.name.startswith(_HELD_OPEN):
            gone = False
        else:
            Path(entry.path).unlink(missing_ok=True)
    return gone and _is_removed(folder)


def _is_removed(folder: Path) -> bool:
    """Remove a folder in which nothing is left, unless somebody has something of it open."""
    try:
        folder.rmdir()
    except OSError as error:
        left = [entry.name for entry in os.scandir(folder)]
        if error.errno != errno.ENOTEMPTY or not left:
            raise
        if not all(name.startswith(_HELD_OPEN) for name in left):
            raise
        return False
    return True


def _remove_objects(location: str, kept: Collection[str]) -> None:
    """The same of a bucket: each turn is over before the next begins."""
    names = [name for name in list_names(location) if not _is_kept(name, kept)]
    for _, some in groupby(sorted(names, key=_turn_below), key=_turn_below):
        remove_documents(location, list(some))


def _is_kept(name: str, kept: Collection[str]) -> bool:
    *folders, last = name.split("/")
    return folders[-1:] == [MARKS] and last in kept


def _turn_below(name: str) -> tuple[int, int]:
    """When an object is removed: marks, chunks, then documents from the deepest on."""
    *folders, last = name.split("/")
    if MARKS in folders:
        return _MARK, 0
    turn = _turn(last)
    return (turn, 0) if turn == _CHUNK else (_BESIDE, 2 * -len(folders) + turn)


def _turn_of(entry: os.DirEntry[str]) -> tuple[int, str]:
    turn = _turn(entry.name)
    return min(turn, _CHUNK) if entry.is_dir(follow_symlinks=False) else turn, entry.name


def _turn(name: str) -> int:
    if name == MARKS:
        return _MARK
    if name in _BESIDE_THOSE:
        return _BESIDE
    return _TELLING if name in _TELL_OF_GROUPS or is_noticed(name) else _CHUNK
