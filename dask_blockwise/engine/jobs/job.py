"""Jobs of dask-jobqueue that tell what becomes of them; what it lacks is worked round here.

Its last release, 0.9 of 2024, raises the refusal of a job in the middle of its event loop, from
where it reaches nobody but the log; leaves the status of closed jobs as it was; throws away what
``bsub`` says; and names HTCondor's batches by its own workers.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from distributed.deploy.spec import ProcessInterface

__all__ = ["refusal_of", "telling"]


class _Telling(ProcessInterface):
    """Beside a class of dask-jobqueue's jobs."""

    submit_command: str
    # What the batch system said, where it refused the job.
    refusal = ""

    async def start(self) -> None:
        try:
            await super().start()  # type: ignore[no-untyped-call]
        except (RuntimeError, ValueError, OSError) as error:
            self.refusal = _said(error, self.submit_command)
            await ProcessInterface.start(self)

    async def close(self) -> None:
        await super().close()  # type: ignore[no-untyped-call]
        await ProcessInterface.close(self)


class _TellingOfLSF(_Telling):
    """``bsub`` is called with its errors going to /dev/null, for the sake of its output."""

    async def start(self) -> None:
        command = self.submit_command
        with TemporaryDirectory(prefix="dask-blockwise-bsub-") as folder:
            errors = Path(folder, "errors")
            self.submit_command = f"sh -c '{command} \"$@\" 2> {errors}' bsub"
            await super().start()
            if self.refusal and errors.exists():
                self.refusal = errors.read_text(errors="replace").strip() or self.refusal
        self.submit_command = command


@cache
def telling(job: type) -> type:
    """The class of jobs, made to tell.

    Parameters
    ----------
    job
        A class of dask-jobqueue's jobs, or one made from it.
    """
    is_lsf = "LSFJob" in {above.__name__ for above in job.__mro__}
    kind = _TellingOfLSF if is_lsf else _Telling
    return type(job.__name__, (kind, job), {})


def refusal_of(job: Any) -> str:
    """What the batch system said where it refused a job; empty where it took it."""
    return getattr(job, "refusal", "")


def _said(error: Exception, command: str) -> str:
    """What a batch system's program said, without what dask-jobqueue says around it.

    Examples
    --------
    >>> _said(RuntimeError("Exit code: 1\\nstdout:\\n\\nstderr:\\nsbatch: no\\n"), "sbatch")
    'sbatch: no'
    """
    if isinstance(error, FileNotFoundError):
        return (
            f"there is no program {error.filename or command} here: begin where jobs are submitted "
            "from, such as a login node"
        )
    told = re.search(r"stdout:\n(.*)\nstderr:\n(.*)", str(error), re.DOTALL)
    said = [part.strip() for part in told.groups() if part.strip()] if told else []
    return "\n".join(said) or str(error)
