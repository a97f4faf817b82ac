"""The report that a run was asked for: written when it ends, or left where it had nothing to do."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from ..engine.progress import RunSummary
from ..engine.run_document import Shown, tells_of
from .running import BlocksFailed

__all__ = ["in_one", "reported", "run_reported"]


def run_reported(
    run: Callable[[], RunSummary], outputs: tuple[Shown, ...], page: Path | None
) -> RunSummary:
    """Run, and write the run's page if one is wanted, also where blocks failed.

    Raises
    ------
    BlocksFailed
        By the run.
    """
    try:
        return reported(replace(run(), outputs=outputs), page)
    except BlocksFailed as failed:
        failed.summary = reported(replace(failed.summary, outputs=outputs), page)
        raise


def reported(summary: RunSummary, page: Path | None) -> RunSummary:
    """Write a run's page, if one is wanted; what it has stored is there also if that can't be.

    A page that tells how the same outputs were made isn't replaced by one of a run that had nothing
    to do; the summary says so.
    """
    if page is None:
        return summary
    if summary.did_nothing and tells_of(page, summary.outputs):
        return replace(summary, kept_report=page)
    try:
        summary.report(page)
    except Exception as error:  # of a full disk, or whatever else; it must not hide the run's own
        warnings.warn(f"The report of the run can't be written: {error}", stacklevel=5)
    return summary


def in_one(summaries: Sequence[RunSummary]) -> RunSummary:
    """Several runs, one after the other, as one.

    Examples
    --------
    >>> in_one([RunSummary((), 1.0, 4), RunSummary((), 2.0, 8)]).seconds
    3.0
    """
    return RunSummary(
        tuple(task for one in summaries for task in one.tasks),
        sum(one.seconds for one in summaries),
        max((one.threads for one in summaries), default=0),
        "\n".join(one.advice for one in summaries if one.advice),
        absent=tuple(dict.fromkeys(told for one in summaries for told in one.absent)),
        outputs=tuple(dict.fromkeys(output for one in summaries for output in one.outputs)),
    )
