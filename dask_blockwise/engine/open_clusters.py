"""Clusters that were made here and are open: a run without a client takes the one there is."""

from __future__ import annotations

from typing import TypeVar
from weakref import WeakSet

from distributed import SpecCluster

__all__ = ["forget", "noted", "only_one"]

Made = TypeVar("Made", bound=SpecCluster)

_made: WeakSet[SpecCluster] = WeakSet()


def noted(cluster: Made) -> Made:
    """The cluster, which runs without a client find from now on."""
    _made.add(cluster)
    return cluster


def forget(cluster: SpecCluster) -> None:
    """Of a cluster that is one run's own."""
    _made.discard(cluster)


def only_one() -> SpecCluster | None:
    """The cluster that is open, if any.

    Raises
    ------
    ValueError
        If there are several.
    """
    running = [cluster for cluster in _made if cluster.status.name == "running"]
    if len(running) > 1:
        raise ValueError(
            f"{len(running)} clusters are open, and it isn't said which of them is to be used: "
            "give the run client=Client(cluster), or close the others with cluster.close()."
        )
    return running[0] if running else None
