"""Any edits, then one call: the same bytes as a fresh run, at the cost that dependencies say."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from distributed import Client, LocalCluster
from hypothesis import given, settings
from hypothesis import strategies as st
from pipelines import PIPELINES, Index, Pipeline, Settings, Stage, largest, mean, touched

MARK_BYTES = 56
EDITS = ("rewrite", "same", "replace", "level", "size", "filter", "delete", "alter", "purge", "cut")


@pytest.fixture(scope="module")
def clusters() -> Iterator[tuple[Client, Client]]:
    """One thread in this process, and three."""
    options: dict[str, Any] = {"processes": False, "dashboard_address": ":0"}
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, **options) as one,
        LocalCluster(n_workers=3, threads_per_worker=1, **options) as three,
        Client(one) as few,
        Client(three) as many,
    ):
        yield few, many


@dataclass
class Laboratory:
    """A folder with inputs and results, and what an observer who knows the boxes expects of it."""

    pipeline: Pipeline
    folder: Path
    rng: np.random.Generator
    its: Settings
    # How often each chunk of each input was written.
    written: dict[str, np.ndarray] = field(default_factory=dict)
    # What each stage's blocks were computed by, and from; blocks that are missing aren't there.
    made_by: dict[str, Any] = field(default_factory=dict)
    made_from: dict[str, dict[Index, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.pipeline.inputs:
            self.write(name)

    def input(self, name: str) -> Any:
        return zarr.open_array(str(self.folder / "in.zarr" / name))

    def write(self, name: str) -> None:
        shape, chunks = self.pipeline.inputs[name]
        path, values = str(self.folder / "in.zarr" / name), self.rng.integers(1, 200, shape)
        zarr.create_array(path, data=values.astype(np.uint8), chunks=chunks, overwrite=True)
        count = tuple(-(-n // c) for n, c in zip(shape, chunks, strict=True))
        before = self.written.get(name, np.zeros(count, int))
        self.written[name] = before + 1

    def rewrite(self, name: str, anew: bool) -> None:
        chunks = self.pipeline.inputs[name][1]
        at = tuple(int(self.rng.integers(n)) for n in self.written[name].shape)
        box = tuple(slice(i * c, i * c + c) for i, c in zip(at, chunks, strict=True))
        values = self.input(name)[box]
        self.input(name)[box] = self.rng.integers(1, 200, values.shape) if anew else values
        self.written[name][at] += 1

    def edit(self, what: str) -> None:
        name = str(self.rng.choice(list(self.pipeline.inputs)))
        stage = str(self.rng.choice(list(self.pipeline.stages)))
        if what in ("rewrite", "same"):
            self.rewrite(name, what == "rewrite")
        elif what == "replace":
            self.write(name)
        elif what == "purge":
            shutil.rmtree(self.folder / "out.zarr" / stage)
            self.made_from.pop(stage)
        elif what == "cut":
            self.cut(stage)
        elif what in ("delete", "alter"):
            self.spoil(stage, what)
        else:
            choices = {"level": (60.0, 100.0, 140.0), "size": (3, 5), "filter": (mean, largest)}
            self.its = replace(self.its, **{what: self.rng.choice(choices[what])})
            self.its = replace(self.its, size=int(self.its.size), level=float(self.its.level))

    def cut(self, stage: str) -> None:
        """A kill while marks were being written: the last ones are lost, one of them torn."""
        marks = self.folder / f"out.zarr/{stage}/s0/.dask_blockwise/done.bin"
        content, grid = marks.read_bytes(), self.grid(self.pipeline.stages[stage])
        length = int(self.rng.integers(len(content) + 1))
        marks.write_bytes(content[:length])
        whole = np.frombuffer(content[: len(content) // MARK_BYTES * MARK_BYTES], np.uint64)
        for number in whole.reshape(-1, MARK_BYTES // 8)[length // MARK_BYTES :, 0]:
            self.made_from.get(stage, {}).pop(grid[int(number)], None)

    def spoil(self, stage: str, how: str) -> None:
        """A block's file is removed, or written to."""
        grid = self.grid(self.pipeline.stages[stage])
        at = grid[int(self.rng.integers(len(grid)))]
        array = zarr.open_array(str(self.folder / f"out.zarr/{stage}/s0"))
        file = self.folder / f"out.zarr/{stage}/s0/{array.metadata.encode_chunk_key(at)}"
        if how == "delete" and not file.exists():
            return  # zeros aren't stored
        if how == "delete":
            file.unlink()
        else:
            block = self.pipeline.stages[stage].block
            array[tuple(slice(i * b, i * b + b) for i, b in zip(at, block, strict=True))] = 7
        self.made_from.get(stage, {}).pop(at, None)

    @staticmethod
    def grid(stage: Stage) -> list[Index]:
        return list(np.ndindex(*(-(-n // b) for n, b in zip(stage.shape, stage.block))))

    def due(self, overwrite: bool) -> dict[str, int]:
        """How many blocks each stage has to compute, by what they depend on."""
        return {name: self._due(name, overwrite) for name in self.pipeline.stages}

    def _due(self, name: str, overwrite: bool) -> int:
        stage = self.pipeline.stages[name]
        by = tuple(getattr(self.its, setting) for setting in stage.of)
        if self.made_by.get(name) != by or (overwrite and name == "result"):
            self.made_from.pop(name, None)
        self.made_by[name] = by
        before, now = self.made_from.get(name, {}), {}
        for at in self.grid(stage):
            now[at] = [self._seen(*read, stage, at) for read in stage.reads.items()]
        self.made_from[name] = now
        return sum(before.get(at) != seen for at, seen in now.items())

    def _seen(self, source: str, read: Any, stage: Stage, at: Index) -> Any:
        axes = zip(at, stage.block, stage.shape, strict=True)
        box = read(tuple((i * b, min(i * b + b, n)) for i, b, n in axes))
        if source in self.made_from:
            before = self.made_from[source]
            values = self.expected()[source]
            unit = self.pipeline.stages[source].block
            cut = {
                i: values[tuple(slice(k * b, k * b + b) for k, b in zip(i, unit))].tobytes()
                for i in touched(box, unit)
            }
            return tuple((i, before[i], cut[i]) for i in sorted(cut))
        count, chunks = self.written[source], self.pipeline.inputs[source][1]
        units = touched(box, chunks[-len(box) :])
        return tuple((i, count[(..., *i)].tobytes()) for i in sorted(units))

    def expected(self) -> dict[str, np.ndarray]:
        inputs = {name: self.input(name)[:] for name in self.pipeline.inputs}
        return self.pipeline.expected(inputs, self.its)

    def run(self, client: Client, **options: Any) -> dict[str, int]:
        volume = self.pipeline.build(self.folder, self.its)
        path, options = self.folder / "out.zarr/result", self.pipeline.options | options
        summary = volume.to_zarr(path, client=client, progress=False, **options)
        return {task.name: task.completed for task in summary.tasks}

    def check(self) -> None:
        for name, values in self.expected().items():
            stored = zarr.open_array(str(self.folder / f"out.zarr/{name}/s0"))[:]
            np.testing.assert_array_equal(stored, values, name)


def chunks_in(folder: Path) -> dict[str, bytes]:
    """All that is stored, without the documents that tell when and for whom."""
    files = (file for file in folder.rglob("*") if file.is_file())
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in files
        if ".dask_blockwise" not in file.parts and file.name[0] != "." and file.suffix != ".json"
    }


STEPS = st.tuples(
    st.lists(st.sampled_from(EDITS), min_size=1, max_size=4),
    st.booleans(),
    st.sampled_from((0, 1)),
)


@pytest.mark.parametrize("name", PIPELINES)
@settings(max_examples=3)
@given(seed=st.integers(0, 2**32), rounds=st.lists(STEPS, min_size=1, max_size=2))
def test_any_edits_cost_what_depends_on_them_and_leave_what_a_fresh_run_does(
    tmp_path_factory, clusters, name, seed, rounds
):
    folder = tmp_path_factory.mktemp("law")
    laboratory = Laboratory(PIPELINES[name], folder, np.random.default_rng(seed), Settings())
    assert laboratory.run(clusters[0]) == laboratory.due(False)
    for edits, overwrite, cluster in rounds:
        for edit in edits:
            if edit not in ("cut", "delete", "alter", "purge") or is_whole(laboratory):
                laboratory.edit(edit)
        ran = laboratory.run(clusters[cluster], on_change="redo", overwrite=overwrite)
        assert ran == laboratory.due(overwrite), (edits, overwrite)
        laboratory.check()
        assert not any(laboratory.run(clusters[cluster]).values())
    elsewhere = as_new(laboratory, tmp_path_factory.mktemp("fresh"))
    elsewhere.run(clusters[0])
    assert chunks_in(folder / "out.zarr") == chunks_in(elsewhere.folder / "out.zarr")


def is_whole(laboratory: Laboratory) -> bool:
    """Whether all is there that was stored; what was purged can't be spoilt."""
    return set(laboratory.made_from) == set(laboratory.pipeline.stages)


def as_new(laboratory: Laboratory, folder: Path) -> Laboratory:
    """The same inputs and settings with nothing computed yet."""
    shutil.copytree(laboratory.folder / "in.zarr", folder / "in.zarr")
    return replace(laboratory, pipeline=replace(laboratory.pipeline, inputs={}), folder=folder)
