"""A cluster of jobs with a folder of its own: what it says of itself, and what goes with it."""

from __future__ import annotations

import shutil
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from distributed import SpecCluster

from .own_files import connection_file

__all__ = ["owned"]


class _Owned:
    """Beside a class of dask-jobqueue's clusters."""

    # None until it has one.
    folder: Path | None = None
    # By which another process connects to it; None where its certificates are somebody else's.
    connection_file: Path | None = None

    def own(self, folder: Path | None) -> None:
        """Take a folder, which goes when the cluster is closed."""
        self.folder = folder
        if folder is not None and (folder / "key.pem").exists():
            self.connection_file = connection_file(folder, self.scheduler_address)  # type: ignore[attr-defined]

    def close(self, timeout: float | None = None) -> Any:
        closing = super().close(timeout)  # type: ignore[misc]
        if self.folder is not None:
            for path in (*self.folder.glob("*.pem"), *self.folder.glob("*.yaml")):
                path.unlink(missing_ok=True)
            if not any(self.folder.rglob("*.*")):
                shutil.rmtree(self.folder, ignore_errors=True)
        return closing

    def __repr__(self) -> str:
        how = f"DASK_CONFIG={self.connection_file}, and distributed.Client()"
        told = f"\nFrom another process: {how}" if self.connection_file else ""
        script = self.job_script()  # type: ignore[attr-defined]
        number = len(self.worker_spec)  # type: ignore[attr-defined]
        jobs = f"{number} job{'s' if number > 1 else ''} asked for; each" if number else "A job"
        return f"{super().__repr__()}{told}\n{jobs} is:\n\n{script.strip()}\n"

    def _repr_html_(self, cluster_status: Any = None) -> str:
        shown = super()._repr_html_(cluster_status)  # type: ignore[misc]
        script = escape(self.job_script())  # type: ignore[attr-defined]
        return f"{shown}<details><summary>Script of a job</summary><pre>{script}</pre></details>"


@cache
def owned(cluster: type[SpecCluster]) -> Any:
    """A class of dask-jobqueue's clusters, made to have a folder of its own.

    Parameters
    ----------
    cluster
        The class, or one made from it.
    """
    return type(cluster.__name__, (_Owned, cluster), {})
