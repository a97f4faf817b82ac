"""What a person is told of what changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dask_blockwise.recipes import differences, digest_of, recipe_of

SMOOTH = """
from tools import blur
LEVEL = 1
def smooth(x, sigma=1):
    return blur(x, sigma)
def leveled(x):
    return x + LEVEL
def make(k):
    return lambda x: x + k
def outer(x):
    return smooth(x)
class Net:
    rate = 1
    def __init__(self, w=1): self.w = w
    def forward(self, x): return blur(x, self.w)
"""
TOOLS = "def blur(x, s): return x + s\n"


def told(old: Any, new: Any) -> list[str]:
    read = [json.loads(json.dumps(recipe_of(each))) for each in (old, new)]
    assert differences(read[0], read[0]) == []
    return differences(*read)


VALUES = [
    ({"threshold": 0.5}, {"threshold": 0.6}, ["threshold 0.5 -> 0.6"]),
    ({"block_shape": (64, 64)}, {"block_shape": (32, 32)}, ["block_shape (64, 64) -> (32, 32)"]),
    ({"a": {"b": [1, {"c": 2}]}}, {"a": {"b": [1, {"c": 3}]}}, ["c 2 -> 3"]),
    ({"mode": "wrap"}, {"mode": None}, ["mode wrap -> None"]),
    ({"a": 1}, {"a": 1, "b": 2}, ["b 2 added"]),
    ({"a": 1, "b": [2]}, {"a": 1}, ["b (2,) removed"]),
    ({"w": np.ones(3)}, {"w": np.zeros(3)}, ["w values changed"]),
    ({"w": np.ones(3)}, {"w": np.ones(4)}, ["w array (3,) float64 -> array (4,) float64"]),
    ({"w": {1: 2}}, {"w": {1: 3}}, ["w[1] 2 -> 3"]),
    ({"w": {1, 2}}, {"w": {1, 3}}, ["w {1, 2} -> {1, 3}"]),
    ({"w": float("nan")}, {"w": 1.0}, ["w nan -> 1.0"]),
    (1, 2, ["1 -> 2"]),
    (list(range(8)), list(range(1, 9)), ["(0, 1, 2, 3, 4, 5, 6, 7) -> (1, 2, 3, 4, 5, 6, 7, 8)"]),
    ([{"a": n} for n in range(9)], [{"a": n} for n in range(1, 10)], None),
    ({"f": np.mean}, {"f": np.sum}, ["f numpy.mean -> numpy.sum"]),
    ({"x": "a" * 5000}, {"x": "b" * 5000}, None),
    ({"x": list(range(2000))}, {"x": list(range(2001))}, ["x 2000 values -> 2001 values"]),
]


@pytest.mark.parametrize("old, new, sentences", VALUES)
def test_values(old: Any, new: Any, sentences: list[str] | None) -> None:
    found = told(old, new)
    assert found == sentences or (sentences is None and 0 < len(found) <= 6), found


CODE = [
    (
        "smooth",
        SMOOTH,
        ("blur(x, sigma)", "-blur(x, sigma)"),
        "function smooth in filters.py: body changed",
    ),
    (
        "smooth",
        SMOOTH,
        ("sigma=1", "sigma=2"),
        "function smooth in filters.py: default of sigma 1 -> 2",
    ),
    (
        "smooth",
        TOOLS,
        ("x + s", "x - s"),
        "function smooth in filters.py: helper blur in tools.py: body changed",
    ),
    (
        "outer",
        TOOLS,
        ("x + s", "x - s"),
        "function outer in filters.py: helper blur in tools.py: body changed",
    ),
    ("leveled", SMOOTH, ("LEVEL = 1", "LEVEL = 2"), "global LEVEL of leveled in filters.py 1 -> 2"),
    (
        "Net",
        SMOOTH,
        ("blur(x, self.w)", "blur(x, 1)"),
        "class Net in filters.py: method forward changed",
    ),
    ("Net", SMOOTH, ("rate = 1", "rate = 2"), "class Net in filters.py: attribute rate 1 -> 2"),
    ("Net", SMOOTH, ("    rate = 1\n", ""), "class Net in filters.py: attribute rate removed"),
    (
        "Net",
        TOOLS,
        ("x + s", "x - s"),
        "class Net in filters.py: helper blur in tools.py: body changed",
    ),
    (
        "Net",
        SMOOTH,
        ("w=1", "w=2"),
        "class Net in filters.py: method __init__: default of w 1 -> 2",
    ),
    ("Net", SMOOTH, ("class Net:", "class Net(Exception):"), None),
]


@pytest.mark.parametrize("name, file, edit, sentence", CODE)
def test_code(write: Callable, name: str, file: str, edit: tuple[str, str], sentence: str) -> None:
    old = recipe_of({"function": getattr(write(SMOOTH, tools=TOOLS), name)})
    texts = [text.replace(*edit) if text == file else text for text in (SMOOTH, TOOLS)]
    new = recipe_of({"function": getattr(write(texts[0], tools=texts[1]), name)})
    found = differences(old, new)
    assert found == [sentence] if sentence else len(found) == 1, found


def test_closures_and_objects(write: Callable) -> None:
    module = write(SMOOTH, tools=TOOLS)
    assert told(module.make(3), module.make(4)) == [
        "closure value k of <lambda> in filters.py 3 -> 4"
    ]
    assert told(module.Net(1), module.Net(2)) == ["w 1 -> 2"]
    assert told(module.smooth, module.leveled) != []
    assert told(module.smooth, module.Net) == [
        "function smooth in filters.py -> class Net in filters.py"
    ]


def test_recursion(write: Callable) -> None:
    text = "def f(n): return g(n - 1)\ndef g(n): return f(n) if n else 0\n"
    old = recipe_of(write(text).f)
    new = recipe_of(write(text.replace("0", "1")).f)
    assert differences(old, new) == ["function g in filters.py: body changed"]


def test_cells_of_a_notebook_are_named_by_no_file() -> None:
    made: list[dict[str, Any]] = [{}, {}]
    for number, names in enumerate(made):
        code = compile(f"def f(n): return n + {number}", f"/tmp/ipykernel_7/{number}9.py", "exec")
        exec(code, names)
    assert told(made[0]["f"], made[1]["f"]) == ["function f: body changed"]


def versioned(recipe: Any, **changes: str) -> Any:
    """A recipe as another installation would have it."""
    if isinstance(recipe, list):
        return [versioned(item, **changes) for item in recipe]
    if not isinstance(recipe, dict):
        return recipe
    changed = {key: versioned(item, **changes) for key, item in recipe.items()}
    if recipe.get("from") in changes:
        changed["version"] = changes[recipe["from"]]
    if "python" in changes and "python" in recipe:
        changed |= {"python": changes["python"], "body": "0" * 32}
    return changed


def test_versions(write: Callable) -> None:
    f = write(
        "import numpy as np\ndef h(x): return np.sum(x)\ndef f(x): return np.mean(x) + h(x)"
    ).f
    recipe = recipe_of({"first": f, "second": {"f": f, "g": np.mean}})
    now = np.__version__
    assert differences(versioned(recipe, numpy="1.0"), recipe) == [f"numpy 1.0 -> {now}"]
    other = versioned(recipe, python="3.99", Python="3.99")
    python = recipe["first"]["python"]
    assert differences(recipe, other) == [f"Python {python} -> 3.99"]


def test_what_comes_again_is_looked_up(write: Callable) -> None:
    module = write(SMOOTH, tools=TOOLS)
    old = recipe_of({"a": module.smooth, "b": module.smooth})
    new = recipe_of({"a": module.smooth, "b": module.leveled})
    assert "again" in old["b"]
    assert any("leveled" in line for line in differences(old, new))


def test_many_are_counted() -> None:
    old, new = ({f"key{n}": n + add for n in range(20)} for add in (0, 1))
    found = told(old, new)
    assert len(found) == 6
    assert found[-1] == "and 15 more"


def test_a_stage_names_its_place() -> None:
    class Stage:
        def __init__(self, threshold: float) -> None:
            self.threshold = threshold

        def __recipe__(self) -> dict:
            return {"~name": "mask", "threshold": self.threshold}

    assert told(Stage(0.5), Stage(0.6)) == ["mask: threshold 0.5 -> 0.6"]


TREES = st.recursive(
    st.none() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=8,
)


@given(TREES, TREES)
def test_something_is_said_where_digests_differ(left: Any, right: Any) -> None:
    old, new = recipe_of(left), recipe_of(right)
    assert bool(differences(old, new)) == (digest_of(old) != digest_of(new))
    assert all(isinstance(line, str) and line for line in differences(old, new))


def test_an_array_is_told_by_its_path() -> None:
    stored = {"stored": {"~path": "a.zarr/raw", "array": "zarr3"}, "axes": ["z", "y", "x"]}
    assert differences({"source": stored}, {"source": "Mapped"}) == ["source a.zarr/raw -> Mapped"]
