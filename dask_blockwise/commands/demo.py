"""The demo: a sample volume from raw to segments."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from distributed import Client

from ..demo.run import Result, run_demo
from ..engine.cluster import local_cluster
from .words import Count

__all__ = ["demo", "report"]


def demo(
    *,
    sample: Literal["mni152", "fib25"] = "mni152",
    output: Path = Path(),
    workers: Count | None = None,
) -> None:
    """Segment a sample volume, score it, and draw a picture.


    ```bash
    dask-blockwise demo --sample fib25 --output /tmp
    ```

    Parameters
    ----------
    sample
        A human brain's tissues (mni152), or a fly's neurons (fib25).
    output
        Folder for the results; this one unless given.
    workers
        Worker processes; one for each core unless given.
    """
    with local_cluster(workers) as cluster, Client(cluster) as client:
        print(f"Watch the cluster at {client.dashboard_link}")
        report(run_demo(sample, output, client))


def report(result: Result) -> None:
    """Print what a demo left behind."""
    scores = [f"{name:<22}{value:.3f}" for name, value in result.scores.items()]
    print(
        "",
        result.table(),
        "",
        "On the part that the network was not trained on:",
        *scores,
        "",
        sep="\n",
    )
    print(f"Volumes: {result.container}")
    print(f"Picture: {result.picture}")
