"""Digests are the same in every process, folder and copy of a file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import dask_blockwise

SOURCE = """
import abc
import collections
import dataclasses
import enum
import functools
import typing

import numpy as np

LEVELS = {"b", "a", "c"}
class Mode(enum.Enum):
    WRAP = "w"
class Base(typing.Generic[typing.TypeVar("T")], abc.ABC):
    @abc.abstractmethod
    def run(self): ...
    @abc.abstractmethod
    def stop(self): ...
class Stage(Base[int]):
    names = frozenset({"x", "y", "z"})
    def run(self): return Mode.WRAP
    def stop(self): return self.names
@typing.runtime_checkable
class Proto(typing.Protocol):
    def run(self): ...
    def stop(self): ...
@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    n: int = 1
    shapes: list = dataclasses.field(default_factory=list)
Point = collections.namedtuple("Point", "x y", defaults=[2])
@functools.singledispatch
def of(x): return x
@of.register(int)
@of.register(str)
def _(x): return 2
def f(x):
    if x in {"p", "q", "r"}:
        return LEVELS, of(x), Options(), Point(1), Stage(), Proto
    return [y for y in x]
VALUES = [f, Stage, Stage(), Options, Options(), Point, Point(1), of, Mode, Mode.WRAP, Proto, LEVELS]
VALUES += [np.vectorize(f), {"e", "f", "g", 1, 2.5, None}]
"""
RUN = """
import json, sys
from dask_blockwise.recipes import digest_of, recipe_of
from stages import VALUES
print(json.dumps([digest_of(recipe_of(value)) for value in VALUES]))
"""


def digests(folder: Path, seed: str, source: str = SOURCE, run: str = RUN) -> list[str]:
    folder.mkdir(parents=True)
    (folder / "stages.py").write_text(source)
    path = os.pathsep.join([str(folder), str(Path(dask_blockwise.__file__).parent.parent)])
    environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": path}
    command = [sys.executable, "-c", run]
    done = subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_neither_folder_nor_hash_seed_nor_place_count(tmp_path: Path) -> None:
    here = digests(tmp_path / "here", "1")
    assert digests(tmp_path / "there/deep", "2") == here
    assert digests(tmp_path / "moved", "3", "# Moved.\n\n" + SOURCE) == here
    assert len(set(here)) == len(here)


def test_what_is_defined_in_the_session_is_as_in_a_file(tmp_path: Path) -> None:
    session = RUN.replace("from stages import VALUES", "exec(open('stages.py').read())")
    assert digests(tmp_path / "a", "1") == digests(tmp_path / "b", "2", run=session)


def test_pickled_and_sent_is_the_same(tmp_path: Path) -> None:
    sent = RUN.replace(
        "from stages import VALUES",
        "import cloudpickle, stages; cloudpickle.register_pickle_by_value(stages)\n"
        "data = cloudpickle.dumps(stages.f); del sys.modules['stages']\n"
        "VALUES = [cloudpickle.loads(data)]",
    )
    assert digests(tmp_path / "a", "1")[:1] == digests(tmp_path / "b", "2", run=sent)


def test_the_digests_of_a_release_stay(tmp_path: Path) -> None:
    text = "VALUES = [{'a': [1, 2.5, None, True, 'x', (3,)]}, {1, 2}, b'abc']"
    assert digests(tmp_path / "a", "1", text) == ["?", "?", "?"]
