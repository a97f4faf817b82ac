"""Segment, stitch and relabel a region as one run, called as dacapo's segment_blockwise is."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from inspect import signature
from operator import mod
from os import PathLike
from typing import Any, Protocol, runtime_checkable

from .engine.run import run
from .engine.task import Task
from .geometry.blocks import Roi
from .geometry.boxes import Index, is_whole
from .relabelling.relabel import relabel
from .segmentation.function import Parameters, SegmentFunction
from .segmentation.mutex_fragments import MutexFragments
from .segmentation.segment import segment
from .storage.arrays import StoredArray, exists
from .storage.location import location_of
from .volumes.kinds import Stored
from .volumes.known import ledger_of
from .volumes.levels import level_tasks
from .volumes.opening import open_volume
from .volumes.options import StoreOptions
from .volumes.preparation import Preparation
from .volumes.step import Output, Target
from .volumes.step_tasks import tasks_into
from .volumes.tasks import filling_of
from .volumes.volume import Volume

__all__ = ["segment_blockwise"]

_log = logging.getLogger(__name__)


@runtime_checkable
class ArrayIdentifier(Protocol):
    """Where an array lies, as dacapo says it (``LocalArrayIdentifier``)."""

    container: Any
    dataset: str


ArrayPath = str | PathLike[str] | ArrayIdentifier


def segment_blockwise(
    segment_function_file: str | PathLike[str],
    context: Sequence[int],
    total_roi: Roi,
    read_roi: Roi,
    write_roi: Roi,
    num_workers: int | None = 16,
    max_retries: int = 2,
    timeout: float | None = None,
    upstream_tasks: Sequence[Task] | None = None,
    keep_tmpdir: bool = False,
    *args: ArrayPath,
    parameters: Parameters | None = None,
    relabelling: Mapping[str, Any] | None = None,
    **kwargs: Any,
) -> bool:
    """Segment a region block by block, and give every object in it one id, as one run.

    Blocks are labelled with context, labels of neighbours are compared, and the output gets ids
    1..n over the whole region. A second call of the same does only what is missing. What the
    output holds beforehand is never read.

    Parameters
    ----------
    segment_function_file : path
        A Python file that has ``segment_function(input_array, block, **parameters)``.
    context : sequence of int
        World units that a block reads on each side of what it writes; more where ``read_roi`` has
        more around ``write_roi``.
    total_roi : Roi
        What to segment, in world units, without the context.
    read_roi, write_roi : Roi
        Of one block; blocks step by the shape of ``write_roi`` from the beginning of ``total_roi``.
    num_workers : int or None
        At most so many blocks at once.
    max_retries : int
        A block runs at most ``max_retries + 1`` times.
    timeout : float, optional
        Seconds that a block may take.
    upstream_tasks : sequence of Task, optional
        Those that write the input: a block starts when what it reads is written.
    keep_tmpdir : bool
        Leave the labels of single blocks in ``<output>.scratch``. Another call with
        ``keep_tmpdir=True`` that differs in ``relabelling`` alone takes them from there, and
        doesn't segment again; remove the folder when the input has changed.
    *args
        The input's and the output's path, for those who give them by position.
    parameters : mapping, or YAML: a path or an open file
        Of the segment function, over its file's ``default_parameters``.
    relabelling : mapping, optional
        ``match`` (that of `relabel` unless given, or ``"touch"`` where there is no context),
        ``min_iou``, ``connectivity`` and ``min_size`` of `relabel`.
    **kwargs
        ``input_path`` and ``output_path``, or under dacapo's names ``input_array_identifier`` and
        ``output_array_identifier``: a path, a URL, or what has a ``container`` and a ``dataset``.
        The output is made unless it is there; if it is, its shards or chunks must divide the
        blocks. All others are parameters of the segment function.

    Returns
    -------
    bool
        Whether every block is done. Why some aren't is logged as a warning, which Python prints.

    Raises
    ------
    FileNotFoundError, AttributeError
        If there is no input, no such file, or no ``segment_function`` in it.
    TypeError
        If the segment function has no such parameter, or one that it needs is missing.
    ValueError
        If the ROIs don't fit the voxels, the input or the output.

    References
    ----------
    dacapo, ``dacapo/blockwise/scheduler.py``.

    Examples
    --------
    >>> import numpy as np
    >>> from dask_blockwise import components_function
    >>> from dask_blockwise import create_volume
    >>> mask = create_volume("in.zarr/mask", shape=(1, 6), dtype="uint8", block_shape=(1, 6))
    >>> mask[mask.roi] = np.array([[1, 1, 1, 1, 0, 1]])
    >>> block = Roi((0, 0), (1, 2))
    >>> segment_blockwise(
    ...     components_function.__file__, (0, 0), mask.roi, block, block,
    ...     input_path="in.zarr/mask", output_path="out.zarr/objects",
    ... )
    True
    >>> open_volume("out.zarr/objects")[:]
    array([[1, 1, 1, 1, 0, 2]], dtype=uint64)
    """
    source = open_volume(_taken("input", args[:1], kwargs))
    if upstream_tasks:
        source = replace(source, source=Stored(source.stored, source.axes, written=True))
    path = _taken("output", args[1:], kwargs)
    halo = _halo(context, read_roi, write_roi, source)
    # Said here already, where a misspelt name may be one of this function's own.
    own = tuple(signature(segment_blockwise).parameters)
    SegmentFunction.of(segment_function_file, parameters, False, own, **kwargs)
    labels = segment(
        source,
        segment_function_file,
        halo=halo,
        roi=_checked(total_roi, write_roi, source),
        block_shape=write_roi.shape / source.voxel_size,
        parameters=parameters,
        **kwargs,
    )
    chosen = dict(relabelling or {})
    if MutexFragments.of(labels) is None and not any(map(any, halo)):
        chosen.setdefault("match", "touch")
    objects = relabel(labels, **{"keep_scratch": keep_tmpdir, **chosen})
    options = StoreOptions(num_workers=num_workers, max_retries=max_retries, timeout=timeout)
    with Preparation(on_change="redo") as preparation:
        tasks = _tasks(objects, path, options, list(upstream_tasks or ()), preparation)
        summary = run(tasks)
        for end in preparation.at_end if summary else ():
            end()
    if not summary:
        _log.warning("%s", summary.as_error("The same call does only what is missing."))
    if keep_tmpdir:
        _log.info(
            "The labels of single blocks are kept in %s.scratch: call again with keep_tmpdir=True "
            "and another relabelling={...} to relabel them without segmenting again.",
            path,
        )
    return bool(summary)


def _taken(role: str, args: Sequence[ArrayPath], kwargs: dict[str, Any]) -> str:
    """The path of an array, given by position or by name; its name is removed."""
    names = (f"{role}_path", f"{role}_array_identifier")
    given = [*args[:1], *(kwargs.pop(name) for name in names if name in kwargs)]
    if len(given) != 1:
        raise TypeError(
            f"segment_blockwise needs one {role}, got {len(given)}: give {names[0]}=..., a path or "
            "URL of an array."
        )
    (where,) = given
    if isinstance(where, ArrayIdentifier):
        where = f"{where.container}/{where.dataset}"
    return location_of(where)


def _checked(total_roi: Roi, write_roi: Roi, source: Volume) -> Roi:
    """The region, if it and a block are whole voxels of the input."""
    source.frame.voxels(total_roi)
    if any(n % size for n, size in zip(write_roi.shape, source.voxel_size, strict=True)):
        raise ValueError(
            f"write_roi has shape {tuple(write_roi.shape)}, which cuts voxels of "
            f"{tuple(source.voxel_size)} world units: make it a multiple of them."
        )
    return total_roi


def _halo(
    context: Sequence[int], read_roi: Roi, write_roi: Roi, source: Volume
) -> list[tuple[int, int]]:
    """Voxels that a block reads before and after what it writes."""
    if not isinstance(context, Collection) or len(context) != write_roi.dims:
        raise ValueError(
            f"context must be {write_roi.dims} numbers of world units, one for each axis, such as "
            f"Coordinate({', '.join(['0'] * write_roi.dims)}), got {context!r}."
        )
    before, after = write_roi.begin - read_roi.begin, read_roi.end - write_roi.end
    time = "t" in source.axes
    axes = zip(before, after, context, source.voxel_size, strict=True)
    return [(-(-max(b, c) // s), -(-max(a, c) // s)) for b, a, c, s in axes][time:]


def _tasks(
    objects: Volume,
    path: str,
    options: StoreOptions,
    upstream: list[Task],
    preparation: Preparation,
) -> list[Task]:
    """The tasks that store objects at a path; what another computation left there is not reused."""
    filling = filling_of(objects, path, options, preparation)
    if filling.goes_on or not exists(path):
        preparation.claim(filling.ledger)
        preparation.at_end.append(filling.end)
        array = filling.array()
        output = Output(path, Target.all_of(array))
        tasks = tasks_into(objects, output, options, upstream, preparation)
        return tasks + level_tasks(filling, array, tasks[0])
    target = _within(open_volume(path), objects)
    preparation.claim(ledger_of(target.stored.location))
    return tasks_into(objects, Output(path, target), options, upstream, preparation)


def _within(output: Volume, objects: Volume) -> Target:
    """The region's part of an array that is there, if blocks can be written to it."""
    begin, end = output.frame.voxels(objects.roi)
    if output.voxel_size != objects.voxel_size or "c" in output.axes:
        raise ValueError(
            f"The output {output!r} must have the input's voxel size {tuple(objects.voxel_size)} "
            "and no channels: create it with create_volume(path, input, dtype='uint64'), or name "
            "one that isn't there yet."
        )
    if output.dtype.kind not in "iu" or output.dtype.itemsize < 4:
        raise ValueError(f"The output {output!r} can't hold ids: create it with dtype='uint64'.")
    _check_whole(output.stored, begin, end, objects.block_shape)
    return Target(output.stored, begin)


def _check_whole(stored: StoredArray, begin: Index, end: Index, block: Index) -> None:
    """Refuse blocks that aren't whole shards or chunks, of which two writers would lose voxels."""
    unit = stored.write_unit
    region = tuple(slice(b, e) for b, e in zip(begin, end, strict=True))
    if not is_whole(region, unit, stored.shape) or any(map(mod, block, unit)):
        raise ValueError(
            f"Blocks of {block} voxels from {begin} to {end} are not whole shards or chunks of "
            f"{stored.write_unit} of {stored.path}: two blocks would write to one. Create the "
            f"output with create_volume(..., block_shape={block}), or change write_roi or "
            "total_roi."
        )
