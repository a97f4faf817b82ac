"""The pipeline of a volume as boxes: what is stored, what is computed from it, in which blocks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from math import prod

from ...geometry.boxes import Index
from ...pictures.flow import FlowBox, Margins, Role, flow_svg
from ...pipelines.calls import Call
from ..frame import Frame
from ..kinds import Checkpoint
from ..lineage import call_of, own_reach, place_of
from ..reach import Halo
from ..source import Voxels
from .at_once import under

__all__ = ["pipeline_svg"]

# A drawing of more is none that helps.
_MOST_BOXES = 40


def pipeline_svg(volume: Voxels) -> str:
    """Draw what a volume is computed from, as SVG.

    Examples
    --------
    >>> import numpy as np
    >>> from dask_blockwise import Volume, threshold
    >>> mask = threshold(Volume.from_array(np.eye(4), chunks=(2, 4)), 0.5)
    >>> "2 blocks of 2 x 4" in pipeline_svg(mask)
    True
    """
    return flow_svg(_boxes(volume))


def _boxes(result: Voxels) -> list[FlowBox]:
    """One for each volume, after those that it is computed from; those nearest to the result."""
    order = _in_order(result, set(map(id, islice(under(result), _MOST_BOXES))))
    numbers = {id(volume): n for n, volume in enumerate(order)}
    inputs = (
        tuple(dict.fromkeys(numbers[id(i)] for i in volume.source.inputs if id(i) in numbers))
        for volume in order
    )
    return [_box(volume, before, volume is result) for volume, before in zip(order, inputs)]


def _in_order(volume: Voxels, drawn: set[int]) -> list[Voxels]:
    order: dict[int, Voxels] = {}

    def visit(one: Voxels) -> None:
        if id(one) in drawn and id(one) not in order:
            for inner in one.source.inputs:
                visit(inner)
            order[id(one)] = one

    visit(volume)
    return list(order.values())


def _box(volume: Voxels, inputs: tuple[int, ...], is_result: bool) -> FlowBox:
    frame, source = volume.frame, volume.source
    role: Role = "computed" if source.inputs else "stored"
    if isinstance(source, Checkpoint):
        role = "checkpoint"
    elif is_result and source.inputs:
        role = "result"
    lines = [_called(volume), f"{_by(frame.shape)} {frame.dtype}"]
    path = place_of(volume)
    if path is not None:
        lines.insert(1, _end_of(path))
    own = own_reach(volume)
    halo = own.voxels(frame) if source.inputs else ()
    if any(map(any, halo)):
        lines.append(f"halo {_halo(halo)}")
    if role in ("checkpoint", "result"):
        count = _blocks(frame)
        blocks = "block" if count == 1 else "blocks"
        lines.append(f"{count:,} {blocks} of {_by(frame.block_shape)}")
    return FlowBox(tuple(lines), role, inputs, _sees(frame, halo))


def _called(volume: Voxels) -> str:
    """The stage as it was called, with the numbers that it was given; a function by its name."""
    call = call_of(volume)
    if call is None or place_of(volume) is not None or "function" in call.arguments:
        return volume.source.title
    given = ", ".join(f"{name}={value}" for name, value in _numbers(call))
    return f"{call.stage}({given})" if given else call.stage


def _numbers(call: Call) -> Iterator[tuple[str, float]]:
    """Those that it was given, also as further keywords, which parameters have one by one."""
    for name, value in call.arguments.items():
        is_further = isinstance(value, Mapping) and name not in call.parameters
        for key, each in value.items() if is_further else [(name, value)]:
            if type(each) in (int, float) and key != "halo":  # which is drawn
                yield key, each


def _sees(frame: Frame, halo: Halo) -> Margins | None:
    """Along the last two axes."""
    if len(halo) < 2 or not any(map(any, halo[-2:])):
        return None
    rows, columns = zip(halo[-2:], frame.block_shape[-2:], strict=True)
    return tuple((before, block, after) for (before, after), block in (rows, columns))  # type: ignore[return-value]


def _halo(halo: Halo) -> str:
    sides = [str(b) if b == a else f"{b}+{a}" for b, a in halo]
    return sides[0] if len(set(sides)) == 1 else " x ".join(sides)


def _blocks(frame: Frame) -> int:
    return prod(-(-n // b) for n, b in zip(frame.extent, frame.block_shape, strict=True))


def _by(shape: Index) -> str:
    return " x ".join(map(str, shape))


def _end_of(path: str) -> str:
    """The last of a path, by which people know it."""
    return "/".join(path.removesuffix("/s0").rstrip("/").split("/")[-2:])
