"""An edit after which a function returns something else is another computation."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Callable

import pytest

from dask_blockwise.recipes import differences, digest_of, recipe_of

# Source of a module with a function f, and an edit of it: what f(2) is changes with each.
EDITS = {
    "attribute of a class between underscores": (
        "class F:\n  __scale__ = 2\n  def __call__(s, x): return x * s.__scale__\nf = F()",
        ("= 2", "= 3"),
    ),
    "attribute of a function between underscores": (
        "def f(x): return x * f.__scale__\nf.__scale__ = 2",
        ("= 2", "= 3"),
    ),
    "special method that an object stands for": (
        "class D:\n  def __init__(s, g): s.g = g\n"
        "  def __get__(s, o, t=None): return lambda x: s.g(o, x)\n"
        "class F:\n  @D\n  def __call__(s, x): return x * 2\nf = F()",
        ("x * 2", "x * 3"),
    ),
    "special method that is a partial one": (
        "import functools\nclass F:\n  def g(s, x, k): return x * k\n"
        "  __call__ = functools.partialmethod(g, k=2)\nf = F()",
        ("k=2", "k=3"),
    ),
    "ufunc of a function": (
        "import numpy as np\nu = np.frompyfunc(lambda a: a + 1, 1, 1)\ndef f(x): return u(x)",
        ("a + 1", "a + 2"),
    ),
    "context variable": (
        "import contextvars\nv = contextvars.ContextVar('v', default=3)\n"
        "def f(x): return x + v.get()",
        ("=3", "=4"),
    ),
    "weak reference": (
        "import weakref\nclass K: a = 2\np = weakref.ref(K)\ndef f(x): return x * p().a",
        ("a = 2", "a = 3"),
    ),
    "format of a struct": (
        "import struct\np = struct.Struct('<h')\ndef f(x): return x + p.unpack(b'\\1\\0')[0]",
        ("<h", ">h"),
    ),
    "text in memory": (
        "import io\np = io.StringIO('2')\ndef f(x): return x * float(p.getvalue())",
        ("'2'", "'3'"),
    ),
    "bytes in memory": (
        "import io\np = io.BytesIO(b'2')\ndef f(x): return x * float(p.getvalue())",
        ("b'2'", "b'3'"),
    ),
    "code": (
        "c = compile('2', '', 'eval')\ndef f(x): return x * eval(c)",
        ("'2'", "'3'"),
    ),
    "order of a dict": (
        "steps = {'double': lambda x: 2 * x, 'more': lambda x: x + 1}\n"
        "def f(x):\n  for step in steps.values(): x = step(x)\n  return x",
        (
            "{'double': lambda x: 2 * x, 'more': lambda x: x + 1}",
            "{'more': lambda x: x + 1, 'double': lambda x: 2 * x}",
        ),
    ),
    "order of a dict that an object has": (
        "class F:\n  def __init__(s, steps): s.steps = steps\n"
        "  def __call__(s, x): return x * list(s.steps.values())[0]\nf = F({1: 2, 2: 3})",
        ("{1: 2, 2: 3}", "{2: 3, 1: 2}"),
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_that_changes_the_result(write: Callable, name: str) -> None:
    source, edit = EDITS[name]
    old = write(source).f
    before, recipe = old(2), recipe_of(old)
    again = digest_of(recipe_of(write(source).f))
    new = write(source.replace(*edit)).f
    assert new(2) != before
    assert digest_of(recipe) == again != digest_of(recipe_of(new))
    assert differences(recipe, recipe_of(new))


def test_the_order_of_a_dict_is_told() -> None:
    old, new = ({"steps": steps} for steps in ({"b": 1, "a": 2, "c": 3}, {"c": 3, "b": 1, "a": 2}))
    assert differences(recipe_of(old), recipe_of(new)) == ["steps in another order"]


def test_in_which_order_attributes_are_set_does_not_count(write: Callable) -> None:
    source = "class F: pass\nf = F()\nf.b = 1\nf.a = 2"
    turned = "class F: pass\nf = F()\nf.a = 2\nf.b = 1"
    assert digest_of(recipe_of(write(source).f)) == digest_of(recipe_of(write(turned).f))


def test_use_of_a_class_changes_nothing(write: Callable) -> None:
    made = write("class F:\n  __scale__ = 2\n  def __call__(s, x): return x * s.__scale__\nf = F()")
    before = digest_of(recipe_of(made.f))
    pickle.loads(pickle.dumps(made.f))
    inspect.signature(made.F)
    assert "__slotnames__" in vars(made.F)
    assert digest_of(recipe_of(made.f)) == before
