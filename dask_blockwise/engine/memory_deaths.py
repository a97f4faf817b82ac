"""Deaths of workers for memory, told apart from all others, with what mends them."""

from __future__ import annotations

from dask.utils import format_bytes

from .worker.ending import KILLED_FOR_MEMORY
from .worker.failure import Failure
from .worker.memory import MENDS
from .worker.report import BatchReport

__all__ = ["MemoryDeaths"]


class MemoryDeaths:
    """Which workers their nannies killed for memory."""

    def __init__(self) -> None:
        # What each had, and may have had, in bytes.
        self._killed: dict[str, tuple[int, int]] = {}

    def hear(self, worker: str, had: int, allowed: int) -> None:
        """A nanny tells of one, before it kills it."""
        self._killed[worker] = had, allowed

    def is_clear(self, report: BatchReport, address: str) -> bool:
        """Whether it is known that a worker was killed for memory, or no nanny could say so yet."""
        return report.kernel_killed or address in self._killed or not address

    def explained(
        self, report: BatchReport, address: str, alone: bool, planned: int | None
    ) -> BatchReport:
        """The report of a batch whose worker died, if that was for memory with what mends it.

        Parameters
        ----------
        report
            As the journal has it.
        address
            The worker's.
        alone
            Whether nothing ran beside its blocks in the process.
        planned
            Bytes of arrays that a block holds, as far as is known.
        """
        words = self._words(report, address)
        if not words:
            return report
        beside = " It ran alone in its process." if alone else ""
        arrays = f"Its arrays alone take {format_bytes(planned)}, by plan(). " if planned else ""
        why = Failure(f"{words}{beside}", advice=f"{arrays}{MENDS}")
        if address in self._killed:
            report = report.unexcused()
        return report.blamed(why)

    def _words(self, report: BatchReport, address: str) -> str:
        head = f"{KILLED_FOR_MEMORY} while it ran the block:"
        if address in self._killed:
            had, allowed = map(format_bytes, self._killed[address])
            return f"{head} it had {had}, and may have {allowed}."
        if report.told or not report.died:
            return report.told
        if report.kernel_killed:
            if limit := report.group_limit:
                of = f"the {format_bytes(limit)} of its job or container"
                return f"{head} by the kernel, as no more was left of {of}."
            there = "it has killed a process of its machine or container for memory meanwhile"
            return f"{head} by the kernel, as it seems: {there}."
        return ""
