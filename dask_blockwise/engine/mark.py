"""What the mark of a finished block holds.

The block's number; what stood for all that it read; how many files it left, whether it was skipped
as empty, a stamp of the files and a hash of the values in them; and a check of all that.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from .evidence import mixed

__all__ = [
    "MARK",
    "Marks",
    "check_of",
    "files_of",
    "identities_of",
    "is_set",
    "made_marks",
    "sound_marks",
    "traces_of",
    "were_empty",
]

Marks = NDArray[Any]

_NAMES = "number", "made_from", "via", "files", "stamp", "content", "check"
MARK = np.dtype([(name, "<u8") for name in _NAMES])
# Beside how many files a block left: whether it was skipped, as it is known to hold nothing.
_EMPTY = np.uint64(1 << 63)


def made_marks(
    numbers: Iterable[int],
    made_from: npt.ArrayLike,
    via: npt.ArrayLike,
    traces: npt.ArrayLike,
    key: np.uint64,
) -> Marks:
    """Marks of blocks, of what each has read and left, with their check.

    Parameters
    ----------
    numbers : iterable of int
    made_from, via : array_like of uint64
    traces : array_like of uint64, shape (blocks, 4)
    key : uint64
    """
    blocks = np.fromiter(numbers, np.uint64)
    marks = np.zeros(blocks.size, MARK)
    marks["number"], marks["made_from"], marks["via"] = blocks, made_from, via
    files, marks["stamp"], marks["content"], empty = np.asarray(traces, np.uint64).T
    marks["files"] = np.where(empty, files | _EMPTY, files)
    marks["check"] = check_of(marks, key)
    return marks


def files_of(marks: Marks) -> NDArray[np.uint64]:
    """How many files each block left."""
    files: NDArray[np.uint64] = marks["files"] & ~_EMPTY
    return files


def traces_of(marks: Marks) -> NDArray[np.uint64]:
    """What each block left, shape (blocks, 4)."""
    return np.stack([files_of(marks), marks["stamp"], marks["content"], were_empty(marks)], 1)


def identities_of(marks: Marks) -> NDArray[np.uint64]:
    """What stands for blocks where others read them: what each was made from, and what came out.

    The latter tells apart two runs of a computation that doesn't give the same each time. It is 0
    for blocks that aren't done.
    """
    values = mixed(marks["made_from"], 0) + mixed(marks["content"], 1)
    # With its number, as sums over blocks would not tell which of them has what.
    identities = mixed(values ^ mixed(marks["number"], 2), 3)
    return np.where(is_set(marks), identities, np.uint64(0))


def were_empty(marks: Marks) -> NDArray[np.bool_]:
    """Which blocks were skipped, as they are known to hold nothing."""
    empty: NDArray[np.bool_] = marks["files"] >= _EMPTY
    return empty


def is_set(marks: Marks) -> NDArray[np.bool_]:
    """Of which blocks there are marks."""
    there: NDArray[np.bool_] = marks["check"] != 0
    return there


def sound_marks(content: bytes, key: np.uint64, blocks: int) -> Marks:
    """The last sound mark of each block."""
    marks = np.frombuffer(content, MARK)
    sound = marks[(check_of(marks, key) == marks["check"]) & (marks["number"] < blocks)]
    by_block = np.zeros(blocks, MARK)
    by_block[sound["number"].astype(np.intp)] = sound
    return by_block


def check_of(marks: Marks, key: np.uint64) -> NDArray[np.uint64]:
    """By which sound marks are told from torn and foreign ones."""
    check = mixed(marks["number"] ^ key, 0)
    for place, name in enumerate(_NAMES[1:-1], 1):
        check += mixed(marks[name], place)
    # 0 says that there is no mark.
    return check | np.uint64(1)
