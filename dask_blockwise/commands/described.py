"""What is known of a stored volume, as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import prod

from dask.utils import format_bytes

from ..tables import by_axis, text_columns
from ..volumes.absent_inputs import absent_inputs, note_of
from ..volumes.made_by import parameters_in_words
from ..volumes.record import Record
from ..volumes.seen.html import as_written
from ..volumes.volume import Volume

__all__ = ["described", "in_lines", "tell_absent"]


def described(volume: Volume, levels: Sequence[Volume], record: Record | None) -> str:
    """Rows of a name and what is known, without reading voxels.

    Parameters
    ----------
    volume : Volume
    levels : sequence of Volume
        Of the image, the finest first; none where it has no others.
    record : Record, optional
        What it was computed by.

    Examples
    --------
    >>> import numpy as np
    >>> print(described(Volume.from_array(np.eye(4), voxel_size=(8, 8)), [], None))
    shape       y 4, x 4
    values      float64, 128 B
    voxel size  y 8, x 8
    offset      y 0, x 0
    region      [0:32, 0:32] (32, 32)
    block       y 4, x 4
    """
    rows = [*_of_volume(volume), *_of_levels(levels), *_of_record(record)]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {text}".rstrip() for name, text in rows)


def in_lines(volumes: Mapping[str, Volume]) -> str:
    """A line for each of several volumes, by their names.

    Examples
    --------
    >>> import numpy as np
    >>> print(in_lines({"eye": Volume.from_array(np.eye(4), voxel_size=(8, 8))}))
    volume  shape     values   voxel size
    ------  --------  -------  ----------
    eye     y 4, x 4  float64    y 8, x 8
    """
    rows = [
        (
            name,
            by_axis(volume.axes, volume.shape),
            str(volume.dtype),
            as_written(volume.placement, volume.placement.written_size),
        )
        for name, volume in volumes.items()
    ]
    return text_columns(("volume", "shape", "values", "voxel size"), rows)


def tell_absent(*volumes: Volume) -> None:
    """Print of what volumes chunks are absent, beside what was measured of them.

    Examples
    --------
    >>> from dask_blockwise import create_volume
    >>> tell_absent(create_volume("in.zarr/cells", shape=(4, 4), dtype="uint8"))
    1 of 1 chunks of in.zarr/cells/s0 are absent: read as 0
    """
    for told in dict.fromkeys(line for volume in volumes for line in absent_inputs(volume)):
        print(told)


def _of_volume(volume: Volume) -> Iterator[tuple[str, str]]:
    place, axes = volume.placement, volume.placement.block_axes
    yield "shape", by_axis(volume.axes, volume.shape)
    size = prod(volume.shape) * volume.dtype.itemsize
    yield "values", f"{volume.dtype}, {format_bytes(size)}"
    yield "voxel size", as_written(place, place.written_size)
    yield "offset", as_written(place, place.written_offset)
    yield "region", f"{volume.roi} {volume.unit}".rstrip()
    yield "block", by_axis(axes, volume.frame.block_shape)
    if volume.shards is not None:
        yield "chunk", by_axis(volume.axes, volume.chunks)
    if volume.frame.stands_for is not None:
        low, high = volume.frame.stands_for
        yield "bytes 0, 255", f"stand for {low} and {high}"
    if note := note_of(volume):
        yield "note", note


def _of_levels(levels: Sequence[Volume]) -> Iterator[tuple[str, str]]:
    for number, level in enumerate(levels if len(levels) > 1 else ()):
        place = level.placement
        size = as_written(place, place.written_size)
        yield f"level {number}", f"{level.path}: {by_axis(level.axes, level.shape)}; {size} a voxel"


def _of_record(record: Record | None) -> Iterator[tuple[str, str]]:
    if record is None:
        return
    for stage in record.stages:
        yield "made by", f"{stage.get('stage', '')} {parameters_in_words(stage.get('parameters'))}"
    yield from (("made from", str(found["path"])) for found in record.inputs)
    yield from (("by way of", path) for path in record.checkpoints)
    yield "when", f"{record.begin} to {record.end or 'not yet done'}"
    yield "where", f"{record.user} on {record.host}, Python {record.python}"
    if record.notes is not None:
        yield "notes", str(record.notes)
