"""Storing what a command makes, or saying what that would take."""

from __future__ import annotations

from ..volumes.volume import Volume
from .options import Cluster, Running, Storing

__all__ = ["store"]


def store(
    volume: Volume, output: str, storing: Storing, running: Running, cluster: Cluster
) -> None:
    """Store a volume at a path, and print a summary; or print its plan."""
    keywords = storing.keywords
    if storing.plan:
        mask = storing.mask
        volume = volume if mask is None else volume.masked(mask)
        print(volume.plan(storing.block_shape, keywords.get("pyramid"), to=storing.to))
        return
    keep = volume.to_precomputed if storing.to == "precomputed" else volume.to_zarr
    with cluster.client() as client:
        print(keep(output, client=client, **keywords, **running.keywords))
