"""Which blocks of a task are done, from what, and what they left: marks that the driver appends.

The check in a mark is made with a key of the task's parameters and of the array that the marks
vouch for. So a torn or foreign mark is recognised, and costs only its own block.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..geometry.blocks import BlockGrid, Roi
from .mark import MARK, Marks, identities_of, is_set, made_marks, sound_marks, were_empty
from .mark_files import mark_files, read_header, read_marks
from .spending import Spending, read_spent
from .worker.spent import Spent
from .worker.trace import Trace

__all__ = ["Finished", "Ledger", "finished", "forget_others", "has_marks", "holds", "spent_in_all"]

_PARAMETERS = "tiling", "fingerprint", "vouches_for"


class Ledger:
    """The finished blocks of one task.

    Parameters
    ----------
    path
        Directory of the ledger, made when missing: a local path, or s3:// or gs://
        (there, marks are gathered and written as one small file every ten seconds).
    grid
        The task's tiling.
    fingerprint
        Whatever else the blocks' content depends on, as a short string.
    resume
        Whether to go on with the marks found there; otherwise they are thrown away.
    vouches_for
        Id of the array that the marks vouch for; those of another array hold nothing.

    Raises
    ------
    ValueError
        If the ledger found there was written with another tiling or fingerprint.
    BlockingIOError
        If another run is writing to the same local ledger.

    Examples
    --------
    >>> grid = BlockGrid(Roi((0,), (40,)), Roi((0,), (10,)), Roi((0,), (10,)))
    >>> ledger = Ledger("volume.ledger", grid, "threshold=0.5")
    >>> ledger.add([0, 2])
    >>> ledger.close()
    >>> again = Ledger("volume.ledger", grid, "threshold=0.5")
    >>> again.done
    array([ True, False,  True, False])
    >>> again.close()
    """

    def __init__(
        self,
        path: str,
        grid: BlockGrid,
        fingerprint: str = "",
        resume: bool = True,
        vouches_for: str = "",
    ) -> None:
        self.path = path
        parameters = _parameters(grid, fingerprint, vouches_for)
        self._key = _key(parameters)
        self._files = mark_files(path, MARK.itemsize)
        with ExitStack() as on_error:
            on_error.callback(self._files.close)
            if not resume:
                self._files.clear()
            _check_parameters(path, read_header(path), parameters)
            self.marks = sound_marks(read_marks(path, MARK.itemsize), self._key, len(grid))
            # What stands for each block where another task reads it; 0 while it isn't done.
            self.identities = identities_of(self.marks)
            self._files.write_header(json.dumps(parameters, indent=1))
            # By all runs, since blocks were begun anew.
            self.spending = Spending(path, int(self._key), resume)
            on_error.pop_all()

    @property
    def done(self) -> NDArray[np.bool_]:
        """Which blocks are done, by number."""
        return is_set(self.marks)

    def add(
        self,
        numbers: Iterable[int],
        made_from: ArrayLike = 0,
        via: ArrayLike = 0,
        traces: ArrayLike = Trace(),  # noqa: B008 - a tuple.
    ) -> None:
        """Mark blocks as done.

        Parameters
        ----------
        numbers : iterable of int
        made_from, via : array_like of uint64
            What stands for what each has read: of what lasts, and of what only this run holds.
        traces : array_like of uint64, shape (blocks, 4)
            What each left.
        """
        marks = made_marks(numbers, made_from, via, traces, self._key)
        places = marks["number"].astype(np.intp)
        self.marks[places], self.identities[places] = marks, identities_of(marks)
        self._files.append(marks.tobytes())

    def drop(self, which: NDArray[Any]) -> None:
        """Take marks back, until blocks are marked again; what the file says of them stays."""
        self.marks[which] = np.zeros((), MARK)
        self.identities[which] = 0

    def close(self) -> None:
        """Bring every mark to the disk."""
        self.spending.keep()
        self._files.close()


@dataclass
class Finished:
    """What a ledger has as done, whatever it was computed by."""

    grid: BlockGrid
    fingerprint: str
    vouches_for: str
    # By block; zeros where it isn't done.
    marks: Marks
    # What stands for each block where another task reads it.
    identities: NDArray[np.uint64]

    @property
    def done(self) -> NDArray[np.bool_]:
        """Which blocks are done, by number."""
        return is_set(self.marks)

    @property
    def empty(self) -> NDArray[np.bool_]:
        """Which of them were skipped, as they are known to hold nothing."""
        return self.done & were_empty(self.marks)


def finished(path: str, vouches_for: str | None = None) -> Finished | None:
    """What a ledger has as done; None where there is no ledger, or one of another array.

    Parameters
    ----------
    path : str
    vouches_for : str, optional
        Id of the array; any unless given.

    Examples
    --------
    >>> finished("nowhere.ledger") is None
    True
    """
    header = _as_dict(read_header(path))
    if vouches_for is not None and header.get("vouches_for") != vouches_for:
        return None
    try:
        parameters = {name: header[name] for name in _PARAMETERS}
        fit, *rois = parameters["tiling"]
        total, read, write = (Roi(*roi) for roi in rois)
        grid = BlockGrid(total, read, write, fit)
    except (KeyError, TypeError, ValueError):
        return None
    marks = sound_marks(read_marks(path, MARK.itemsize), _key(parameters), len(grid))
    of = parameters["fingerprint"], parameters["vouches_for"]
    return Finished(grid, *of, marks, identities_of(marks))


def has_marks(path: str) -> bool:
    """Whether blocks were marked as done in a ledger, whatever has become of its header."""
    return bool(read_marks(path, MARK.itemsize))


def spent_in_all(path: str) -> Spent:
    """What all runs together have spent on the blocks of a ledger; nothing where there is none."""
    header = _as_dict(read_header(path))
    return read_spent(path, int(_key({name: header.get(name) for name in _PARAMETERS})))


def holds(path: str, fingerprint: str, vouches_for: str = "") -> bool:
    """Whether a ledger was written with a fingerprint, for an array.

    Parameters
    ----------
    path : str
    fingerprint : str
    vouches_for : str
        The array's id.

    Returns
    -------
    bool
    """
    return _is_of(read_header(path), fingerprint, vouches_for)


def forget_others(path: str, fingerprint: str, vouches_for: str = "") -> None:
    """Throw away marks that were made with another fingerprint, or for another array.

    Parameters
    ----------
    path : str
    fingerprint : str
    vouches_for : str
        The array's id.
    """
    header = read_header(path)
    if header and not _is_of(header, fingerprint, vouches_for):
        files = mark_files(path, MARK.itemsize)
        files.clear()
        files.close()


def _parameters(grid: BlockGrid, fingerprint: str, vouches_for: str) -> dict[str, Any]:
    rois = (grid.total_roi, grid.read_roi, grid.write_roi)
    tiling = [grid.fit, *([list(map(int, roi.begin)), list(map(int, roi.shape))] for roi in rois)]
    return {"tiling": tiling, "fingerprint": fingerprint, "vouches_for": vouches_for}


def _key(parameters: object) -> np.uint64:
    text = json.dumps(parameters, sort_keys=True).encode()
    return np.uint64(int.from_bytes(blake2b(text, digest_size=8).digest(), "little"))


def _as_dict(header: str) -> dict[str, Any]:
    try:
        found = json.loads(header)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _is_of(header: str, fingerprint: str, vouches_for: str) -> bool:
    wanted = {"fingerprint": fingerprint, "vouches_for": vouches_for}
    return wanted.items() <= _as_dict(header).items()


def _check_parameters(path: str, header: str, parameters: dict[str, Any]) -> None:
    """Refuse marks of other parameters; a torn header is no matter, since marks carry the key."""
    found = _as_dict(header)
    changed = [name for name in parameters if found.get(name) != parameters[name]]
    if found and changed:
        raise ValueError(
            f"The ledger {path!r} belongs to blocks made with other parameters "
            f"({' and '.join(changed)} differ: {[found.get(name) for name in changed]} there, "
            f"{[parameters[name] for name in changed]} now), so its blocks cannot be reused. Pass "
            "resume=False to compute all blocks anew, or write to another output."
        )
