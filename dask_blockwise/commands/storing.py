"""Storing what a command makes, or saying what that would take."""

from __future__ import annotations

from ..volumes.volume import Volume
from .options import Cluster, Running, Storing

__all__ = ["store"]


def store(
    volume: Volume, output: str, storing: Storing, running: Running, cluster: Cluster
) -> None:
    """Store a volume at a path, and print a summary; or print its plan."""
    if storing.plan:
        mask = storing.mask
        volume = volume if mask is None else volume.masked(mask)
        print(volume.plan(storing.block_shape, storing.pyramid))
        return
    with cluster.client() as client:
        print(volume.to_zarr(output, client=client, **storing.keywords, **running.keywords))
