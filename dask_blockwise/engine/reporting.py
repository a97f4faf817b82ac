"""What a batch is on a worker: blocks that are run, and a report that is sent as an event."""

from __future__ import annotations

import math
import time
from functools import partial
from typing import Any

from distributed import get_worker

from .plugins.names import has_seceded
from .plugins.worker import leave
from .worker.batch import Batch, run_batch
from .worker.job_end import may_begin
from .worker.journal import post_mortem

__all__ = ["run_and_report", "search_and_report"]


def run_and_report(topic: str, key: list[Any], batch: Batch) -> None:
    """Run a batch and send the report of it.

    Parameters
    ----------
    topic
        Of the events.
    key
        Of the batch; its last part is the number of seconds that it may take.
    batch
        The blocks.
    """
    worker = get_worker()
    # Before it is alone in the process, as others go on meanwhile.
    time.sleep(batch.pause)
    begun = partial(worker.log_event, f"{topic}-begun", {"key": key})
    begin = begun if math.isfinite(key[-1]) else lambda: None
    report = run_batch(batch, begin, partial(has_seceded, worker))
    worker.log_event(topic, {"key": key, "report": vars(report)})
    if report.left and not may_begin(batch.block_seconds):
        worker.loop.add_callback(leave, worker)


def search_and_report(died_on: str, topic: str, key: list[Any], batch: Batch) -> None:
    """Send what the journal of a dead worker on the same machine says.

    Parameters
    ----------
    died_on
        Address of that worker.
    topic, key, batch
        As of `run_and_report`.
    """
    report = post_mortem(batch.run_id, died_on, batch.name, batch.numbers)
    get_worker().log_event(topic, {"key": key, "report": vars(report)})
