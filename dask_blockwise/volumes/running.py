"""Running the tasks that store a volume, of which no block may fail."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

from distributed import Client

from ..engine.progress import RunSummary
from ..engine.run import run
from ..engine.task import Task

__all__ = ["BlocksFailed", "run_all"]


class BlocksFailed(RuntimeError):
    """Some blocks of a run failed for good; all others are done and kept.

    Parameters
    ----------
    summary : RunSummary
        Which blocks, and why each failed first.
    """

    exit_code = 1

    def __init__(self, summary: RunSummary) -> None:
        super().__init__(
            summary.as_error(
                "All other blocks that had their input are done and kept. The same call does only "
                "what is missing; with a changed function it is another computation, and asks what "
                "becomes of the finished blocks (on_change, overwrite)."
            )
        )
        self.summary = summary

    def __reduce__(self) -> tuple[type[BlocksFailed], tuple[RunSummary]]:
        # It may go from a worker to whoever waits for it, and is not made of its text alone.
        return type(self), (self.summary,)


def run_all(
    tasks: Task | Sequence[Task],
    client: Client | None,
    progress: bool,
    resume: bool,
    at_end: Sequence[Callable[[], None]] = (),
    workers_timeout: float | None = None,
) -> RunSummary:
    """Run tasks, of which no block may fail, and then do what is to be done at the end.

    Raises
    ------
    BlocksFailed
        If blocks failed for good, after all others are done.
    """
    summary = run(tasks, client, progress, resume, workers_timeout)
    if summary.corrupt:
        warnings.warn(next(summary.notes), stacklevel=3)
    if not summary:
        raise BlocksFailed(summary)
    for end in at_end:
        end()
    return summary
