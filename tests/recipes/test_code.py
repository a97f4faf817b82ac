"""A function is what its code does: pairs of edits that change nothing, and that change it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dask_blockwise.recipes import digest_of, recipe_of

PLAIN = """
def f(x, sigma=1):
    y = x + 2
    if y > 3:
        return y * sigma
    return None
"""
NOTHING = {
    "lines above": "import os\n\n\n" + PLAIN,
    "comment": PLAIN.replace("    y =", "    # Two more.\n    y ="),
    "docstring": PLAIN.replace("    y =", '    "Two more."\n    y ='),
    "layout": PLAIN.replace("x + 2", "(\n        x\n        +\n        2\n    )"),
    "annotations": PLAIN.replace("(x, sigma=1)", "(x: int, sigma: 'float' = 1) -> list"),
    "future annotations": "from __future__ import annotations\n" + PLAIN,
    "local variable": PLAIN.replace("y", "total"),
    "no-op": PLAIN.replace("    y = x + 2\n", "    pass\n    y = x + 2\n    pass\n"),
    "own name": PLAIN.replace("def f", "def g") + "\nf = g\n",
    "within a class": "class Filters:" + PLAIN.replace("\n", "\n    ") + "\nf = Filters.f\n",
    "within a function": "def make():"
    + PLAIN.replace("\n", "\n    ")
    + "\n    return f\nf = make()\n",
    "other functions": PLAIN + "\ndef other():\n    return LEVEL\nLEVEL = 3\n",
}
CHANGES = {
    "constant": PLAIN.replace("2", "5"),
    "float for int": PLAIN.replace("2", "2.0"),
    "operator": PLAIN.replace("x + 2", "x - 2"),
    "comparison": PLAIN.replace("y > 3", "y >= 3"),
    "default": PLAIN.replace("sigma=1", "sigma=2"),
    "no default": PLAIN.replace("sigma=1", "sigma"),
    "keyword only": PLAIN.replace("x, sigma", "x, *, sigma"),
    "positional only": PLAIN.replace("x, sigma=1", "x, sigma=1, /"),
    "argument's name": PLAIN.replace("sigma", "s"),
    "more arguments": PLAIN.replace("sigma=1", "sigma=1, *rest"),
    "generator": PLAIN.replace("return y * sigma", "yield y * sigma"),
    "async": PLAIN.replace("def f", "async def f"),
    "branch": PLAIN.replace("return None", "return 0"),
    "called": PLAIN.replace("y * sigma", "abs(y)"),
}


def digest(value: object) -> str:
    return digest_of(recipe_of(value))


@pytest.mark.parametrize("edit", NOTHING)
def test_an_edit_that_changes_nothing(write: Callable, edit: str) -> None:
    before = digest(write(PLAIN).f)
    assert digest(write(NOTHING[edit]).f) == before


@pytest.mark.parametrize("edit", CHANGES)
def test_an_edit_that_changes_it(write: Callable, edit: str) -> None:
    before = digest(write(PLAIN).f)
    assert digest(write(CHANGES[edit]).f) != before


def nested(inner: str) -> str:
    return f"""
    def f(x):
        def g(y):
            {inner}
        class Sum:
            "What comes together."
            total = 0
            def add(self, z):
                return self.total + z
        return [g(i) for i in x], Sum
    """


def test_nested_code_counts_wherever_it_stands(write: Callable) -> None:
    before = digest(write(nested("return y + 1")).f)
    assert digest(write("\n\n\n" + nested("return y + 1")).f) == before
    assert digest(write(nested("return y + 1").replace("What comes", "What is")).f) == before
    assert digest(write(nested('"Adds one."; return y + 1')).f) == before
    assert digest(write(nested("return y + 2")).f) != before
    assert digest(write(nested("return y + 1").replace("total = 0", "total = 1")).f) != before


def test_a_nested_class_may_stand_in_another_function(write: Callable) -> None:
    outer = """
    def f():
        class Sum:
            total = 0
        return Sum
    """
    other = outer.replace("def f", "def g") + "\n    f = g\n"
    assert digest(write(outer).f) == digest(write(other).f)


TRIED = """
def f(x):
    try:
        y = int(x)
    except ValueError:
        return 1
    finally:
        print(x)
    return y
"""


def test_what_is_caught_where(write: Callable) -> None:
    before = digest(write(TRIED).f)
    assert digest(write(TRIED.replace("    try:\n", "    # As text.\n    try:\n\n")).f) == before
    assert digest(write(TRIED.replace("ValueError", "TypeError")).f) != before
    outside = TRIED.replace("    try:\n        y = int(x)", "    y = int(x)\n    try:\n        y")
    assert digest(write(outside).f) != before


def test_running_changes_nothing(write: Callable) -> None:
    f = write("def f(x):\n    return [i.real + len(x) for i in x][0] + 1\n").f
    before = digest(f)
    for _ in range(5000):
        f([1, 2])
    assert digest(f) == before
    code = f.__code__.replace(co_filename="elsewhere.py", co_firstlineno=77)
    assert digest(type(f)(code, f.__globals__)) == before


@pytest.mark.parametrize("values", ["{'a', 'b', 'c'}", "(1, (2.0, b'c'))", "...", "1j", "-0.0"])
def test_constants_of_each_kind(write: Callable, values: str) -> None:
    text = f"def f(x):\n    return x in {values}\n"
    assert digest(write(text).f) == digest(write(text).f)
    assert digest(write(text.replace(" in ", " == ")).f) != digest(write(text).f)


def test_zero_has_a_sign(write: Callable) -> None:
    text = "def f(x):\n    return x / 0.0\n"
    assert digest(write(text).f) != digest(write(text.replace("0.0", "-0.0")).f)
