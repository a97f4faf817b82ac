"""Whether a disturbed run is right: by what it stored, and by what ran when."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from dask_blockwise.storage.documents import list_names, read_bytes
from dask_blockwise.storage.location import location_of
from dask_blockwise.storage.removal import MARKS

from .scene import MAX_RETRIES
from .watch import Note, notes

__all__ = ["contents", "faults_of", "ran_again", "slowest"]

# A report may be on its way when the driver dies; in buckets, marks are gathered for a while.
_ON_ITS_WAY, _GATHERED = 3.0, 14.0
_OF_THE_RUN = ("id", "begin", "end", "host", "user", "checkpoints")


def contents(place: str) -> dict[str, bytes]:
    """All that is stored at a place, but for marks, and for what documents say of the run."""
    root = location_of(place)
    names = [name for name in list_names(root) if f"{MARKS}/" not in name]
    return {name: _timeless(name, read_bytes(root, name), root) for name in names}


def _timeless(name: str, content: bytes, root: str) -> bytes:
    if not name.endswith("zarr.json"):
        return content
    document = json.loads(content)
    record = document.get("attributes", {}).get("dask_blockwise", {})
    for key in _OF_THE_RUN:
        record.pop(key, None)
    return json.dumps(document, sort_keys=True).replace(root, "").encode()


def faults_of(
    folder: Path,
    stored: Mapping[str, bytes],
    undisturbed: Mapping[str, bytes],
    ends: list[float],
    in_bucket: bool,
) -> Iterator[str]:
    """What is wrong with a run, in sentences; nothing of a right one.

    Parameters
    ----------
    folder
        Of its notes.
    stored, undisturbed
        What `contents` gives of it, and of one that nothing befell.
    ends
        When each of its drivers ended.
    in_bucket
        Where marks are gathered for a while.
    """
    for name in sorted(stored.keys() | undisturbed.keys()):
        if name not in stored or name not in undisturbed:
            yield f"{name} is {'not there' if name in undisturbed else 'left over'}"
        elif stored[name] != undisturbed[name]:
            yield f"{name} differs from that of the undisturbed run"
    for run in _runs(folder).values():
        yield from _attempts(run)
        yield from _charges(run)
    yield from _in_vain(folder, ends, _GATHERED if in_bucket else _ON_ITS_WAY)


def ran_again(folder: Path) -> int:
    """How many times a block was begun after its first."""
    begun = Counter((n.task, n.block) for n in notes(folder) if n.what == "begun")
    return sum(begun.values()) - len(begun)


def slowest(folder: Path) -> float:
    """Seconds that the slowest block of an undisturbed run took."""
    begun: dict[tuple[str, int], float] = {}
    most = 0.0
    for note in notes(folder):
        if note.what == "begun":
            begun[note.task, note.block] = note.at
        elif note.what == "done":
            most = max(most, note.at - begun[note.task, note.block])
    return most


def _runs(folder: Path) -> dict[str, list[Note]]:
    by_run = defaultdict(list)
    for note in notes(folder):
        if note.run:
            by_run[note.run].append(note)
    return by_run


def _attempts(run: list[Note]) -> Iterator[str]:
    """Blocks that ran more often than they may, or again although they were done."""
    begun: Counter[tuple[str, int]] = Counter()
    done = set()
    for note in run:
        block = note.task, note.block
        if note.what == "begun":
            begun[block] += 1
            if block in done:
                yield f"block {note.block} of {note.task} ran again in a run that had done it"
        elif note.what == "done":
            done.add(block)
    for (task, number), times in begun.items():
        if times > MAX_RETRIES + 1:
            yield f"block {number} of {task} ran {times} times"


def _charges(run: list[Note]) -> Iterator[str]:
    """Blocks that were charged with an attempt more often than they failed or were broken off."""
    count = {
        what: Counter((n.task, n.block) for n in run if n.what == what)
        for what in ("begun", "done", "charged")
    }
    for block, charged in count["charged"].items():
        if charged > count["begun"][block] - count["done"][block]:
            causes = {n.more for n in run if n.what == "charged" and (n.task, n.block) == block}
            yield f"innocent block {block[1]} of {block[0]} was charged: {', '.join(causes)}"


def _in_vain(folder: Path, ends: list[float], spared: float) -> Iterator[str]:
    """Blocks that ran again in a later run though their marks had long been made."""
    for run in _runs(folder).values():
        end = next(end for end in [*ends, run[-1].at] if end >= run[0].at)
        reported = {n.batch: n.at for n in run if n.what == "reported"}
        kept = {
            (n.task, n.block)
            for n in run
            if n.what == "done" and reported.get(n.batch, end) < end - spared
        }
        later = {
            (n.task, n.block)
            for n in notes(folder)
            if n.what == "begun" and n.run != run[0].run
            if n.at > end
        }
        for task, number in sorted(kept & later):
            yield f"block {number} of {task} ran again, though it was done and marked"
