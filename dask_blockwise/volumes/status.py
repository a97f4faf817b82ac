"""How a stored volume stands: which blocks are done, and what is no longer what it was."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from distributed import Client

from ..engine.ledger import Finished, finished
from ..engine.progress import RunSummary
from ..storage.arrays import open_array, read_placement
from ..storage.location import location_of
from ..storage.stored_array import StoredArray
from .filling import Filling
from .frame import Frame
from .kept_volume import kept_volume
from .known import Known, Verify, array_id, known_now, ledger_of
from .left import left_in
from .lineage import as_it_is_now
from .options import OnChange, StoreOptions
from .preparation import Preparation
from .record import Record, changed_parts
from .source import Voxels
from .step import Target
from .storing import to_zarr
from .tasks import filling_of

__all__ = ["Status", "provenance", "rerun", "status"]


@dataclass(frozen=True)
class Status:
    """How a stored volume stands."""

    path: str
    blocks: int
    # Blocks that are finished, of which files are missing, and that were altered since.
    done: int
    missing: int
    altered: int
    # What is no longer what it was, for people.
    changes: tuple[str, ...]
    # What couldn't be looked at, and why.
    unknown: tuple[str, ...] = ()

    @property
    def is_current(self) -> bool:
        """Whether all blocks are there, and are known to be made from what is there now."""
        changed = self.missing or self.altered or self.changes
        return self.done == self.blocks and not (changed or self.unknown)

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"{self.path}: {self.done} of {self.blocks} blocks are done."
        if self.missing:
            yield f"Files of {self.missing} of them are missing; they are computed again."
        if self.altered:
            yield f"{self.altered} of them were altered since they were written."
        yield from (f"Changed since: {change}" for change in self.changes)
        yield from (f"Not known: {why}" for why in self.unknown)
        if self.is_current:
            yield "They hold: what they were made from is what it was."


def status(
    path: str | os.PathLike[str], volume: Voxels | None = None, *, trust: bool = False
) -> Status:
    """How a stored volume stands, without running anything.

    Parameters
    ----------
    path : path or URL
        Of what ``to_zarr`` or ``checkpoint`` stored.
    volume : Volume, optional
        What is about to be stored there; the one that was stored unless given, so that changed
        code and weights are seen as far as they can be imported.
    trust : bool
        Whether to load the stored one even if somebody else's, which runs code that it brings.

    Returns
    -------
    Status

    Raises
    ------
    FileNotFoundError
        If nothing is there that was stored here.

    Examples
    --------
    >>> import numpy as np
    >>> from dask_blockwise import Volume, status
    >>> volume = Volume.from_array(np.eye(4), chunks=(2, 4))
    >>> _ = volume.to_zarr("eye.zarr/copy", progress=False)
    >>> print(status("eye.zarr/copy"))
    eye.zarr/copy: 2 of 2 blocks are done.
    They hold: what they were made from is what it was.
    """
    given = os.fspath(path)
    record, array = _recorded(given)
    done = finished(ledger_of(array.location), array_id(array))
    if done is None:
        return Status(given, 0, 0, 0, 0, ("no block was ever begun",))
    unknown: list[str] = []
    changes = _changes(given, record, array, volume, trust, unknown)
    missing, altered = _looked_at(array, done)
    return Status(
        *(given, len(done.grid), int(done.done.sum()), missing, altered),
        tuple(changes),
        tuple(unknown),
    )


def provenance(path: str | os.PathLike[str]) -> Record:
    """What a stored volume was computed by, from what, where and when.

    Parameters
    ----------
    path : path or URL
        Of what ``to_zarr`` or ``checkpoint`` stored.

    Returns
    -------
    Record
        With ``stages``, ``inputs``, ``packages``, ``python``, ``host``, ``user``, ``notes``,
        ``begin`` and ``end``, and ``recipe``, all that the values depend on.

    Raises
    ------
    FileNotFoundError
        If nothing is there that was stored here.

    Examples
    --------
    >>> import numpy as np
    >>> from dask_blockwise import Volume, provenance, threshold
    >>> mask = threshold(Volume.from_array(np.eye(4)), 0.5)
    >>> _ = mask.to_zarr("eye.zarr/mask", progress=False, notes="a first try")
    >>> found = provenance("eye.zarr/mask")
    >>> [stage["stage"] for stage in found.stages], found.notes
    (['ArrayVolume', 'MappedVolume'], 'a first try')
    """
    return _recorded(os.fspath(path))[0]


def rerun(
    path: str | os.PathLike[str],
    *,
    to: str | os.PathLike[str] | None = None,
    client: Client | None = None,
    progress: bool = True,
    on_change: OnChange = "redo",
    overwrite: bool = False,
    verify: Verify = "stamps",
    trust: bool = False,
) -> RunSummary:
    """Compute again what is stored at a path, as it was computed: blocks that no longer hold.

    The volume that was stored there is loaded, which runs code that it names.

    Parameters
    ----------
    path : path or URL
        Of what ``to_zarr`` stored.
    to : path or URL, optional
        Where to store it; where it is unless given.
    client, progress, on_change, overwrite, verify
        As for ``to_zarr``.
    trust : bool
        Whether to run code of an output that belongs to somebody else, or lies in a bucket.

    Returns
    -------
    RunSummary

    Raises
    ------
    FileNotFoundError, ValueError
        If the volume isn't there, or its code can't be imported.
    PermissionError
        If it belongs to somebody else, and isn't trusted.

    Examples
    --------
    >>> import numpy as np
    >>> from dask_blockwise import Volume, open_volume, rerun
    >>> _ = Volume.from_array(np.eye(4)).to_zarr("eye.zarr/copy", progress=False)
    >>> _ = rerun("eye.zarr/copy", to="eye.zarr/again", progress=False)
    >>> int(open_volume("eye.zarr/again")[:].sum())
    4
    """
    given = os.fspath(path)
    record, array = _recorded(given)
    volume, options = kept_volume(given, ledger_of(array.location), trust)
    return to_zarr(
        volume,
        location_of(to or path),
        client=client,
        progress=progress,
        block_shape=options.block_shape,
        zarr_format=options.zarr_format,
        num_workers=options.num_workers,
        max_retries=options.max_retries,
        timeout=options.timeout,
        version=options.version,
        notes=record.notes,
        on_change=on_change,
        overwrite=overwrite,
        verify=verify,
    )


def _recorded(given: str) -> tuple[Record, StoredArray]:
    record = Record.at(given)
    if record is None:
        raise FileNotFoundError(
            f"{given} has no record of a computation: it was not stored by to_zarr or checkpoint, "
            "or by a version before 0.2. Give the path that to_zarr was given."
        )
    return record, open_array(f"{location_of(given)}/s0")


def _changes(
    given: str,
    record: Record,
    array: StoredArray,
    volume: Voxels | None,
    trust: bool,
    unknown: list[str],
) -> list[str]:
    """What is no longer what it was: of the computation as far as it can be made, and of inputs."""
    ledger = ledger_of(array.location)
    verify: Any = record.verify
    made, options = _kept(given, ledger, trust, unknown if volume is None else [])
    volume = made if volume is None else as_it_is_now(volume)
    if volume is not None:
        filling = filling_of(volume, location_of(given), options, Preparation(verify))
        return _of_filling(filling, record)
    return changed_parts(ledger, record, list(_known(record, verify, unknown)))


def _kept(
    given: str, ledger: str, trust: bool, unknown: list[str]
) -> tuple[Voxels | None, StoreOptions]:
    try:
        made, options = kept_volume(given, ledger, trust)
        return as_it_is_now(made), options
    except (OSError, ValueError) as error:
        unknown.append(f"whether code has changed. {error}")
        return None, StoreOptions()


def _of_filling(filling: Filling, record: Record) -> list[str]:
    changes = record.changes_to(filling.record)
    return changes or changed_parts(filling.ledger, record, filling.inputs)


def _known(record: Record, verify: Verify, unknown: list[str]) -> Iterator[Known]:
    for found in record.inputs:
        try:
            array = open_array(found["location"])
            frame = _frame_of(array)
        except (OSError, ValueError) as error:
            unknown.append(f"input {found['path']}. {error}")
            continue
        yield known_now(frame, array, verify)


def _frame_of(array: StoredArray) -> Frame:
    return Frame(
        shape=array.shape,
        dtype=array.dtype,
        placement=read_placement(array),
        chunks=array.chunks,
        shards=array.shards,
    )


def _looked_at(array: StoredArray, done: Finished) -> tuple[int, int]:
    """Of how many finished blocks files are missing, and how many were altered."""
    frame = _frame_of(array)
    block = tuple(map(int, done.grid.write_roi.shape / frame.voxel_size))
    left = left_in(Target.all_of(array), frame, block)
    differs, lacks = left.differs(done.marks) & done.done, left.lacks(done.marks) & done.done
    return int(lacks.sum()), int(np.count_nonzero(differs & ~lacks))
