"""The process that drives a run: ``python -m benchmarks.chaos.driver PREDICTION PLACE SECONDS``."""

from __future__ import annotations

import faulthandler
import logging
import signal
import sys
from pathlib import Path

from distributed import Client

from dask_blockwise.engine.cluster import local_cluster

from .scene import MAX_RETRIES, segments_at
from .watch import WatchedWorker, watch_driver

WORKERS = 2


def main(prediction: str, place: str, seconds: str) -> None:
    """Make the one call that makes all of it, or goes on with it; blocks may take so long."""
    watch_driver()
    # Where it stands, for whoever asks.
    faulthandler.register(signal.SIGUSR1)
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    limits = {"max_retries": MAX_RETRIES, "timeout": float(seconds)}
    segments = segments_at(Path(prediction), place, limits)
    with local_cluster(n_workers=WORKERS) as cluster, Client(cluster) as client:
        client.register_plugin(WatchedWorker())
        segments.to_zarr(f"{place}/segments", client=client, progress=False, **limits)


if __name__ == "__main__":
    main(*sys.argv[1:])
