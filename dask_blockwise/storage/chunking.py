"""Into which blocks, shards and chunks an array is cut."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..geometry.boxes import Index

__all__ = ["checked_layout", "chunks_and_shards", "default_block", "split"]


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


def checked_layout(
    shape: Sequence[int], chunks: Sequence[int], shards: Sequence[int] | None, zarr_format: int
) -> dict[str, Any]:
    """Shape, chunks and shards as zarr takes them, if they agree.

    Raises
    ------
    ValueError
        If they don't, or there is no such version of zarr.
    """
    sizes = [tuple(int(n) for n in s) for s in (shape, chunks, shards or chunks)]
    if zarr_format not in (2, 3):
        raise ValueError(f"zarr_format must be 2 or 3, got {zarr_format}.")
    if shards and zarr_format == 2:
        raise ValueError("zarr 2 has no shards: leave shards out, or use zarr_format=3.")
    if len({len(s) for s in sizes}) != 1 or min(map(min, sizes)) < 1:
        raise ValueError(
            f"Shape {sizes[0]}, chunks {sizes[1]} and shards {sizes[2]} must have one positive "
            "number for each axis."
        )
    if any(s % c for s, c in zip(sizes[2], sizes[1], strict=True)):
        raise ValueError(f"Chunks {sizes[1]} must divide shards {sizes[2]} along every axis.")
    return {"shape": sizes[0], "chunks": sizes[1], "shards": sizes[2] if shards else None}
