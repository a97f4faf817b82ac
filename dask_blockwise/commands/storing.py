"""What all stages have as commands: what they read is opened, and what they make stored."""

from __future__ import annotations

from dataclasses import dataclass

from cyclopts import Parameter

from ..volumes.volume import Volume
from .options import Cluster, Opening, Running, Storing

__all__ = ["Stage"]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Stage:
    """Options of every command that stores a volume which it makes of another."""

    opening: Opening = Opening()
    storing: Storing = Storing()
    running: Running = Running()
    cluster: Cluster = Cluster()

    def open(self, path: str) -> Volume:
        """The volume that it is made of."""
        return self.opening.open(path)

    def store(self, volume: Volume, output: str) -> None:
        """Store a volume at a path, and print a summary; or print its plan."""
        storing, keywords = self.storing, self.storing.keywords
        if storing.plan:
            mask = storing.mask
            volume = volume if mask is None else volume.masked(mask)
            levels, dtype = keywords.get("pyramid"), storing.dtype
            print(volume.plan(storing.block_shape, levels, to=storing.to, dtype=dtype))
            return
        keep = volume.to_precomputed if storing.to == "precomputed" else volume.to_zarr
        with self.cluster.client() as client:
            print(keep(output, client=client, **keywords, **self.running.keywords))
