"""Where a chain is worth storing on the way, so that halos aren't computed again and again."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from math import prod
from pathlib import PurePosixPath
from typing import Any, Literal

from ..geometry.boxes import Index
from ..pipelines.stages import noted
from .kinds import Checkpoint, checkpointed
from .lineage import (
    call_of,
    checkpoints_of,
    is_by_voxel,
    is_made_by,
    is_stored,
    over_inputs,
    takes_long,
)
from .reads import reads_of
from .source import LabelSource, Voxels

__all__ = ["Automatic", "with_checkpoints", "with_checkpoints_as"]

Automatic = Literal["auto"]
# Made from a volume, and where it is to be stored: the same as a checkpoint.
_Keep = Callable[[Voxels, str], Voxels]

# A block's voxels are computed so many times before they are worth storing.
_WORTH = 1.5


def with_checkpoints(
    volume: Voxels, path: str, block: Index, keep: _Keep, how: Automatic = "auto"
) -> Voxels:
    """The same, stored on the way where blocks would compute half as much again, or more.

    That goes by blocks and halos alone, as ``recompute_factor`` of a plan does, and by no measured
    speed: so the same call finds the same again. What is made voxel by voxel of what is stored is
    computed again, as that takes no more than to read it.

    Parameters
    ----------
    volume : Volume
    path : str
        Where it will be stored, without a slash at its end; beside it, named by its stage, lies
        what is stored on the way.
    block : tuple of int
        Voxels of a block along all axes but "c".
    keep : callable
        Makes a checkpoint of a volume and a path.
    how : "auto"

    Raises
    ------
    ValueError
        If it is to be chosen in another way.
    """
    if how != "auto":
        raise ValueError(
            f'checkpoint is "auto", got {how!r}: to store a stage at a path of your own, call '
            "checkpoint(path) of its volume."
        )
    names: set[str] = set()

    def store(one: Voxels) -> Voxels:
        made = cut(one, one.frame.block_shape)
        return _only_for(path, keep(made, _beside(path, _stage_of(one), names)))

    def cut(one: Voxels, block: Index) -> Voxels:
        if isinstance(one.source, Checkpoint):
            return _with(one, one.source.made, cut(one.source.made, one.frame.block_shape))
        while (found := _worth_storing(one, block)) is not None:
            one = _with(one, found, store(found))
        for kept in [each for each in _under(one) if isinstance(each.source, Checkpoint)]:
            one = _with(one, kept, cut(kept, block))
        return one

    return cut(volume, block)


def with_checkpoints_as(made: Voxels, volume: Voxels, path: str, block: Index) -> Voxels:
    """A volume stored on the way as another was at the same path, if a run did that by itself."""
    found = (one.options for one in checkpoints_of(made))
    options = [one for one in found if one.on_the_way_to is not None]
    if not options:
        return volume
    return with_checkpoints(volume, path, block, lambda one, at: checkpointed(one, at, options[0]))


def _worth_storing(volume: Voxels, block: Index) -> Voxels | None:
    """What is worth it of what a volume is computed from, what comes last first.

    Never labels that a region has by itself: stored, they would end where blocks do.
    """
    for one in _under(volume):
        if is_stored(one) or is_made_by(one, LabelSource):
            continue
        if one.source.needs_all or _is_worth_it(volume, one, block):
            return one
    return None


def _is_worth_it(volume: Voxels, one: Voxels, block: Index) -> bool:
    if not takes_long(one) or _input_is_smaller(one):
        return False
    kept = replace(one, source=Checkpoint((one,), ""))
    reads = reads_of(_with(volume, one, kept), block)
    voxels = sum(read.voxels for read in reads if read.volume is kept)
    return voxels >= _WORTH * prod(one.frame.extent)


def _input_is_smaller(volume: Voxels) -> bool:
    """Whether it is made voxel by voxel of one that takes long, and fewer bytes."""
    if not is_by_voxel(volume):
        return False
    slow = [inner for inner in volume.source.inputs if takes_long(inner)]
    return sum(map(_bytes_of, slow)) < _bytes_of(volume)


def _bytes_of(volume: Voxels) -> int:
    return prod(volume.frame.shape) * volume.frame.dtype.itemsize


def _under(volume: Voxels) -> Iterator[Voxels]:
    """What a volume is computed from, down to what is stored and with that, nearest first."""
    found, seen = list(volume.source.inputs), set()
    for one in found:
        if id(one) not in seen:
            seen.add(id(one))
            yield one
            found += () if is_stored(one) else one.source.inputs


def _with(volume: Voxels, one: Voxels, other: Voxels) -> Voxels:
    """The volume with another in place of one of those that it is made from."""
    made: dict[int, Any] = {id(one): other}

    def over(inner: Any) -> Any:
        if id(inner) not in made:
            same = all(over(each) is each for each in inner.source.inputs)
            made[id(inner)] = inner if same else over_inputs(inner, over)
        return made[id(inner)]

    found: Voxels = over(volume)
    return found


def _only_for(path: str, kept: Voxels) -> Voxels:
    """A checkpoint in whose place nothing is replaced but what was stored there for the same."""
    source: Any = kept.source
    options = replace(source.options, on_the_way_to=path.rpartition("/")[2])
    found: Voxels = noted(replace(kept, source=replace(source, options=options)), call_of(kept))
    return found


def _stage_of(volume: Voxels) -> str:
    """What made it, as it was called; a function by its name."""
    call = call_of(volume)
    if call is None or "function" in call.arguments:
        return volume.source.title
    return call.stage


def _beside(path: str, title: str, names: set[str]) -> str:
    """Where a stage of such a title is stored; each name is given once.

    Examples
    --------
    >>> _beside("out.zarr/mask", "gaussian(sigma=2)", set())
    'out.zarr/mask-gaussian'
    >>> _beside("out.zarr", "gaussian", {"gaussian"})
    'out-gaussian-2.zarr'
    """
    plain = re.sub(r"\W+", "-", title.partition("(")[0]).strip("-") or "stage"
    number = next(n for n in range(1, len(names) + 2) if _numbered(plain, n) not in names)
    names.add(name := _numbered(plain, number))
    folder, _, last = path.rpartition("/")
    if folder.endswith("/"):
        raise ValueError(
            f"{path} is all of a bucket, beside which nothing can be stored on the way: store at a "
            f"path in it, such as {path}/result.zarr."
        )
    ending = PurePosixPath(last).suffix
    return f"{path.removesuffix(ending)}-{name}{ending}"


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name}-{number}"
