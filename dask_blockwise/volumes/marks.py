"""The marks of a step: where they lie, and what they vouch for."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from ..engine.evidence import Evidence, OfTask, Vouching
from ..engine.ledger import finished
from ..engine.task import Task
from ..geometry.boxes import Index
from ..recipes import digest_of, recipe_of
from ..storage.arrays import open_array
from .known import array_id, ledger_of, runs_of
from .left import differ_in_content
from .options import StoreOptions
from .preparation import Preparation
from .source import Voxels
from .spans import spans_of
from .step import Output, Step

__all__ = ["fingerprint_of", "marked_array", "marks_of", "vouching_of"]


def vouching_of(
    volume: Voxels,
    output: Output,
    options: StoreOptions,
    preparation: Preparation,
    step: Step,
    before: Mapping[str, Task] | None,
) -> Vouching | None:
    """What the marks of a step vouch for."""
    if step.array is None:
        return None
    array, ledger = marked_array(step, output), marks_of(step, output)
    spans = spans_of(volume.frame, step.block)
    shape = tuple(len(span.begin) for span in spans)
    known, trusts = preparation.known, preparation.verify == "none"
    done = finished(ledger, array) if options.goes_on else None
    gone = None
    if step.left is not None and done is not None and done.done.any() and not trusts:
        left = preparation.left(ledger, partial(step.left, output))
        gone = left.differs
        if preparation.verify == "content" and step.last:
            gone = partial(differ_in_content, output.target, volume.frame, step.block)
    return Vouching(
        array,
        known.evidence(step.readings(), shape, preparation.stored_by),
        None if before is None or trusts else _via(volume, output, step, before, shape),
        trusts=trusts,
        renews=options.roi is not None and step.in_region == "missing",
        gone=gone,
    )


def _via(
    volume: Voxels, output: Output, step: Step, before: Mapping[str, Task], shape: Index
) -> list[Evidence]:
    """What a step has from those before it."""
    found: list[Evidence] = [] if step.also is None else [*step.also(output)]
    frame = volume.frame
    for name, of_all in step.after:
        if name not in before:
            continue  # labels that were kept are not made again
        task = before[name]
        sides = zip(spans_of(frame, step.block), step.reach.before, step.reach.after, strict=True)
        near = tuple(span.grown(int(b), int(a)) for span, b, a in sides)
        unit = tuple(map(int, task.write_roi.shape / frame.voxel_size))
        found.append(OfTask(task, shape, runs_of(None if of_all else near, frame, unit, shape)))
    return found


def marks_of(step: Step, output: Output) -> str:
    """Where the marks of a step lie."""
    if step.array is None:
        raise ValueError(f"The step {step.name!r} leaves no marks.")
    return ledger_of("/".join(filter(None, (step.array(output), step.beside))))


def marked_array(step: Step, output: Output) -> str:
    """Id of the array that a step writes; empty where it isn't there, or has none."""
    if step.array is None:
        return ""
    path = step.array(output)
    if path == output.target.path:
        return array_id(output.target.stored)
    try:
        return array_id(open_array(path))
    except FileNotFoundError:
        return ""


def fingerprint_of(step: Step, options: StoreOptions) -> str:
    """What the content of the blocks depends on, beside what they read."""
    parts = {"of": step.made_from, "block": step.block, "version": options.version}
    return digest_of(recipe_of(parts))
