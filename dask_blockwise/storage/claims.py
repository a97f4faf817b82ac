"""Exclusive use of an output by one living run, told by a file beside its marks."""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from uuid import uuid4

from .documents import store_error
from .fences import Fence
from .file_locks import FileLock, NoLocks
from .holders import Holder
from .leases import FileLease, Lease, ObjectLease, Seen
from .location import is_remote, location_of
from .locked_claims import LockedClaim
from .object_stores import NoConditions
from .removal import CLAIM_FILES, MARKS

__all__ = ["Claim"]

_logger = logging.getLogger(__name__)
_TOLD_IN, _LOCK = CLAIM_FILES
_RENEWED_EVERY = 20.0
# A run that hasn't been heard of for so long is dead, where nobody can look for its process.
_DEAD_AFTER = 120.0
_ATTEMPTS = 10


class Claim:
    """Exclusive use of an output, from ``with`` to its end, or to the death of the process.

    Locally by a lock of the file system; in buckets, and where there are no locks, by a file that
    is renewed every 20 seconds and dead after 120.

    Parameters
    ----------
    path : str
        Folder of the output's marks, made when missing: ``"<array>/.dask_blockwise"``.
    run : str, optional
        The run's name, made up unless given.

    Raises
    ------
    BlockingIOError
        On entering, if another living run holds it.
    OSError
        On entering, if the store can't be written.

    Examples
    --------
    >>> with Claim("out.zarr/raw/.dask_blockwise"):
    ...     with Claim("out.zarr/raw/.dask_blockwise"):
    ...         pass
    Traceback (most recent call last):
    ...
    BlockingIOError: Another run has been writing to out.zarr/raw since ...
    """

    def __init__(self, path: str | os.PathLike[str], run: str | None = None) -> None:
        self.path = os.fspath(path)
        self.run = run or uuid4().hex
        self._location = location_of(path)
        self._folder = None if is_remote(self._location) else Path(self._location)
        self._made: list[Path] = []
        self._held: LockedClaim | _Leased | _Unnoticed | None = None
        # What workers ask before they write; None unless it is held, and where nobody tells of it.
        self.fence: Fence | None = None

    def __enter__(self) -> Claim:
        holder = Holder.here(self.run)
        try:
            self._held = self._take(holder)
            if not isinstance(self._held, _Unnoticed):
                self.fence = Fence(self._location, _TOLD_IN, holder.claim, self._output)
        except BaseException:
            self._remove_empty()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        held, self._held, self.fence = self._held, None, None
        if held is not None:
            held.release()
        self._remove_empty()

    @property
    def is_held(self) -> bool:
        """Whether no other run has it.

        A run that wasn't heard of for 120 seconds, such as that of a computer that slept, may lose
        a claim on a bucket; it knows when it next renews it.
        """
        return self._held is not None and self._held.is_sure

    @property
    def may_be_written_to(self) -> bool:
        """Whether a worker of a run that died may write once more, and this one not notice.

        Where there are locks, one that is about to is waited for, and any later one refused.
        """
        return isinstance(self._held, _Leased) and self._held.took_over

    @property
    def _output(self) -> str:
        return self.path.removesuffix(f"/{MARKS}")

    def _take(self, holder: Holder) -> LockedClaim | _Leased | _Unnoticed:
        if self._folder is None:
            return self._lease_in_bucket(holder)
        for attempts_left in reversed(range(_ATTEMPTS)):
            self._make_folder()
            try:
                return self._lock(self._folder, holder)
            except FileNotFoundError:
                # Another that ends just now may remove the folder, or the lock.
                if not attempts_left:
                    raise
        raise self._refusal(None)

    def _lease_in_bucket(self, holder: Holder) -> _Leased | _Unnoticed:
        try:
            return self._lease(ObjectLease(self._location, _TOLD_IN, holder.claim.encode()), holder)
        except NoConditions as error:
            _logger.warning("%s, so that two runs wouldn't notice one another.", error)
            return _Unnoticed()

    def _lock(self, folder: Path, holder: Holder) -> LockedClaim | _Leased:
        """Take a lock, or a lease where there are none."""
        told = folder / _TOLD_IN
        try:
            lock = FileLock.take(folder / _LOCK)
        except BlockingIOError:
            raise self._refusal(Holder.told_by(_content(told))) from None
        except NoLocks:
            return self._lease(FileLease(told), holder)
        return LockedClaim.told(lock, told, holder, self._output)

    def _lease(self, lease: Lease, holder: Holder) -> _Leased:
        """Take a lease that nobody has, or that of a run that is dead."""
        seen: Seen | None = None
        for _ in range(_ATTEMPTS):
            leased = _Leased(lease, holder)
            if leased.take(seen):
                return leased
            seen = lease.look()
            other = Holder.told_by(seen.content) if seen else None
            if seen is not None and not _is_dead(other, seen.seconds):
                raise self._refusal(other, seen.seconds)
        raise self._refusal(None)

    def _refusal(self, holder: Holder | None, seconds: float | None = None) -> BlockingIOError:
        who = f"Another run is writing to {self._output}"
        if holder is not None:
            heard = "" if seconds is None else f", last heard of {seconds:.0f} s ago"
            since = f"{who.replace(' is writing', ' has been writing')} since {holder.since}"
            who = f"{since} ({holder.who}{heard})"
        return BlockingIOError(
            f"{who}: two runs must not write the same output. Wait for it, stop it, or store at "
            "another path."
        )

    def _make_folder(self) -> None:
        missing = self._folder
        while missing is not None and not missing.exists():
            self._made.append(missing)
            missing = missing.parent
        try:
            Path(self._location).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise store_error(self._location, "written", error) from error

    def _remove_empty(self) -> None:
        """Remove folders that were made for the claim alone."""
        for folder in self._made:
            with suppress(OSError):
                folder.rmdir()
        self._made.clear()


@dataclass(frozen=True)
class _Unnoticed:
    """No claim, where a store has no way to tell of one."""

    is_sure = True

    def release(self) -> None:
        """Nothing was taken."""


class _Leased:
    """A claim by a lease, which a thread renews."""

    def __init__(self, lease: Lease, holder: Holder) -> None:
        self._lease = lease
        self._holder = holder
        self._heard = -math.inf
        self.took_over = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="claim", daemon=True)

    def take(self, instead_of: Seen | None) -> bool:
        self._heard = time.monotonic()
        taken = self._lease.take(self._holder.tell(), instead_of)
        self.took_over = instead_of is not None
        if taken:
            self._thread.start()
        return taken

    @property
    def is_sure(self) -> bool:
        return time.monotonic() - self._heard < _DEAD_AFTER

    def release(self) -> None:
        self._ended.set()
        self._thread.join()
        self._lease.release()

    def _renew(self) -> None:
        for times in count(1):
            if self._ended.wait(_RENEWED_EVERY):
                return
            begun = time.monotonic()
            # A store that can't be reached may be so a little later.
            with suppress(OSError):
                held = self._lease.renew(self._holder.tell(times))
                self._heard = begun if held else -math.inf
                if not held:
                    return


def _is_dead(holder: Holder | None, seconds: float) -> bool:
    """By its process, where that can be looked for, or by when it was heard of."""
    if holder is not None and holder.is_near:
        return not holder.is_alive
    return seconds > _DEAD_AFTER


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""
