"""A whole pipeline in a file: run, and planned."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

from distributed import Client

from ..engine.any_cluster import cluster as cluster_of
from ..engine.limits import seconds_to_wait
from ..engine.progress import RunSummary
from ..engine.run_document import check_report_path
from ..pipelines.making import called, made_of
from ..pipelines.reading import PipelineFile
from ..volumes.in_yaml import WRITERS, check_places, read_file
from ..volumes.reported import in_one, reported
from ..volumes.running import BlocksFailed
from .options import Cluster, Flag

__all__ = ["plan", "run"]

# Keywords of what stores a volume that its plan has too.
_PLANNED = ("block_shape", "pyramid", "dtype", "checkpoint")


def run(
    file: Path,
    /,
    *,
    progress: bool = True,
    workers_timeout: str | None = None,
    report: Path | None = None,
    on_change: Literal["ask", "redo"] | None = None,
    overwrite: Flag = False,
    cluster: Cluster = Cluster(),
) -> None:
    """Run a pipeline that a file describes, and store what it says.

    The same call again does what is missing, or no longer holds.

    ```bash
    dask-blockwise run pipeline.yaml --cluster slurm --workers 20
    ```

    Parameters
    ----------
    file
        A pipeline in YAML, as Volume.to_yaml writes it.
    progress
        Show a bar, which is done unless --no-progress is given.
    workers_timeout
        How long it may wait while it has no worker, such as 2h; then it ends with 75. What the file
        says of a volume goes before.
    report
        Where one page that explains all of the run is written, such as run.html, or run.json.
    on_change
        Where something has changed since the last run: refuse, or compute what that touches. What
        the file says of a volume goes before.
    overwrite
        Replace what lies there, but where the file says otherwise.
    """
    seconds_to_wait(workers_timeout)
    page = None if report is None else check_report_path(report)
    read, volumes = _read(file)
    with ExitStack() as stack:
        client = stack.enter_context(cluster.client())
        if client is None and read.cluster is not None:
            made = stack.enter_context(called(cluster_of, read.cluster))
            client = stack.enter_context(Client(made))
        how = {"client": client, "progress": progress, "workers_timeout": workers_timeout}
        how |= {"on_change": on_change or "ask", "overwrite": overwrite}
        kept = reported(_stored(read, volumes, how, page), page).kept_report
    if kept is not None:
        print(f"{kept} tells how all of it was made, and is left as it is.")


def _stored(
    read: PipelineFile, volumes: Mapping[str, Any], how: Mapping[str, Any], page: Path | None
) -> RunSummary:
    """Store what a file says, one after the other."""
    summaries: list[RunSummary] = []
    try:
        for name, part in read.stored.items():
            given = {key: value for key, value in how.items() if key not in part.arguments}
            summaries.append(called(WRITERS[part.to], part, volumes[name], **given))
            print(summaries[-1])
    except BlocksFailed as failed:
        reported(in_one([*summaries, failed.summary]), page)
        raise
    return in_one(summaries)


def plan(file: Path, /) -> None:
    """Say what a pipeline in a file would take, and run nothing.

    ```bash
    dask-blockwise plan pipeline.yaml
    ```

    Parameters
    ----------
    file
        A pipeline in YAML.
    """
    read, volumes = _read(file)
    for name, part in read.stored.items():
        options = {k: v for k, v in part.arguments.items() if k in _PLANNED}
        print(f"{name}, to be stored at {part.arguments['path']}:")
        print(volumes[name].plan(to=part.to, **options))


def _text(file: Path) -> str:
    if not file.is_file():
        raise FileNotFoundError(f"There is no file {file}: give a pipeline in YAML.")
    try:
        return file.read_text("utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{file} is no text: give a pipeline in YAML.") from None


def _read(file: Path) -> tuple[PipelineFile, Mapping[str, Any]]:
    read = read_file(_text(file), str(file))
    if not read.stored:
        raise ValueError(
            f"{file} stores nothing: name a volume and its path, such as "
            f"{{store: {{{read.order[-1]}: out.zarr/{read.order[-1]}}}}}."
        )
    volumes = made_of(read)
    check_places(read, volumes)
    return read, volumes
