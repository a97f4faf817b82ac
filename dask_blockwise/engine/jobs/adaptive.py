"""As many workers as there is work for, as a run knows it.

Dask goes by the tasks that its scheduler holds. Of a run that is a window of a few batches,
however many blocks there are, so it would ask for one worker and no more.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from distributed import Adaptive, SpecCluster

__all__ = ["adapt", "want"]

_wanted: WeakKeyDictionary[Any, dict[str, int]] = WeakKeyDictionary()


class _ByRuns(Adaptive):
    async def target(self) -> int:
        runs = _wanted.get(self.cluster, {}).values()
        by_dask: int = await super().target()  # type: ignore[no-untyped-call]
        return max(by_dask, sum(runs))


def adapt(cluster: SpecCluster, least: int, most: int) -> None:
    """Have a cluster grow and shrink between two numbers of workers."""
    cluster.adapt(Adaptive=_ByRuns, minimum=least, maximum=most)


def want(cluster: Any, run_id: str, workers: int) -> None:
    """Say how many workers a run could use; 0 when it is over."""
    if not isinstance(cluster, SpecCluster):
        return
    runs = _wanted.setdefault(cluster, {})
    runs[run_id] = workers
    if not workers:
        del runs[run_id]
