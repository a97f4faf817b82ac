"""Digests are the same in every process, folder and copy of a file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import dask_blockwise
from dask_blockwise.recipes import digest_of, recipe_of

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
VALUES = [f, Stage, Stage(), Options, Options(), Point, Point(1), of, Mode, Mode.WRAP, Proto]
VALUES += [LEVELS, np.vectorize(f), {"e", "f", "g", 1, 2.5, None}]
"""
SENT = """
import numpy as np
LEVEL = 3
class Net:
    def __init__(self): super().__init__()
    def __call__(self, x): return x + LEVEL
def h(x): return Net()(x) + np.ones(3)
def make(k):
    def g(x): return h(x) + k
    return g
g = make(2)
"""
RUN = """
import json, sys
from dask_blockwise.recipes import digest_of, recipe_of
{}
print(json.dumps([digest_of(recipe_of(value)) for value in VALUES]))
"""
FROM_FILES = "import stages, sent\nVALUES = [*stages.VALUES, sent.g]"
IN_SESSION = "exec(open('stages.py').read()); exec(open('sent.py').read()); VALUES += [g]"
BY_PICKLE = """
import cloudpickle, sent
cloudpickle.register_pickle_by_value(sent)
data = cloudpickle.dumps(sent.g)
del sys.modules['sent'], sent
VALUES = [cloudpickle.loads(data)]
"""


def digests(folder: Path, seed: str, ways: str, head: str = "") -> list[str]:
    folder.mkdir(parents=True)
    (folder / "stages.py").write_text(head + SOURCE)
    (folder / "sent.py").write_text(head + SENT)
    path = os.pathsep.join([str(folder), str(Path(dask_blockwise.__file__).parent.parent)])
    environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, "-c", RUN.format(ways)],
        **{"env": environment, "cwd": folder, "capture_output": True, "text": True},
        check=False,
    )
    assert not done.returncode, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return digests(tmp_path_factory.mktemp("here") / "a", "1", FROM_FILES)


def test_each_is_another(here: list[str]) -> None:
    assert len(set(here)) == len(here)


def test_neither_folder_nor_hash_seed_nor_place_count(here: list[str], tmp_path: Path) -> None:
    assert digests(tmp_path / "b/deep", "2", FROM_FILES, head="# Moved.\n\n") == here


def test_what_is_defined_in_the_session_is_as_in_a_file(here: list[str], tmp_path: Path) -> None:
    assert digests(tmp_path / "b", "3", IN_SESSION) == here


def test_pickled_and_sent_is_the_same(here: list[str], tmp_path: Path) -> None:
    assert digests(tmp_path / "b", "4", BY_PICKLE) == here[-1:]


def test_the_digests_of_a_release_stay() -> None:
    values = [{"a": [1, 2.5, None, True, "x", (3,)]}, {1, 2}, b"abc"]
    assert [digest_of(recipe_of(value)) for value in values] == [
        "aa29075512b7e579578fa30c9f214c48",
        "bd882030acd7c967b04c3a4f55fe5125",
        "869db6103cc3b12d488f660037bd9141",
    ]
