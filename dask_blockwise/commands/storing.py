"""What all stages have as commands: what they read is opened, and what they make stored."""

from __future__ import annotations

from dataclasses import dataclass

from cyclopts import Parameter

from ..engine.run_document import check_report_path
from ..storage.location import location_of
from ..volumes.same_place import check_meets
from ..volumes.stored_as import stored_as
from ..volumes.tasks import check_path
from ..volumes.volume import Volume
from .options import OF_ZARR, Cluster, Opening, Running, Storing

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
            self._check(volume, output)
            mask = storing.mask
            volume = volume if mask is None else volume.masked(mask)
            levels, dtype = keywords.get("pyramid"), storing.dtype
            print(volume.plan(storing.block_shape, levels, to=storing.to, dtype=dtype))
            return
        keep = volume.to_precomputed if storing.to == "precomputed" else volume.to_zarr
        with self.cluster.when_needed():
            print(keep(output, **keywords, **self.running.keywords))

    def _check(self, volume: Volume, output: str) -> None:
        """Refuse, of what is only planned, what would be refused as it is stored."""
        storing, frame = self.storing, volume.frame
        check_path(volume, location_of(output))
        if storing.to == "ome-zarr":
            keywords = storing.keywords
            kept = stored_as(volume, **{name: keywords[name] for name in OF_ZARR})
            kept.settings(output, frame, frame.checked_block(storing.block_shape))
        if storing.region is not None:
            check_meets(frame, storing.region)
        if storing.report is not None:
            check_report_path(storing.report)
