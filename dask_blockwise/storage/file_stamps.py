"""Numbers that tell whether a file is still the same: from what a store says of it, or from it.

0 stands for a file that isn't there.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64, xxh3_64_intdigest

from .documents import store_error
from .location import is_remote
from .object_stores import StoredObject, find_object, list_objects, read_object

__all__ = ["all_names", "all_stamps", "digests", "mixed", "stamps_of_files"]

Stamps = NDArray[np.uint64]
T = TypeVar("T")
R = TypeVar("R")

# Network file systems and buckets answer many at once.
_THREADS = 16
_FILES_A_TURN = 4096
_BYTES_A_TURN = 1 << 20
# Of splitmix64, whose every bit of output hangs on every bit of input.
_STEP, _FIRST, _SECOND = map(
    np.uint64, (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
)


def mixed(*columns: NDArray[np.uint64]) -> Stamps:
    """One number for each row of the columns; never 0.

    References
    ----------
    Steele, Lea and Flood 2014, Fast splittable pseudorandom number generators.
    """
    state = np.zeros(len(columns[0]), np.uint64)
    for column in columns:
        state = (state ^ column) + _STEP
        state = (state ^ (state >> np.uint64(30))) * _FIRST
        state = (state ^ (state >> np.uint64(27))) * _SECOND
        state ^= state >> np.uint64(31)
    return np.where(state == 0, np.uint64(1), state)


def all_names(location: str) -> list[str]:
    """Names of all files below a folder or URL, but for folders whose name begins with a dot.

    Raises
    ------
    OSError
        If they can't be listed.
    """
    if is_remote(location):
        return [each.name for each in _objects(location)]
    return list(_names_below(location))


def all_stamps(location: str) -> tuple[list[str], Stamps]:
    """The same names, and the files' stamps.

    Raises
    ------
    OSError
        If they can't be listed.
    """
    if is_remote(location):
        found = _objects(location)
        return [each.name for each in found], _column(map(_of_object, found), len(found))
    names = all_names(location)
    return names, stamps_of_files(location, names)


def stamps_of_files(location: str, names: Sequence[str]) -> Stamps:
    """The stamps that these files below a folder or URL have now.

    Raises
    ------
    OSError
        If the store can't be asked.
    """
    if is_remote(location):
        objects = _side_by_side(lambda name: find_object(location, name), names)
        return _column(map(_of_object, objects), len(names))
    turns = [names[i : i + _FILES_A_TURN] for i in range(0, len(names), _FILES_A_TURN)]
    told = _side_by_side(lambda some: _told(location, some), turns)
    size, time, inode = np.concatenate([np.zeros((0, 3), np.uint64), *told]).T
    return np.where(inode == 0, np.uint64(0), mixed(size, time, inode))


def digests(location: str, names: Sequence[str]) -> Stamps:
    """Digests of what these files hold.

    Raises
    ------
    OSError
        If they can't be read.
    """
    digest = _digest_of_object if is_remote(location) else _digest_of_file
    return _column(_side_by_side(lambda name: digest(location, name), names), len(names))


def _told(location: str, names: Sequence[str]) -> NDArray[np.uint64]:
    """Size, time and inode of each file; zeros where there is none."""
    told, stat = array("Q"), os.stat
    for name in names:
        path = f"{location}/{name}" if name else location
        try:
            now = stat(path)
            told.extend((now.st_size, now.st_mtime_ns % 2**64, now.st_ino or 1))
        except (FileNotFoundError, NotADirectoryError):
            told.extend((0, 0, 0))
        except OSError as error:
            raise store_error(path, "read", error) from error
    return np.frombuffer(told, np.uint64).reshape(-1, 3)


def _names_below(location: str) -> Iterator[str]:
    """Names of files below a folder, which links may lead to."""
    seen: set[tuple[int, int]] = set()
    waiting = [""]
    while waiting:
        inner = waiting.pop()
        folder = f"{location}/{inner}"
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if not entry.is_dir():
                        yield inner + entry.name
                    elif not entry.name.startswith(".") and _is_new(entry, seen):
                        waiting.append(f"{inner}{entry.name}/")
        except FileNotFoundError:
            continue
        except OSError as error:
            raise store_error(folder.rstrip("/"), "listed", error) from error


def _is_new(entry: os.DirEntry[str], seen: set[tuple[int, int]]) -> bool:
    """Whether a folder is none that a link has led to before."""
    if not entry.is_symlink():
        return True
    told = entry.stat()
    known = (told.st_dev, told.st_ino) in seen
    seen.add((told.st_dev, told.st_ino))
    return not known


def _objects(location: str) -> list[StoredObject]:
    return [
        found
        for found in list_objects(location)
        if not any(folder.startswith(".") for folder in found.name.split("/")[:-1])
    ]


def _of_object(found: StoredObject | None) -> int:
    return xxh3_64_intdigest(f"{found.size} {found.tag}".encode()) or 1 if found else 0


def _digest_of_object(location: str, name: str) -> int:
    content = read_object(location, name)
    return 0 if content is None else xxh3_64_intdigest(content) or 1


def _digest_of_file(location: str, name: str) -> int:
    digest, path = xxh3_64(), Path(location, name)
    try:
        with path.open("rb", buffering=0) as file:
            while part := file.read(_BYTES_A_TURN):
                digest.update(part)
    except (FileNotFoundError, NotADirectoryError):
        return 0
    except OSError as error:
        raise store_error(str(path), "read", error) from error
    return digest.intdigest() or 1


def _column(numbers: Iterator[int], count: int) -> Stamps:
    return np.fromiter(numbers, np.uint64, count)


def _side_by_side(function: Callable[[T], R], values: Sequence[T]) -> Iterator[R]:
    """The function's results in order, from some threads where there are several values."""
    if len(values) < 2:
        yield from map(function, values)
        return
    with ThreadPoolExecutor(_THREADS) as pool:
        yield from pool.map(function, values)
