"""The record that lies with an output: what it was computed by, from what, where and when.

It is in the attributes of the image's group, under "dask_blockwise", beside OME's; that of a
further level in those of its array; that of precomputed data in a file beside the marks.
"""

from __future__ import annotations

import getpass
import io
import platform
import socket
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Self
from uuid import uuid4
from zipfile import BadZipFile

import numpy as np

from ..geometry.boxes import Index
from ..recipes import Recipe, differences, digest_of, recipe_of
from ..storage.arrays import node_attributes, read_attributes, write_attributes
from ..storage.documents import put, read_bytes
from ..storage.location import location_of
from .known import Known
from .made_by import stages_of
from .source import Voxels
from .wiring import wiring_of

__all__ = ["Record", "changed_parts", "keep_parts", "now"]

_KEY = "dask_blockwise"
_PARTS = "inputs.npz"
# How records once called stages: by class.
_OF_OLD = "Volume"
_WIRING, _WIRED = "wiring of inputs", "an input is read in another's place"
_OF_STAGE = ("volume", _WIRING)
_PACKAGES = (
    *("dask_blockwise", "numpy", "dask", "distributed", "zarr", "tensorstore", "scipy"),
    *("scikit-image", "numba", "torch", "openvino", "onnxruntime", "bioimage-cpp"),
)


@dataclass(frozen=True)
class Record:
    """What an output was computed by."""

    # Of the array, by which its marks know it.
    id: str
    # Of the recipe.
    digest: str
    recipe: Recipe
    # How it was seen that inputs are what they were.
    verify: str
    # Of the computation, in the order in which they are computed.
    stages: list[dict[str, Any]] = field(default_factory=list)
    # What was read from stores.
    inputs: list[dict[str, Any]] = field(default_factory=list)
    # Paths of checkpoints that it was read from, which have records of their own.
    checkpoints: list[str] = field(default_factory=list)
    # The image beside which a run stored it by itself, if any.
    on_the_way_to: str | None = None
    packages: dict[str, str] = field(default_factory=dict)
    python: str = ""
    host: str = ""
    user: str = ""
    notes: Any = None
    begin: str = ""
    end: str = ""

    @classmethod
    def of(
        cls,
        volume: Voxels,
        block: Index,
        inputs: Sequence[Known],
        *,
        version: str | None,
        verify: str,
        notes: Any,
        checkpoints: Sequence[str] = (),
        on_the_way_to: str | None = None,
        stored_as: Mapping[str, Any] | None = None,
    ) -> Self:
        """That of a volume which is about to be stored."""
        parts = {"block_shape": block, "version": version, "volume": volume, **(stored_as or {})}
        recipe = recipe_of(parts | {_WIRING: wiring_of(volume)})
        return cls(
            id=uuid4().hex,
            digest=digest_of(recipe),
            recipe=recipe,
            verify=verify,
            stages=list(stages_of(volume)),
            inputs=list(map(_input, inputs)),
            checkpoints=list(dict.fromkeys(checkpoints)),
            on_the_way_to=on_the_way_to,
            packages=dict(_packages()),
            python=platform.python_version(),
            host=socket.gethostname(),
            user=_user(),
            notes=notes,
            begin=now(),
        )

    @classmethod
    def at(cls, path: str) -> Self | None:
        """That of the image that is stored at a path; None where there is none."""
        return cls.in_attributes(read_attributes(path))

    @classmethod
    def in_attributes(cls, attributes: Mapping[str, Any]) -> Self | None:
        """That which attributes hold; None where they hold none."""
        found = attributes.get(_KEY)
        known = cls.__dataclass_fields__
        if not isinstance(found, Mapping) or not {"id", "digest", "recipe", "verify"} <= {*found}:
            return None
        read = {name: value for name, value in found.items() if name in known}
        if not all(isinstance(read[name], str) for name in ("id", "digest", "verify")):
            return None
        for name in "stages", "inputs":
            rows = read.get(name)
            is_list = isinstance(rows, list)
            read[name] = [row for row in rows or () if isinstance(row, dict)] if is_list else []
        return cls(**read)

    @property
    def attributes(self) -> dict[str, Any]:
        """Of the group."""
        return {_KEY: asdict(self)}

    def write(self, path: str) -> None:
        """Write it to the output's group, or a level's array, in place of what is there."""
        there = node_attributes(path).get(_KEY)
        beside = there if isinstance(there, Mapping) else {}
        write_attributes(path, {_KEY: {**beside, **asdict(self)}})

    def changes_to(self, later: Record) -> list[str]:
        """What another computation does differently, for people."""
        changes = [] if self.digest == later.digest else self._differences(later)
        # Digests say nothing to people.
        changes = [_WIRED if _WIRING in change else change for change in changes]
        if self.verify != later.verify and later.verify != "none":
            changes.append(
                f'it was recorded by verify="{self.verify}", which can\'t be compared by '
                f'"{later.verify}"'
            )
        return changes

    def _differences(self, later: Record) -> list[str]:
        """Of recipes; of another stage's volume only which stage it is, since all of it differs."""
        was, now = _last_stage(self), _last_stage(later)
        old, new = self.recipe, later.recipe
        known = isinstance(old, dict) and isinstance(new, dict) and not was.endswith(_OF_OLD)
        if not known or was in ("", now):
            return differences(old, new)
        return [f"{was} -> {now}", *differences(_without_stage(old), _without_stage(new))]


def _last_stage(record: Record) -> str:
    return str(record.stages[-1].get("stage", "")) if record.stages else ""


def _without_stage(recipe: Recipe) -> Recipe:
    parts = recipe.items() if isinstance(recipe, dict) else ()
    return {key: part for key, part in parts if key not in _OF_STAGE}


def keep_parts(ledger: str, inputs: Sequence[Known]) -> None:
    """Keep what the inputs' parts are known by, to say later which of them have changed."""
    file = io.BytesIO()
    np.savez(file, *(known.values for known in inputs))
    put(location_of(ledger), _PARTS, file.getvalue())


def changed_parts(ledger: str, recorded: Record, inputs: Sequence[Known]) -> list[str]:
    """Which inputs have changed since their parts were kept, for people."""
    content = read_bytes(location_of(ledger), _PARTS)
    if not content or len(recorded.inputs) != len(inputs):
        return []
    try:
        with np.load(io.BytesIO(content)) as arrays:
            kept = [arrays[name] for name in arrays.files]
    except (BadZipFile, OSError, ValueError):
        return []  # damaged, and only for people
    if len(kept) != len(inputs):
        return []
    each = zip(kept, inputs, recorded.inputs, strict=True)
    paths = ((old, new, str(was.get("path", "?"))) for old, new, was in each)
    return [text for old, new, path in paths if (text := _changed(old, new, path))]


def _changed(old: np.ndarray[Any, Any], new: Known, path: str) -> str:
    here = new.array.path
    name = here if here == path else f"{path} -> {here}"
    if old.shape != new.values.shape:
        return f"input {name}: {old.size} {new.parts} then, {new.values.size} now"
    changed = int(np.count_nonzero(old != new.values))
    return f"input {name}: {changed} of {old.size} {new.parts} changed" if changed else ""


def _input(known: Known) -> dict[str, Any]:
    array = known.array
    return {
        "path": array.path,
        "location": array.location,
        "shape": array.shape,
        "dtype": array.dtype.str,
        "axes": known.axes,
        "parts": known.values.size,
        "called": known.parts,
        "token": f"{int(known.values.sum(dtype=np.uint64)):016x}",
    }


@cache
def _packages() -> Mapping[str, str]:
    """Versions, looked up once: what a process has imported stays what it is."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container without a name for its user
        return ""


def now() -> str:
    """The time, in UTC, as ISO 8601 has it."""
    return datetime.now(UTC).isoformat(timespec="seconds")
