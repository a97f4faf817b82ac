"""What a function uses counts: closures, globals, modules and imports, by what they are."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import pytest

from dask_blockwise.recipes import digest_of, recipe_of


def digest(value: object) -> str:
    return digest_of(recipe_of(value))


USES = {
    "global": ("LEVEL = 1\ndef f(x): return x + LEVEL", "LEVEL = 1", "LEVEL = 2"),
    "array": (
        "import numpy as np\nW = np.ones(3)\ndef f(x): return x + W",
        "ones(3)",
        "ones(3, 'f4')",
    ),
    "helper": ("def h(x): return x + 1\ndef f(x): return h(x)", "x + 1", "x + 2"),
    "helper's helper": (
        "def i(x): return x + 1\ndef h(x): return i(x)\ndef f(x): return h(x)",
        "x + 1",
        "x + 2",
    ),
    "in a comprehension": ("L = 1\ndef f(x): return [i + L for i in x]", "L = 1", "L = 2"),
    "in a lambda": ("L = 1\ndef f(x): return map(lambda i: i + L, x)", "L = 1", "L = 2"),
    "in a nested class": (
        "L = 1\ndef f(x):\n    class A:\n        a = L\n    return A",
        "L = 1",
        "L = 2",
    ),
    "closure": ("def m(k):\n    def f(x): return x + k\n    return f\nf = m(1)", "m(1)", "m(2)"),
    "class": ("class A:\n    a = 1\ndef f(x): return A.a + x", "a = 1", "a = 2"),
    "object": (
        "class A:\n    def __init__(self, a): self.a = a\nc = A(1)\ndef f(x): return c.a + x",
        "A(1)",
        "A(2)",
    ),
    "default": ("def f(x, k=(1, 2)): return x", "(1, 2)", "(1, 3)"),
    "keyword default": ("def f(x, *, k=1): return x", "k=1", "k=2"),
    "decorator": (
        "import functools\ndef d(g):\n    @functools.wraps(g)\n    def w(*a): return g(*a) + 1\n"
        "    return w\n@d\ndef f(x): return x * 3",
        "x * 3",
        "x * 4",
    ),
    "in the decorator": (
        "import functools\ndef d(g):\n    @functools.wraps(g)\n    def w(*a): return g(*a) + 1\n"
        "    return w\n@d\ndef f(x): return x * 3",
        "+ 1",
        "+ 2",
    ),
    "decorator of what is installed": (
        "import functools, numpy as np\n@functools.wraps(np.mean)\ndef f(x): return x + 1",
        "x + 1",
        "x + 2",
    ),
    "context manager": (
        "import contextlib\n@contextlib.contextmanager\ndef f(): yield 1",
        "yield 1",
        "yield 2",
    ),
    "lru_cache": ("import functools\n@functools.lru_cache\ndef f(x): return x + 1", "+ 1", "+ 2"),
    "singledispatch": (
        "import functools\n@functools.singledispatch\ndef f(x): return 1\n"
        "@f.register(int)\ndef _(x): return 2",
        "return 2",
        "return 3",
    ),
    "partial": (
        "import functools\ndef h(x, k): return x\nf = functools.partial(h, k=1)",
        "k=1",
        "k=2",
    ),
    "of a partial": (
        "import functools\ndef h(x, k): return x + 1\nf = functools.partial(h, k=1)",
        "x + 1",
        "x + 2",
    ),
    "vectorize": ("import numpy as np\nf = np.vectorize(lambda x: x + 1)", "x + 1", "x + 2"),
    "attribute of a function": ("def h(): pass\nh.k = 1\ndef f(): return h.k", "k = 1", "k = 2"),
    "recursion": ("def f(n): return f(n - 1) if n else 0", "else 0", "else 1"),
    "mutual recursion": (
        "def g(n): return f(n - 1) if n else 0\ndef f(n): return g(n)",
        "else 0",
        "else 1",
    ),
    "fewer arguments of a builtin": ("def f(x): return sum(x)", "sum", "max"),
    "name that is missing": ("def f(x): return nowhere(x)", "nowhere(", "anywhere("),
    "shadowed builtin": ("def f(x): return sum(x)", "def f", "def sum(x): return 1\ndef f"),
    "numba": ("import numba\n@numba.njit\ndef f(x): return x + 1", "+ 1", "+ 2"),
    "numba's options": ("import numba\n@numba.njit()\ndef f(x): return x", "()", "(fastmath=True)"),
}


@pytest.mark.parametrize("use", USES)
def test_what_is_used_counts(write: Callable, use: str) -> None:
    text, old, new = USES[use]
    before = digest(write(text).f)
    assert digest(write(f"import os\n\n\nOTHER = 3\n{text}\n").f) == before
    assert digest(write(text.replace(old, new)).f) != before


MODULES = {
    "module": ("import tools\ndef f(x): return tools.blur(x)", "tools"),
    "module by another name": ("import tools as t\ndef f(x): return t.blur(x)", "tools"),
    "from module": ("from tools import blur\ndef f(x): return blur(x)", "tools"),
    "import within": ("def f(x):\n    import tools\n    return tools.blur(x)", "tools"),
    "import within as": ("def f(x):\n    import tools as t\n    return t.blur(x)", "tools"),
    "from within": ("def f(x):\n    from tools import blur\n    return blur(x)", "tools"),
    "two from within": (
        "def f(x):\n    from tools import other, blur\n    return blur(x)",
        "tools",
    ),
    "import around": (
        "def m():\n    import tools\n    def f(x): return tools.blur(x)\n    return f\nf = m()",
        "tools",
    ),
    "import used in a nested function": (
        "def f(x):\n    import tools\n    return [tools.blur(i) for i in map(lambda j: "
        "tools.blur(j), x)]",
        "tools",
    ),
    "package": ("import pack.deep\ndef f(x): return pack.deep.blur(x)", "pack__deep"),
    "from package": ("from pack import deep\ndef f(x): return deep.blur(x)", "pack__deep"),
    "package within": (
        "def f(x):\n    import pack.deep\n    return pack.deep.blur(x)",
        "pack__deep",
    ),
    "package within as": (
        "def f(x):\n    import pack.deep as d\n    return d.blur(x)",
        "pack__deep",
    ),
    "from package within": (
        "def f(x):\n    from pack import deep\n    return deep.blur(x)",
        "pack__deep",
    ),
    "import into globals": (
        "def f(x):\n    global tools\n    import tools\n    return tools.blur(x)",
        "tools",
    ),
    "import within a method": (
        "class A:\n    def g(self, x):\n        import tools\n        return tools.blur(x)\nf = A",
        "tools",
    ),
}
TOOLS = "def blur(x): return x + 1\ndef other(x): return 3\n"


@pytest.mark.parametrize("use", MODULES)
def test_of_a_module_what_is_named_counts(write: Callable, use: str) -> None:
    text, module = MODULES[use]
    before = digest(write(text, **{module: TOOLS}).f)
    assert digest(write(text, **{module: "# Moved.\n" + TOOLS.replace("3", "4")}).f) == before
    assert digest(write(text, **{module: TOOLS.replace("+ 1", "+ 2")}).f) != before


def test_a_relative_import_within(write: Callable) -> None:
    text = "from pack.a import f\n"
    a = "def f(x):\n    from .deep import blur\n    from . import deep as d\n"
    a += "    return blur(d.other(x))"

    def of(tools: str) -> str:
        return digest(write(text, pack____init__="", pack__a=a, pack__deep=tools).f)

    assert of(TOOLS) == of("\n" + TOOLS)
    assert of(TOOLS) != of(TOOLS.replace("+ 1", "+ 2"))
    assert of(TOOLS) != of(TOOLS.replace("3", "4"))


def test_an_import_of_what_is_installed_is_not_run(write: Callable) -> None:
    f = write(
        "def f(x):\n    import antigravity\n    import nowhere.deep\n"
        "    return antigravity, nowhere"
    ).f
    names = recipe_of(f)["globals"]
    assert names["antigravity"]["from"] == "Python"
    assert names["nowhere.deep"] == {"@": "missing"}


def test_a_module_as_a_value(write: Callable) -> None:
    text = "import tools\nf = tools"
    before = digest(write(text, tools=TOOLS).f)
    assert digest(write(text, tools=TOOLS.replace("3", "4")).f) != before
    assert recipe_of(np)["name"] == "numpy"


def test_a_moved_function_is_the_same(write: Callable) -> None:
    here = write("def blur(x): return x + 1\ndef f(x): return blur(x)").f
    there = write("from tools import blur\ndef f(x): return blur(x)", tools=TOOLS).f
    assert digest(here) == digest(there)


def test_where_recursion_is_entered_does_not_count(write: Callable) -> None:
    text = """
    def g(n): return f(n - 1) if n else 0
    def f(n): return h(n) + 1
    def h(n): return g(n)
    """
    module = write(text)
    names = "fgh"
    alone = {name: recipe_of(getattr(module, name)) for name in names}
    assert len({digest_of(alone[name]["circle"]) for name in names}) == 1
    assert len({digest_of(alone[name]) for name in names}) == 3
    for order in ("fgh", "hgf", "ghf"):
        together = recipe_of([getattr(module, name) for name in order])
        assert [digest_of(each) for each in together] == [digest_of(alone[n]) for n in order]


def test_what_a_function_sets_itself_does_not_count(write: Callable) -> None:
    f = write("N = 0\ndef f():\n    global N\n    N += 1\n    return N").f
    before = digest(f)
    f()
    assert digest(f) == before


def test_an_empty_cell(write: Callable) -> None:
    text = "def m():\n    def f(): return late\n    {}\n    return f\n    late = 1\nf = m()"
    assert recipe_of(write(text.format("pass")).f)["closure"] == {"late": {"@": "empty"}}


def test_calling_what_numpy_vectorizes_changes_nothing(write: Callable) -> None:
    f = np.vectorize(write("def f(x): return x + 1").f, otypes=[float])
    before = digest(f)
    f([1, 2])
    assert digest(f) == before


def test_a_bound_method_is_its_function_and_object(write: Callable) -> None:
    text = "class A:\n    def __init__(self, a): self.a = a\n    def g(self): return self.a + 1"
    make = write(text).A
    assert digest(make(1).g) == digest(make(1).g)
    assert digest(make(1).g) != digest(make(2).g)
    assert digest(make(1).g) != digest(write(text.replace("+ 1", "+ 2")).A(1).g)
    assert digest([1].append) != digest([2].append)


def test_partials_of_what_is_installed() -> None:
    assert digest(functools.partial(np.mean, axis=0)) == digest(functools.partial(np.mean, axis=0))
    assert digest(functools.partial(np.mean, axis=0)) != digest(functools.partial(np.mean, axis=1))
    assert digest(functools.partial(np.mean, axis=0)) != digest(functools.partial(np.sum, axis=0))
