"""Options that many commands share: how a volume is opened, how one is stored, and by whom."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Group, Parameter
from distributed import Client

from ..engine.any_cluster import cluster
from ..engine.clients import client_when_needed
from ..volumes.opening import open_volume
from ..volumes.planning import Kept
from ..volumes.volume import Volume
from .spoken import behind_name
from .words import (
    Count,
    Fractions,
    Memory,
    Named,
    Parts,
    Region,
    Size,
    Span,
    Whole,
    Workers,
    named_values,
)

__all__ = [
    "OF_ZARR",
    "Cluster",
    "Flag",
    "Opening",
    "OpeningAffinities",
    "OpeningTruth",
    "Running",
    "Storing",
    "Trying",
]

_INPUT = Group("Input", sort_key=2)
_OUTPUT = Group("Output", sort_key=3)
_RUN = Group("Run", sort_key=4)
_CLUSTER = Group("Cluster", sort_key=5)

OF_ZARR = ("dtype", "compressor", "zarr_format", "pyramid")

Flag = Annotated[bool, Parameter(negative="", show_default=False)]


def _given(options: Any, *but: str) -> dict[str, Any]:
    """Options by the names that functions have, without those that weren't given."""
    chosen = {field.name: getattr(options, field.name) for field in fields(options)}
    return {name: value for name, value in chosen.items() if value is not None and name not in but}


@Parameter(name="*", group=_INPUT)
@dataclass(frozen=True, kw_only=True)
class Opening:
    """How a volume is opened."""

    level: str | None = None
    """Which level of an image of several: an index, its path, or a voxel size such as "16 nm"."""
    axes: str | None = None
    """Such as czyx, where the metadata names none, or others."""
    voxel_size: Fractions | None = None
    """For all axes but c, instead of the metadata's."""
    offset: Fractions | None = None
    """Where the first voxel begins in the world, likewise."""
    unit: str | None = None
    """Of space, instead of the metadata's."""
    stands_for: Span | None = None
    """What bytes 0 and 255 of another tool's predictions stand for."""
    on_missing: Literal["fill", "raise"] = "fill"
    """What is read of chunks that aren't there: fill value, or an error."""
    on_corrupt: Literal["raise", "fill"] = "raise"
    """What is read of damaged chunks."""
    isel: Parts = ()
    """A part along an axis, as c=0 or c=0:3, in voxels; may be given several times."""

    def open(self, path: str, of: str = "") -> Volume:
        """The volume at a path; what is wrong is said of the options behind this name."""
        try:
            return self._open(path)
        except ValueError as error:
            if not of:
                raise
            options = (field.name for field in fields(self))
            raise ValueError(behind_name(str(error), of, options)) from error

    def _open(self, path: str) -> Volume:
        given = _given(self, "level", "isel")
        level = int(self.level) if self.level and self.level.isdecimal() else self.level
        volume = open_volume(path, level=level, **given)
        return volume.isel(**named_values(self.isel)) if self.isel else volume


# Of a second volume: the same behind its name, which help says in a line of that volume.
OpeningAffinities = Annotated[Opening, Parameter(name="--affinities", show=False)]
OpeningTruth = Annotated[Opening, Parameter(name="--truth", show=False)]


@Parameter(name="*", group=_OUTPUT)
@dataclass(frozen=True, kw_only=True)
class Storing:
    """How a volume is stored."""

    block_shape: Size | None = None
    """Voxels of a block, stored as one shard; the volume's own unless given."""
    dtype: str | None = None
    """Such as uint32, or smallest for ids."""
    compressor: str = "zstd"
    """zstd, gzip, blosc, lz4 (the fastest) or none, with a level as in zstd:9."""
    zarr_format: Literal[2, 3] | None = None
    """That of the container, or else 3, unless given."""
    pyramid: Flag = False
    """Store coarser levels too."""
    overwrite: Flag = False
    """Replace what lies there."""
    on_change: Literal["ask", "redo"] = "ask"
    """Where something has changed since the last run: refuse, or compute what that touches."""
    verify: Literal["stamps", "content", "none"] = "stamps"
    """How it is seen that inputs are what they were."""
    region: Annotated[Region | None, Parameter(name="--roi")] = None
    """Compute these blocks alone, again; in the world's units, as info prints them."""
    within: str | None = None
    """A mask of any voxel size: blocks that are all outside are skipped, and hold 0."""
    skip_if: float | None = None
    """Skip blocks in which the volume that all is made of has this value alone."""
    notes: str | None = None
    """Kept with the output."""
    report: str | None = None
    """Where a page that explains the run is written, such as run.html, or run.json."""
    plan: Flag = False
    """Say what it would take, and run nothing."""

    to: Kept = "ome-zarr"
    """As what: precomputed is Neuroglancer's, with all coarser scales."""
    segmentation: bool | None = None
    """Precomputed: of labels; or, by --no-segmentation, an image. By its dtype unless given."""
    encoding: Literal["raw", "png", "jpeg", "compressed_segmentation"] | None = None
    """Precomputed: of chunks."""

    @property
    def keywords(self) -> dict[str, Any]:
        """For ``to_zarr``, or ``to_precomputed``."""
        self._check_kept()
        given = _given(self, "plan", "region", "within", "to", *OF_ZARR)
        given |= {"roi": self.region, "mask": self.mask}
        if self.to == "precomputed":
            return given
        compressor = None if self.compressor == "none" else self.compressor
        of_zarr = {name: getattr(self, name) for name in OF_ZARR} | {"compressor": compressor}
        return given | of_zarr

    @property
    def mask(self) -> Volume | None:
        """Where there is something, if that is given."""
        return open_volume(self.within) if self.within else None

    def _check_kept(self) -> None:
        """Refuse what can't be chosen of what it is to be stored as."""
        others = OF_ZARR if self.to == "precomputed" else ("segmentation", "encoding")
        usual = {field.name: field.default for field in fields(self)}
        given = [name for name in others if getattr(self, name) != usual[name]]
        if given:
            options = ", ".join(f"--{name.replace('_', '-')}" for name in given)
            kept, other = "OME-Zarr", "--to precomputed"
            if self.to == "precomputed":
                kept, other = "precomputed data, which have all levels", "--to ome-zarr"
            raise ValueError(f"{options} can't be chosen of {kept}: leave it out, or give {other}.")


@Parameter(name="*", group=_RUN)
@dataclass(frozen=True, kw_only=True)
class Trying:
    """How blocks are run, of which none is kept for a later run."""

    progress: Annotated[bool, Parameter(show_default=False)] = True
    """Show a bar, which is done unless --no-progress is given."""
    max_retries: Whole = 2
    """How often a block is tried again (2 unless given)."""
    timeout: float | None = None
    """Seconds that a block may take."""
    workers_timeout: str | None = None
    """How long a run may wait while it has no worker, such as 2h; then it ends with 75."""

    @property
    def keywords(self) -> dict[str, Any]:
        """For whatever runs blocks."""
        return _given(self)


@Parameter(name="*", group=_RUN)
@dataclass(frozen=True, kw_only=True)
class Running(Trying):
    """How blocks are run."""

    resume: Annotated[bool, Parameter(show_default=False)] = True
    """Go on with what an earlier run left, which is done unless --no-resume is given."""


@Parameter(name="*", group=_CLUSTER)
@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Which workers run the blocks."""

    cluster: Literal["local", "slurm", "lsf", "pbs", "sge", "htcondor", "oar", "moab"] = "local"
    """This machine, or a batch system, whose jobs come and go by themselves."""
    workers: Workers | None = None
    """Worker processes, over all jobs; or the least and the most, such as 0:50."""
    cores: Count | None = None
    """Cores of a job; on this machine, threads of a worker (1 unless given)."""
    memory: Memory | None = None
    """Of a job, such as 8GB; on this machine of a worker, also a share such as 0.5, or 0 for no
    limit."""
    walltime: str | None = None
    """Time limit of a job, such as 12h."""
    gpus: Whole | None = None
    """GPUs of a job; each has a worker."""
    queue: str | None = None
    """Queue, or partition."""
    cluster_option: Named = ()
    """Anything else that the batch system's cluster takes, such as account=neuro."""
    scheduler: str | None = None
    """Address, or scheduler file, of a Dask cluster that runs already."""

    @contextmanager
    def when_needed(self) -> Iterator[None]:
        """Within the body, what is run has its client, which the first run opens."""
        self._check()
        with client_when_needed(self.client):
            yield

    @contextmanager
    def client(self) -> Iterator[Client | None]:
        """Its client; none where a run is to start this machine's processes by itself."""
        self._check()
        if self.scheduler:
            with _running(self.scheduler) as client:
                yield client
        elif self.cluster == "local" and not self._asked:
            yield None
        else:
            with cluster(self.cluster, **self._asked) as made, Client(made) as client:
                yield client

    @property
    def _asked(self) -> dict[str, Any]:
        extra = named_values(self.cluster_option)
        return _given(self, "cluster", "cluster_option", "scheduler") | extra

    def _check(self) -> None:
        if self.scheduler:
            self._refuse_beside_scheduler(self._asked)
        elif self.cluster != "local":
            self._check_workers()

    def _check_workers(self) -> None:
        if self.workers is None:
            raise ValueError(
                f"--cluster {self.cluster} needs --workers, how many there are to be: a number, "
                "or the least and the most, such as 0:50."
            )

    def _refuse_beside_scheduler(self, others: dict[str, Any]) -> None:
        given = [f"--{name.replace('_', '-')}" for name in others]
        if self.cluster != "local":
            given.insert(0, "--cluster")
        if given:
            raise ValueError(
                f"--scheduler names a cluster that runs, of which {', '.join(given)} can't be "
                "chosen: give one or the other."
            )


def _running(scheduler: str) -> Client:
    try:
        return _client_of(scheduler)
    except TimeoutError as error:
        raise ValueError(
            f"No scheduler answers at {scheduler} ({error}): see that it runs and can be reached "
            "from this machine, and that the address is the one that it prints."
        ) from error


def _client_of(scheduler: str) -> Client:
    if "://" in scheduler or not scheduler.endswith(".json"):
        return Client(scheduler)
    if not Path(scheduler).is_file():
        raise FileNotFoundError(
            f"There is no scheduler file {scheduler}: give the one that dask scheduler writes by "
            "its --scheduler-file, or the scheduler's address."
        )
    return Client(scheduler_file=scheduler)
