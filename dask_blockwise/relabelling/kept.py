"""Labels of single blocks that an earlier relabelling has kept."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ..engine.ledger import finished
from ..geometry.boxes import Index, common, within
from ..geometry.placement_json import placement_from_json
from ..storage.location import location_of
from ..storage.stored_array import StoredArray
from ..volumes.frame import Frame
from ..volumes.known import array_id, ledger_of
from ..volumes.masks import Mask
from ..volumes.source import Source
from ..volumes.step import Left
from ..volumes.volume import Volume
from .grid import LabelGrid
from .pieces import Pieces
from .scratch import Scratch

__all__ = ["Kept", "check_solved", "open_kept"]


@dataclass(frozen=True, eq=False)
class Kept(Source):
    """What ``relabel(..., keep_scratch=True)`` left, to be relabelled again.

    A region's ids are unique over the volume, and those of single blocks.
    """

    grid: LabelGrid
    scratch: Scratch
    # A hash of what the labels were made from.
    made_from: str
    # Whether touching labels were kept apart by what they were made from.
    apart: bool
    # Of the connected components that they are, if it was known.
    connectivity: int | None = None
    # Whether they were taken as they lay somewhere, with the ids that they had there.
    as_stored: bool = False

    inputs = ()
    kind = "KeptFragments"

    @property
    def arrays(self) -> tuple[StoredArray, ...]:
        """See `Source.arrays`."""
        scratch = self.scratch
        rows = (scratch.owners, scratch.sizes, *((scratch.ids,) if scratch.has_ids else ()))
        return scratch.labels, *(found.array for found in rows)

    def __recipe__(self) -> Any:
        """What the labels are, wherever they lie."""
        return {"grid": self.grid, "made_from": self.made_from, "apart": self.apart}

    def masked(self, mask: Mask) -> NoReturn:
        """See `Source.masked`.

        Raises
        ------
        ValueError
            Always: neighbours were compared as they were labelled.
        """
        raise ValueError(
            "Labels that were kept were made without this mask: segment within it, "
            "relabel(watershed(...).masked(mask), keep_scratch=True), and relabel what that keeps."
        )

    def pieces(self, number: int) -> Pieces:
        """The pieces of a block, from the beginning of its frame."""
        frame = tuple(slice(0, n) for n in self.grid.frame_shape)
        (values,) = self.scratch.labels.read((slice(number, number + 1), *frame))
        owners, sizes = self.scratch.owners.read(number), self.scratch.sizes.read(number)
        ids = self.scratch.ids.read(number) if self.scratch.has_ids else None
        return Pieces(values, owners.astype(np.uint32), sizes.astype(np.int64), ids)

    def read(self, begin: Index, end: Index) -> NDArray[Any]:
        """See `Source.read`."""
        box = tuple(map(slice, begin, end))
        ids = np.zeros([e - b for b, e in zip(begin, end, strict=True)], np.uint64)
        for number in self.grid.meeting(box):
            part = common(box, self.grid.core(number))
            there = within(part, self.grid.frame(number))
            (values,) = self.scratch.labels.read((slice(number, number + 1), *there))
            first = np.uint64(number << 32)
            ids[within(part, box)] = np.where(values > 0, values + first, np.uint64(0))
        return ids


def open_kept(path: str | PathLike[str]) -> Volume:
    """Open a scratch as a volume of the labels of single blocks.

    Parameters
    ----------
    path : path or URL
        Such as ``"out.zarr/segments.scratch"``.

    Raises
    ------
    FileNotFoundError
        If there is none.
    ValueError
        If not all blocks have been labelled.
    """
    scratch = Scratch(location_of(path))
    known = scratch.labels.attributes
    grid = LabelGrid(
        tuple(known["shape"]),
        tuple(known["block_shape"]),
        tuple((before, after) for before, after in known["halo"]),
        tuple(known["stitched"]),
    )
    if missing := int(_lacking(scratch).sum()):
        raise ValueError(
            f"{path} lacks the labels of {missing} of {grid.blocks} blocks: let the run that "
            "made it go on (the same call with resume=True) before relabelling again."
        )
    frame = Frame(
        shape=grid.shape,
        dtype=np.dtype(np.uint64),
        placement=placement_from_json(known["placement"]),
        chunks=grid.block_shape,
    )
    kept = Kept(
        *(grid, scratch, known["made_from"], known["apart"]),
        connectivity=known.get("connectivity"),
        as_stored=known.get("as_stored", False),
    )
    return Volume(frame, kept)


def check_solved(scratch: Scratch) -> None:
    """Refuse a scratch of which edges, or ids of pieces, are gone.

    Raises
    ------
    ValueError
    """
    edges = scratch.edges.array
    rows = (ledger_of(edges.location), scratch.left("edges"))
    table = (ledger_of(scratch.solved), scratch.left_of_table())
    if any(_gone(ledger, edges, left).any() for ledger, left in (rows, table)):
        raise ValueError(
            f"{scratch.path} lacks files: the call that made it, with keep_scratch=True, writes "
            "them again."
        )


def _lacking(scratch: Scratch) -> NDArray[np.bool_]:
    """Which blocks have left no labels, or of which files are gone since."""
    labels, left = scratch.labels, scratch.left_of_labels()
    return (scratch.sizes.lengths() < 0) | _gone(ledger_of(labels.location), labels, left)


def _gone(ledger: str, array: StoredArray, left: Left) -> NDArray[np.bool_]:
    """Of which blocks that were done files are missing; of none where marks are gone, too."""
    done = finished(ledger, array_id(array))
    return np.zeros(1, np.bool_) if done is None else left.lacks(done.marks)
