"""What is measured of labels: each object, and whether blocks show."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from inspect import signature
from pathlib import Path
from typing import Any

from pandas import DataFrame

from ..reports.evaluation import evaluate as scores_of
from ..reports.seams import seams as report_on_seams
from ..storage.files_beside import file_to_write
from ..tables import text_columns
from ..volumes.kept_volume import kept_volume
from ..volumes.known import ledger_of
from ..volumes.opening import open_volume
from ..volumes.rerunning import recorded
from ..volumes.same_place import is_there
from ..volumes.volume import Volume
from .described import tell_absent
from .options import Cluster, Flag, Opening, OpeningTruth, Running
from .words import Count, Named, Size, named_values

__all__ = ["evaluate", "objects", "seams"]


def objects(
    labels: str,
    /,
    *,
    mean: Named = (),
    path: str | None = None,
    opening: Opening = Opening(),
    running: Running = Running(),
    cluster: Cluster = Cluster(),
) -> None:
    """Measure each object, and write a table as Parquet and CSV.


    ```bash
    dask-blockwise objects scan.zarr/cells --mean raw=scan.zarr/raw
    ```

    Parameters
    ----------
    labels
        Objects with their final ids.
    mean
        NAME=PATH of a volume, of which each object's mean is wanted; may be given several times.
    path
        Where the table is written, without .parquet and .csv; <labels>.objects unless given.
    """
    _check_names(mean)
    volume = opening.open(labels)
    means: dict[str, Any] = {
        name: open_volume(str(path)) for name, path in named_values(mean).items()
    }
    with cluster.when_needed():
        found = volume.objects(path=path, **running.keywords, **means)
    if len(found):
        print(_spread(found))
    written = path or f"{labels.rstrip('/')}.objects"
    many = "1 object" if len(found) == 1 else f"{len(found)} objects"
    print(f"{many}, in {written}.parquet and {written}.csv")
    tell_absent(volume, *means.values())


def _check_names(given: Sequence[tuple[str, Any]]) -> None:
    taken = [name for name, _ in given if name in signature(Volume.objects).parameters]
    if taken:
        raise ValueError(
            f"--mean can't call a volume {taken[0]!r}, which is something else: choose another "
            f"name, such as {taken[0]}_1."
        )


def _spread(table: DataFrame) -> str:
    """The least, the median and the greatest of sizes and means."""
    columns = [name for name in table if name in ("voxels", "volume") or name.startswith("mean_")]
    rows = [(name, *(f"{table[name].quantile(at):.6g}" for at in (0, 0.5, 1))) for name in columns]
    return text_columns(("", "least", "median", "greatest"), rows)


def seams(
    segments: str,
    /,
    *,
    block_shape: Size | None = None,
    budget: float = 0.4,
    windows: Count = 100,
    picture: Path | None = None,
    trust: Flag = False,
    opening: Opening = Opening(),
) -> None:
    """Report whether objects show where the blocks lay, and how much.

    Ends with 1 where they do.

    ```bash
    dask-blockwise seams fib25.zarr/segments --picture seams.png
    ```

    Parameters
    ----------
    segments
        What relabel, agglomerate, watershed or segment stored; or labels that another tool made, of
        which boundaries alone tell.
    block_shape
        Voxels of a block; the shards of what is stored unless given.
    budget
        How many voxels may be computed again, as a share of those of the run (0.4 unless given).
    windows
        At most so many are looked at for boundaries (100 unless given).
    picture
        Write a PNG of the worst places.
    trust
        Run code that an output brings that belongs to somebody else.
    """
    if picture is not None:
        file_to_write(picture, "the picture")
    labels = opening.open(segments)
    made = _made_by(segments, labels, trust)
    report = report_on_seams(
        labels if made is None else made,
        labels,
        block_shape=block_shape,
        budget=budget,
        windows=windows,
    )
    print(report)
    tell_absent(labels)
    if picture is not None:
        print(f"Picture: {report.picture(picture)}")
    if report.verdict == "seams":
        raise SystemExit(1)


def evaluate(
    segments: str,
    truth: str,
    /,
    *,
    ignore_background: Flag = False,
    opening: Opening = Opening(),
    opening_of_truth: OpeningTruth = Opening(),
    cluster: Cluster = Cluster(),
) -> None:
    """Print VOI and ARAND of stored labels beside the truth, and the worst objects.

    ```bash
    dask-blockwise evaluate fib25.zarr/segments truth.zarr/neurons
    ```

    Parameters
    ----------
    segments
        Labels with their final ids.
    truth
        Of the same voxels, of all of the region or a part; 0 is unlabelled, and doesn't count. It
        is opened by options as those of the segments, such as --truth.offset 0,400,400.
    ignore_background
        Leave voxels out that the segments have as 0.
    """
    volumes = opening.open(segments), opening_of_truth.open(truth, "truth")
    with cluster.client():
        print(scores_of(*volumes, ignore_background=ignore_background))
    tell_absent(*volumes)


def _made_by(path: str, labels: Volume, trust: bool) -> Volume | None:
    """What labels were made by, if that is known here, and they are all of it."""
    try:
        _, array = recorded(path)
    except FileNotFoundError:
        return None
    try:
        volume, _ = kept_volume(path, ledger_of(array.location), trust)
        if not is_there(labels.frame, volume.frame):
            raise ValueError(f"{labels!r} isn't all that was made, {volume!r}, where that lies.")
    except ValueError as error:
        print(f"Boundaries alone are looked at. {error}", file=sys.stderr)
        return None
    found: Volume = volume
    return found
