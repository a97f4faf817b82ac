"""What a stored volume was computed by, and the same again."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from distributed import Client

from ..engine.progress import RunSummary
from ..storage.arrays import open_array
from ..storage.groups import some_of
from ..storage.level_paths import images_below
from ..storage.location import archive_of, location_of, on_disk
from ..storage.stored_array import StoredArray
from ..storage.what_is_there import what_is_there
from .found_places import place_at
from .kept_volume import kept_volume
from .known import Verify, ledger_of
from .options import OnChange, StoreOptions
from .precomputed_as import PrecomputedAs
from .record import Record
from .source import Voxels
from .whole_run import store

__all__ = ["has_record", "provenance", "recorded", "rerun", "stored_below"]


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
    (['array', 'threshold'], 'a first try')
    """
    return recorded(os.fspath(path))[0]


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
    workers_timeout: float | str | None = None,
    report: str | os.PathLike[str] | None = None,
) -> RunSummary:
    """Compute again what is stored at a path, as it was computed: blocks that no longer hold.

    The volume that was stored there is loaded, which runs code that it names.

    Parameters
    ----------
    path : path or URL
        Of what ``to_zarr`` stored.
    to : path or URL, optional
        Where to store it; where it is unless given.
    client, progress, on_change, overwrite, verify, workers_timeout, report
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
    record, array = recorded(given)
    volume, options = kept_volume(given, ledger_of(array.location), trust)
    there = place_at(path).path if to is None else _path_in(to, volume, options)
    again = replace(
        options, overwrite=overwrite, on_change=on_change, resume=True, notes=record.notes, roi=None
    )
    if to is not None:
        again = replace(again, on_the_way_to=None)
    return store(volume, there, again, client, progress, verify, report, workers_timeout)


def _path_in(to: str | os.PathLike[str], volume: Voxels, options: StoreOptions) -> str:
    """Where an output lies that is stored at a path."""
    kept = options.stored_as
    if isinstance(kept, PrecomputedAs):
        return kept.kind.path_in(location_of(to), volume.frame.placement)
    return location_of(to)


def stored_below(given: str | os.PathLike[str]) -> list[str]:
    """Paths of what ``to_zarr`` or ``checkpoint`` stored in a container; of none on a web server.

    Examples
    --------
    >>> import numpy as np
    >>> from dask_blockwise import Volume
    >>> _ = Volume.from_array(np.eye(4)).to_zarr("a.zarr/eye", progress=False, pyramid=1)
    >>> stored_below("a.zarr")
    ['a.zarr/eye']
    """
    top = os.fspath(given).rstrip("/")
    paths = [f"{top}/{image}" for image in images_below(top)]
    return [path for path in paths if has_record(path)]


def has_record(path: str) -> bool:
    """Whether it is known by what the volume at a path was computed."""
    try:
        return place_at(path).record() is not None
    except (OSError, ValueError):
        return False


def recorded(given: str) -> tuple[Record, StoredArray]:
    """The record at a path, and the array that it is of.

    Raises
    ------
    FileNotFoundError
        If nothing is there that was stored here.
    """
    place = place_at(given)
    record = place.record()
    if record is None:
        location = location_of(given)
        if on_disk(location) and not Path(location).exists() and archive_of(location) is None:
            raise FileNotFoundError(what_is_there(given))
        stored = stored_below(given)
        hint = f"What is stored below it is {some_of(stored)}: name one of these."
        raise FileNotFoundError(
            f"{given} has no record of a computation: it was not stored by to_zarr or checkpoint, "
            "or by a version before 0.2. "
            f"{hint if stored else 'Give the path that to_zarr was given.'}"
        )
    return record, open_array(place.array_path)
