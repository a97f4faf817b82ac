"""Relabel: one id for each object of the volume, from labels that blocks made by themselves."""

from __future__ import annotations

from collections.abc import Callable

from .engine.worker.trace import Trace
from .geometry.blocks import Block
from .relabelling.grid import LabelGrid
from .relabelling.match_rule import ByTouch, MatchRule
from .relabelling.relabel import relabel
from .relabelling.scratch import Scratch
from .relabelling.steps import Relabelling
from .volumes.opening import open_volume
from .volumes.step import Target

__all__ = ["fit", "read_write_conflict", "relabel", "spawn_worker"]


fit = "shrink"


read_write_conflict = False


def spawn_worker(output_path: str, scratch_path: str) -> Callable[[Block], Trace]:
    """A function that writes the final ids of one block, once all have been solved for.

    Parameters
    ----------
    output_path : path or URL
        Of a stored volume of uint64; a block is one of its shards or chunks.
    scratch_path : path or URL
        What a relabelling with ``keep_scratch=True`` left for blocks of that shape.

    References
    ----------
    dacapo, ``dacapo/blockwise/relabel_worker.py``, whose ``tmpdir`` is the scratch.
    """
    output, scratch = open_volume(output_path), Scratch(scratch_path)
    halo = tuple((int(before), int(after)) for before, after in scratch.labels.attributes["halo"])
    grid = LabelGrid(output.shape, output.block_shape, halo, (True,) * len(halo))
    rule = MatchRule(ByTouch())
    return Relabelling(output, None, grid, rule, scratch, Target.all_of(output.stored)).relabel
