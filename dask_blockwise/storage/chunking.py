"""Into which blocks, shards and chunks an array is cut."""

from __future__ import annotations

from collections.abc import Sequence

from ..geometry.boxes import Index

__all__ = ["chunks_and_shards", "default_block", "split"]


def split(size: int, step: int) -> Index:
    return tuple(min(step, size - begin) for begin in range(0, size, step)) or (0,)


def default_block(axes: tuple[str, ...], shape: Sequence[int]) -> Index:
    space = sum(axis not in "tc" for axis in axes)
    size = 128 if space >= 3 else 1024
    return tuple(
        n if axis == "c" else 1 if axis == "t" else min(n, size) for axis, n in zip(axes, shape)
    )


def chunks_and_shards(
    block: Index, axes: tuple[str, ...], zarr_format: int
) -> tuple[Index, Index | None]:
    """A shard a block with inner chunks near 64 (512 in 2-D); zarr 2 has chunks alone."""
    if zarr_format == 2:
        return block, None
    near = 64 if sum(axis not in "tc" for axis in axes) >= 3 else 512
    chunks = tuple(b if axis in "tc" else _divisor(b, near) for axis, b in zip(axes, block))
    return chunks, (block if chunks != block else None)


def _divisor(size: int, near: int) -> int:
    """The largest divisor up to near, unless that is so small that the whole is better."""
    best = max(d for d in range(1, min(size, near) + 1) if size % d == 0)
    return best if best >= near // 4 else size
