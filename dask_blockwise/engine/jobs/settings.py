"""What jobs get unless a person says otherwise, by an option or in Dask's configuration."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask

from ..worker.allocator import memory_settings
from ..worker.job_end import export_of
from .own_files import certificates, cluster_folder
from .walltime import seconds_of

__all__ = ["Wanted", "settle"]

# Nobody else on the machine is shown what runs, and a port that is taken is no matter.
_LOOPBACK = "127.0.0.1:0"


@dataclass(frozen=True)
class Wanted:
    """What a person says of jobs."""

    # Options of the cluster; settings are added to them.
    given: dict[str, Any]
    # Dask's configuration of the batch system.
    configured: dict[str, Any]

    def says(self, name: str) -> Any:
        """What either says of an option, if anything."""
        # From the environment, names come with underscores.
        known_as = dask.config.canonical_name(name, self.configured)
        return self.given.get(name) or self.configured.get(known_as)


def settle(wanted: Wanted, counts: str | None, scratch: str | None) -> Path | None:
    """Add to the options what they lack.

    Parameters
    ----------
    wanted
        Whose options are completed.
    counts
        What the first number of a time limit counts, if that is known.
    scratch
        Folder on a job's machine, if one is known.

    Returns
    -------
    pathlib.Path or None
        The cluster's own folder, if it has one.
    """
    given = wanted.given
    given["scheduler_options"] = {"dashboard_address": _LOOPBACK} | (
        wanted.says("scheduler_options") or {}
    )
    if scratch is not None and not wanted.says("local_directory"):
        given["local_directory"] = scratch
    given["job_script_prologue"] = [
        *_exports(wanted, counts),
        *(wanted.says("job_script_prologue") or []),
    ]
    if "--dashboard-address" not in (extra := list(wanted.says("worker_extra_args") or [])):
        # Pages that are seen on that machine alone aren't worth a third of a second of each worker.
        pages = ["--dashboard-address", _LOOPBACK, "--no-dashboard"]
        given["worker_extra_args"] = [*extra, *pages]
    return _private(wanted)


def _exports(wanted: Wanted, counts: str | None) -> list[str]:
    # What the environment of a job's machine has is kept.
    lines = [f"export {name}=${{{name}:-{value}}}" for name, value in memory_settings().items()]
    walltime = wanted.says("walltime")
    seconds = seconds_of(str(walltime), counts) if counts and walltime else None
    return [*lines, *([export_of(seconds)] if seconds else [])]


def _private(wanted: Wanted) -> Path | None:
    """Certificates and a place for what jobs print, unless a person has these themselves."""
    given = wanted.given
    logs = wanted.says("log_directory")
    needs_certificates = given.get("security") in (None, True)
    if given.get("security") is False:
        del given["security"]
    if logs and not needs_certificates:
        return None
    folder = cluster_folder(wanted.says("shared_temp_directory"))
    if needs_certificates:
        given["security"] = certificates(folder)
    if not logs:
        given["log_directory"] = str(folder / "logs")
    return folder
