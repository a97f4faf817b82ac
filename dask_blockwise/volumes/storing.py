"""Store volumes: the arrays that they go to, and the tasks that fill them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass, fields
from math import prod
from typing import Any

from distributed import Client

from ..engine.ledger import holds
from ..engine.progress import RunSummary
from ..engine.run import run
from ..engine.task import Task, check_limits
from ..geometry.blocks import Block, Coordinate, Roi
from ..geometry.boxes import Index, bounded, full_box
from ..storage.arrays import StoredArray, create_image, exists, open_array
from ..storage.chunking import chunks_and_shards
from .region import Context, Regions

__all__ = ["BlocksFailed", "Made", "StoreBlock", "StoreOptions", "Storing", "run_all"]

# The tasks that store the checkpoints of one run, by location.
Made = dict[str, tuple[str, list[Task]]]

_task_numbers = itertools.count(1)


class BlocksFailed(RuntimeError):
    """Some blocks of a run failed for good; all others are done and kept.

    Parameters
    ----------
    summary : RunSummary
        Which blocks, with the first traceback of each.
    """

    def __init__(self, summary: RunSummary) -> None:
        super().__init__(
            f"Some blocks failed; all others are done and kept, and the same call does only what "
            f"is missing.\n{summary}"
        )
        self.summary = summary


@dataclass(frozen=True)
class StoreOptions:
    """How a volume is stored and run."""

    _: KW_ONLY
    # Voxels of a block along each axis but "c"; None for the volume's own.
    block_shape: Index | None = None
    zarr_format: int = 3
    overwrite: bool = False
    resume: bool = True
    # At most so many blocks of a task at once; None for as many as the cluster runs.
    num_workers: int | None = None
    max_retries: int = 2
    # Seconds a block may take.
    timeout: float | None = None

    def __post_init__(self) -> None:
        check_limits(self.num_workers, self.max_retries, self.timeout)

    @classmethod
    def of(cls, options: dict[str, Any]) -> StoreOptions:
        """Options by name.

        Raises
        ------
        TypeError
            If there is no such option.
        """
        known = {f.name for f in fields(cls)}
        if unknown := set(options) - known:
            raise TypeError(f"Unknown {sorted(unknown)}: options are {sorted(known)}.")
        if options.get("block_shape") is not None:
            options = options | {"block_shape": tuple(options["block_shape"])}
        return cls(**options)


@dataclass(frozen=True)
class Storing:
    """How one volume is stored: in which blocks, and what is known of earlier runs."""

    volume: Regions
    block: Index
    options: StoreOptions

    @property
    def fingerprint(self) -> str:
        """What the content of the blocks depends on."""
        return self.volume._fingerprint(self.block)

    def target(self, path: str) -> StoredArray:
        """The array to store at: that of an earlier run of the same, or a new one."""
        goes_on = self.options.resume and not self.options.overwrite and exists(path)
        if goes_on and holds(_ledger(f"{path}/s0"), self.fingerprint):
            return open_array(path, writable=True)
        volume, zarr_format = self.volume, self.options.zarr_format
        whole = volume._with_channels(self.block)
        chunks, shards = chunks_and_shards(whole, volume.axes, zarr_format)
        return create_image(
            path,
            volume.placement,
            volume.shape,
            volume.dtype,
            chunks=chunks,
            shards=shards,
            zarr_format=zarr_format,
            overwrite=self.options.overwrite,
        )

    def task(
        self,
        title: str,
        process: Callable[[Block], None],
        context: Context,
        upstream: Sequence[Task],
        array: str,
    ) -> Task:
        """A task over the volume's blocks, of which each reads so much context."""
        volume, options = self.volume, self.options
        write = Roi(volume.offset, Coordinate(self.block) * volume.voxel_size)
        if upstream:
            context = self._awaited(context)
        return Task(
            f"{title.replace(': ', '-')}-{next(_task_numbers)}",
            volume.roi.grow(*context),
            write.grow(*context),
            write,
            process,
            read_write_conflict=False,
            fit="shrink",
            num_workers=options.num_workers,
            max_retries=options.max_retries,
            timeout=options.timeout,
            upstream_tasks=list(upstream) or None,
            ledger=_ledger(array),
            fingerprint=self.fingerprint,
            voxels_per_block=prod(self.block),
            title=title,
        )

    def _awaited(self, context: Context) -> Context:
        """The context of a block, and all of an axis along which it may read at the far end."""
        axes = list(zip(self.volume.wraps, self.volume.roi.shape))
        before, after = (
            Coordinate(whole if wraps else side for side, (wraps, whole) in zip(sides, axes))
            for sides in context
        )
        return before, after


@dataclass(frozen=True)
class StoreBlock:
    """Store one block of a volume."""

    volume: Regions
    target: StoredArray

    def __call__(self, block: Block) -> None:
        """Compute the block and write it."""
        begin, end = self.volume._voxels(block.write_roi)
        box = bounded(full_box(self.volume.axes, begin, end), self.volume.shape)
        self.target.write(box, self.volume._block(block.number, begin, end))


def run_all(
    tasks: Task | Sequence[Task], client: Client | None, progress: bool, resume: bool
) -> RunSummary:
    """Run tasks, of which no block may fail.

    Raises
    ------
    BlocksFailed
        If blocks failed for good, after all others are done.
    """
    summary = run(tasks, client, progress, resume)
    if not summary:
        raise BlocksFailed(summary)
    return summary


def _ledger(array_path: str) -> str:
    return f"{array_path}/.dask_blockwise"
