"""What is done with a stored volume: asked about, computed again, made coarser, converted."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

from ..storage.level_paths import level_paths
from ..volumes.opening import open_levels
from ..volumes.pyramid import pyramid as add_levels
from ..volumes.rerunning import has_record, provenance, stored_below
from ..volumes.rerunning import rerun as compute_again
from ..volumes.status import status as status_of
from ..volumes.viewing import volumes_in
from .described import described, in_lines
from .options import Cluster, Flag, Opening, Running
from .storing import Stage
from .words import Count

__all__ = ["convert", "info", "pyramid", "rerun", "status"]

# Codes that `status` ends with.
_NOT_CURRENT, _NOT_KNOWN = 1, 3


def status(path: str, /, *, trust: Flag = False) -> None:
    """Say which blocks of a stored volume are done, and whether they still hold.

    Ends with 1 where it isn't current; with 3 where all that could be looked at holds, and the rest
    can't be known here, such as whether a function of a script has changed.

    ```bash
    dask-blockwise status fib25.zarr/segments
    ```

    Parameters
    ----------
    path
        What a command, to_zarr or checkpoint stored; or a container, of all that they stored in it.
    trust
        Run code that it brings even if it belongs to somebody else.
    """
    _import_from_here()
    inside = [] if has_record(path) else stored_below(path)
    found = [status_of(one, trust=trust) for one in inside or [path]]
    print("\n\n".join(map(str, found)))
    if not all(found):
        raise SystemExit(_NOT_CURRENT if any(of.problems for of in found) else _NOT_KNOWN)


def info(path: str, /, *, opening: Opening = Opening()) -> None:
    """Say what a volume is: shape, voxel size, chunks, levels, and what it was made by.


    ```bash
    dask-blockwise info fib25.zarr/raw
    ```

    Parameters
    ----------
    path
        Of any volume that can be read: zarr, OME-Zarr, N5, precomputed, TIFF, HDF5, npy; or of a
        container, of which it says what is in it.
    """
    try:
        volume = opening.open(path)
    except FileNotFoundError:
        # Which says what is wrong where there are none.
        print(in_lines(volumes_in(path)))
        return
    levels = open_levels(path) if opening.level is None and level_paths(path) else []
    try:
        record = provenance(path)
    except (FileNotFoundError, OSError):
        record = None
    print(described(volume, levels, record))


def rerun(
    path: str,
    /,
    *,
    to: str | None = None,
    on_change: Literal["redo", "ask"] = "redo",
    overwrite: Flag = False,
    verify: Literal["stamps", "content", "none"] = "stamps",
    progress: bool = True,
    workers_timeout: str | None = None,
    report: str | None = None,
    trust: Flag = False,
    cluster: Cluster = Cluster(),
) -> None:
    """Compute again what is stored, as it was computed: the blocks that no longer hold.


    ```bash
    dask-blockwise rerun fib25.zarr/segments --to fib25.zarr/again
    ```

    Parameters
    ----------
    path
        What a command or to_zarr stored.
    to
        Where to store it; where it is unless given.
    on_change
        Where something has changed: compute what that touches, or refuse.
    overwrite
        Replace all that lies there.
    verify
        How it is seen that inputs are what they were.
    progress
        Show a bar.
    workers_timeout
        How long it may wait while it has no worker, such as 2h; then it ends with 75.
    report
        Where a page that explains the run is written, such as run.html, or run.json.
    trust
        Run code that it brings even if it belongs to somebody else.
    """
    _import_from_here()
    with cluster.when_needed():
        print(
            compute_again(
                path,
                to=to,
                progress=progress,
                on_change=on_change,
                overwrite=overwrite,
                verify=verify,
                trust=trust,
                workers_timeout=workers_timeout,
                report=report,
            )
        )


def pyramid(
    path: str,
    /,
    *,
    levels: Count | None = None,
    method: str | None = None,
    compressor: str = "zstd",
    report: str | None = None,
    running: Running = Running(),
    cluster: Cluster = Cluster(),
) -> None:
    """Add coarser levels to an image that is there, or make them anew where it has changed.


    ```bash
    dask-blockwise pyramid scan.zarr/raw --levels 4
    ```

    Parameters
    ----------
    path
        Of an OME-Zarr image, or an array called s0, 0 or the like.
    levels
        How many; as many as it takes until one fits in a chunk, unless given.
    method
        Such as mean or labels; labels of an image are known as such.
    compressor
        zstd, gzip, blosc, lz4 (the fastest) or none, with a level as in zstd:9.
    report
        Where a page that explains the run is written, such as run.html, or run.json.
    """
    with cluster.when_needed():
        print(
            add_levels(
                path,
                True if levels is None else levels,
                method=method,
                compressor=None if compressor == "none" else compressor,
                report=report,
                **running.keywords,
            )
        )


def convert(
    volume: str,
    output: str,
    /,
    *,
    how: Stage = Stage(),
) -> None:
    """Store any volume that can be read as OME-Zarr, or as Neuroglancer's precomputed data.


    ```bash
    dask-blockwise convert scan.tif scan.zarr/raw --voxel-size 2,0.5,0.5 --unit micrometer --pyramid
    ```

    Parameters
    ----------
    volume
        What is read: zarr, OME-Zarr, N5, precomputed, TIFF, HDF5, npy; also from buckets.
    output
        Where it is stored.
    """
    how.store(how.open(volume), output)


def _import_from_here() -> None:
    """Modules that lie here are what scripts that ran here have imported."""
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
