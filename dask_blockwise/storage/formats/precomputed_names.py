"""Names of the files that hold chunks of precomputed data, by their place from the offset on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["check_chunk_names", "chunk_name", "ending_of"]

_CHUNK = re.compile("_".join([r"(-?\d+)-(-?\d+)"] * 3) + r"(\.[A-Za-z][A-Za-z0-9]*)?")
_SHARD = re.compile(r"[0-9a-f]+\.shard")


def chunk_name(scale: Mapping[str, Any], index: Sequence[int]) -> str:
    """The name of the chunk of this number along x, y and z.

    Examples
    --------
    >>> scale = {"size": [100, 64, 9], "chunk_sizes": [[64, 64, 64]], "voxel_offset": [10, 0, 0]}
    >>> chunk_name(scale, (1, 0, 0))
    '74-110_0-64_0-9'
    """
    offsets = scale.get("voxel_offset", (0, 0, 0))
    axes = zip(index, scale["chunk_sizes"][0], scale["size"], offsets, strict=True)
    return "_".join(f"{o + i * n}-{o + min((i + 1) * n, size)}" for i, n, size, o in axes)


def ending_of(name: str) -> str:
    """What is added to the name of a chunk that is compressed as a file; empty for all others.

    Examples
    --------
    >>> ending_of("0-64_0-64_0-64.gz"), ending_of("0-64_0-64_0-64"), ending_of("notes.gz")
    ('.gz', '', '')
    """
    match = _CHUNK.fullmatch(name)
    return (match[7] or "") if match else ""


def check_chunk_names(names: Sequence[str], scale: Mapping[str, Any], folder: str) -> None:
    """Refuse a scale of which there are chunks, but none by the names that its info gives.

    Parameters
    ----------
    names : sequence of str
        Of some files of its folder.
    scale : mapping
    folder : str

    Raises
    ------
    ValueError
        With a name of each kind.
    """
    sharded = bool(scale.get("sharding"))
    chunks = [name for name in names if _CHUNK.fullmatch(name)]
    shards = [name for name in names if _SHARD.fullmatch(name)]
    right = shards if sharded else [name for name in chunks if _is_in_grid(name, scale)]
    if (chunks or shards) and not right:
        expected = "0.shard" if sharded else chunk_name(scale, (0, 0, 0))
        raise ValueError(
            f"by its info {folder} has files such as {expected!r}, but there is none by such a "
            f"name; there is {(chunks or shards)[0]!r}. Read so, all of it would be 0: mend size, "
            "chunk_sizes, voxel_offset or sharding of this scale in info, or write it anew"
        )


def _is_in_grid(name: str, scale: Mapping[str, Any]) -> bool:
    """Whether it is the name of one of the scale's chunks, compressed as a file or not."""
    match = _CHUNK.fullmatch(name)
    begins = list(map(int, match.groups()[0:6:2])) if match else []
    offsets = scale.get("voxel_offset", (0, 0, 0))
    axes = zip(begins, offsets, scale["chunk_sizes"][0])
    index = [(begin - offset) // chunk for begin, offset, chunk in axes]
    return name.removesuffix(ending_of(name)) == chunk_name(scale, index)
