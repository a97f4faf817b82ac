"""Objects and classes: what they are made of, and what can't be said of them."""

from __future__ import annotations

import dataclasses
import io
import json
import logging
import os
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from dask_blockwise.recipes import digest_of, recipe_of


def digest(value: object) -> str:
    return digest_of(recipe_of(value))


NET = """
import abc
import functools
import tools
class Base(abc.ABC):
    def start(self): return 0
class Net(Base):
    "A network."
    rate = 1
    __slots__ = ("w",)
    def __init__(self, w=1):
        super().__init__()
        self.w = w
        self.b = [w]
    def forward(self, x): return tools.blur(x) * self.w
    def __call__(self, x): return self.forward(x) + self.start()
    @property
    def half(self): return self.w / 2
    @functools.cached_property
    def third(self): return self.w / 3
    @staticmethod
    def tenth(w): return w / 10
    @classmethod
    def make(cls): return Net(5)
"""
TOOLS = "def blur(x): return x + 1\n"
NOTHING = {
    "moved": ("import abc", "\n\nimport abc"),
    "docstring": ("A network.", "The network."),
    "annotation": ("    rate = 1", "    rate: int = 1"),
    "order": (
        "    def start(self): return 0\nclass Net(Base):",
        "    def start(self):\n        return 0\nclass Net(Base):",
    ),
}
CHANGES = {
    "method": ("self.forward(x)", "self.forward(2 * x)"),
    "base's method": ("return 0", "return 1"),
    "base": ("class Base(abc.ABC):", "class Other: pass\nclass Base(Other, abc.ABC):"),
    "attribute": ("rate = 1", "rate = 2"),
    "property": ("self.w / 2", "self.w / 4"),
    "cached property": ("self.w / 3", "self.w / 6"),
    "static method": ("w / 10", "w / 20"),
    "class method": ("Net(5)", "Net(6)"),
    "more": ("    rate = 1", "    rate = 1\n    def more(self): pass"),
}


@pytest.mark.parametrize("edit", NOTHING)
def test_an_edit_of_a_class_that_changes_nothing(write: Callable, edit: str) -> None:
    before = write(NET, tools=TOOLS).Net
    after = write(NET.replace(*NOTHING[edit]), tools=TOOLS).Net
    assert digest(after) == digest(before)
    assert digest(after()) == digest(before())


@pytest.mark.parametrize("edit", CHANGES)
def test_an_edit_of_a_class_that_changes_it(write: Callable, edit: str) -> None:
    before = write(NET, tools=TOOLS).Net
    after = write(NET.replace(*CHANGES[edit]), tools=TOOLS).Net
    assert digest(after) != digest(before)
    assert digest(after()) != digest(before())


def test_what_a_method_uses_counts(write: Callable) -> None:
    before = digest(write(NET, tools=TOOLS).Net)
    assert digest(write(NET, tools=TOOLS.replace("1", "2")).Net) != before


def test_the_state_of_an_object_counts(write: Callable) -> None:
    net = write(NET, tools=TOOLS).Net
    assert digest(net(1)) == digest(net(1))
    assert digest(net(1)) != digest(net(2))
    other = net(1)
    other.b.append(3)
    assert digest(other) != digest(net(1))


@dataclasses.dataclass
class Options:
    threshold: float = 0.5
    note: str = dataclasses.field(default="", compare=False)
    shapes: list = dataclasses.field(default_factory=list)


def test_a_dataclass_is_its_fields() -> None:
    assert digest(Options()) == digest(Options())
    assert digest(Options(0.6)) != digest(Options())
    assert digest(Options(note="x")) != digest(Options())
    assert recipe_of(Options())["state"] == {"threshold": 0.5, "note": "", "shapes": []}


def test_what_stands_in_an_objects_place() -> None:
    class Stage:
        def __init__(self, threshold: float) -> None:
            self.threshold, self.lock = threshold, threading.Lock()

        def __recipe__(self) -> dict:
            return {"~name": "mask", "stage": "threshold", "at": self.threshold, "~at": 1, 1: {}}

    recipe = recipe_of(Stage(0.5))
    assert recipe["~name"] == "mask"
    assert digest(Stage(0.5)) == digest({"stage": "threshold", "at": 0.5, 1: {}})
    assert digest(Stage(0.5)) != digest(Stage(0.6))
    assert recipe_of(Stage) != recipe_of(Stage(0.5))


def test_a_recipe_that_fails_says_so() -> None:
    class Stage:
        def __recipe__(self) -> dict:
            raise ValueError("no input")

    with pytest.raises(ValueError, match="no input"):
        recipe_of([Stage()])


def test_a_diamond_is_no_tree() -> None:
    class Sum:
        def __init__(self, left: object, right: object) -> None:
            self.both = left, right

        def __recipe__(self) -> dict:
            return {"stage": "a sum of two volumes, voxel by voxel", "of": self.both}

    x: object = np.arange(3)
    for _ in range(40):
        x = Sum(x, x)
    start = time.process_time()
    recipe = recipe_of(x)
    assert time.process_time() - start < 1
    assert len(json.dumps(recipe)) < 10_000
    assert digest_of(json.loads(json.dumps(recipe))) == digest_of(recipe)
    assert digest_of(recipe["of"][1]) == digest_of(recipe["of"][0])


def test_equal_parts_are_written_once() -> None:
    arrays = [np.arange(30).reshape(5, 6), np.arange(30).reshape(5, 6)]
    first, second = recipe_of(arrays)
    assert second == {"again": digest_of(first)}


def passing() -> list[object]:
    def numbers():  # type: ignore[no-untyped-def]
        yield 1

    return [
        *(threading.Lock(), threading.Thread(), threading.Event(), threading.local()),
        *(logging.getLogger("a"), io.StringIO("text"), numbers(), weakref.ref(Options)),
        *(weakref.WeakValueDictionary(), mock.Mock(), mock.MagicMock(), ThreadPoolExecutor()),
        *(iter([1, 2]), zip([1], [2]), object(), type, type(None), super, NotImplemented),
    ]


def test_what_is_odd_has_a_recipe() -> None:
    for left, right in zip(passing(), passing()):
        json.dumps(recipe_of(left))
        if not isinstance(left, mock.Mock):
            assert digest(left) == digest(right), left


def test_a_loop_of_objects_ends() -> None:
    def ring(size: int, value: int) -> list:
        rings: list = [[n] for n in range(size)]
        rings[0][0] = value
        for left, right in zip(rings, [*rings[1:], rings[0]]):
            left.append(right)
        return rings

    assert digest(ring(3, 7)) == digest(ring(3, 7))
    assert digest(ring(3, 7)) != digest(ring(3, 8))
    loop: list = []
    loop.append(loop)
    json.dumps(recipe_of(loop))
    entered = ring(3, 7)
    assert recipe_of(entered[0])["circle"] == recipe_of(entered[2])["circle"]


def test_an_object_that_raises_on_everything() -> None:
    class Hostile:
        def __getattribute__(self, name: str) -> object:
            raise RuntimeError(name)

    json.dumps(recipe_of([Hostile()]))


def test_networks_of_torch(write: Callable) -> None:
    torch = pytest.importorskip("torch")
    text = """
    import torch
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = torch.nn.Conv2d(1, 1, 3)
        def forward(self, x):
            return self.conv(x) + 1
    """

    def net(source: str, seed: int = 0) -> object:
        torch.manual_seed(seed)
        return write(source).Net()

    assert digest(net(text)) == digest(net("\n\n" + text))
    assert digest(net(text)) != digest(net(text, seed=1))
    assert digest(net(text)) != digest(net(text.replace("+ 1", "+ 2")))


def test_what_is_installed_is_known_by_version(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = recipe_of(np.linalg.norm)
    assert recipe == {
        **{"@": "installed", "name": "numpy.linalg.norm"},
        **{"from": "numpy", "version": np.__version__},
    }
    assert recipe_of(json.dumps)["from"] == "Python"
    assert recipe_of(recipe_of)["from"] == "dask_blockwise"
    assert recipe_of(pytest.importorskip("skimage").filters.gaussian)["from"] == "scikit-image"
    assert recipe_of(len)["name"] == "builtins.len"
    assert recipe_of(str.upper)["name"] == "builtins.str.upper"
    assert recipe_of(pytest.importorskip("scipy.special").expit)["from"] == "scipy"


def test_what_is_installed_in_any_folder_is_known_by_version(tmp_path: Path) -> None:
    """As ``pip install --target`` does; a person's own module may lie beside it."""
    files = {
        "tiny/__init__.py": "def one(x):\n    return x\n",
        "tiny-1.2.dist-info/METADATA": "Metadata-Version: 2.1\nName: tiny\nVersion: 1.2\n",
        "tiny-1.2.dist-info/RECORD": "tiny/__init__.py,,\n",
        "mine.py": "def one(x):\n    return x\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    code = (
        "import json, mine, tiny; from dask_blockwise.recipes import recipe_of;"
        "print(json.dumps([recipe_of(tiny.one), recipe_of(mine.one)]))"
    )
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    printed = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path},
        check=True,
        capture_output=True,
    ).stdout
    tiny, mine = json.loads(printed)
    assert tiny == {"@": "installed", "name": "tiny.one", "from": "tiny", "version": "1.2"}
    assert mine["@"] != "installed"


def test_dask_collections_and_clients() -> None:
    da = pytest.importorskip("dask.array")
    assert digest(da.ones(3)) == digest(da.ones(3))
    assert digest(da.ones(3)) != digest(da.zeros(3))


@pytest.mark.filterwarnings("ignore:.*torch.jit.trace:DeprecationWarning")
def test_networks_in_torchscript() -> None:
    torch = pytest.importorskip("torch")

    def net(seed: int, kind: type) -> object:
        torch.manual_seed(seed)
        layers = torch.nn.Sequential(torch.nn.Conv2d(1, 1, 3), kind())
        return torch.jit.trace(layers, torch.zeros(1, 1, 8, 8))

    relu, elu = torch.nn.ReLU, torch.nn.ELU
    assert digest(net(0, relu)) == digest(net(0, relu))
    assert digest(net(0, relu)) != digest(net(1, relu))
    assert digest(net(0, relu)) != digest(net(0, elu))


def test_secrets_are_not_written() -> None:
    for secret in ({"aws_secret": "hunter2"}, [os.environ], Options(note="")):
        recipe = json.dumps(recipe_of(secret))
        assert "hunter2" not in recipe
        assert os.environ["PATH"] not in recipe
    assert digest({"password": "a"}) != digest({"password": "b"})


def test_models_of_pydantic(write: Callable) -> None:
    pytest.importorskip("pydantic")
    text = "import pydantic\nclass Model(pydantic.BaseModel):\n    a: int = 1\n"
    before = digest(write(text).Model)
    assert digest(write("\n" + text).Model) == before
    assert digest(write(text.replace("1", "2")).Model) != before
