"""Public names are imported when they are first asked for, and are the same however they are."""

from __future__ import annotations

import ast
import json
import pickle
import subprocess
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules, walk_packages

import cloudpickle
import pytest

import dask_blockwise

STUB = Path(dask_blockwise.__file__).with_suffix(".pyi")
# Imports what is named in the order given, and says which public names aren't what the stub has.
IMPORTED = """
import json, sys
from importlib import import_module
for name in json.loads(sys.argv[1]):
    import_module(name)
import dask_blockwise
places = json.loads(sys.argv[2])
print([name for name, place in places.items()
       if getattr(dask_blockwise, name) is not getattr(import_module(place), name)])
"""

# Asks for all public names at once, each on a thread, and says what went wrong.
ON_THREADS = """
import sys
from concurrent.futures import ThreadPoolExecutor
import dask_blockwise

def wrong(name):
    try:
        getattr(dask_blockwise, name)
    except Exception as error:
        return f"{name}: {error}"

names = dir(dask_blockwise)
with ThreadPoolExecutor(len(names)) as threads:
    print([found for found in threads.map(wrong, names) if found])
"""


def places() -> dict[str, str]:
    """The module of each public name, as the stub has it."""
    tree = ast.parse(STUB.read_text())
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    return {alias.name: f"dask_blockwise.{node.module}" for node in imports for alias in node.names}


def alone(code: str, *arguments: str) -> str:
    """What code prints in a process of its own."""
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def modules() -> list[str]:
    found = walk_packages(dask_blockwise.__path__, "dask_blockwise.")
    # empanada's networks need a library that isn't always there.
    return [module.name for module in found if not module.name.endswith((".__main__", "empanada"))]


def test_the_stub_lists_what_there_is() -> None:
    listed = next(
        ast.literal_eval(node.value)
        for node in ast.parse(STUB.read_text()).body
        if isinstance(node, ast.Assign)
    )
    assert listed == sorted(places()) == sorted(dask_blockwise.__all__) == dir(dask_blockwise)


def test_a_name_is_what_its_module_has() -> None:
    for name, place in places().items():
        assert getattr(dask_blockwise, name) is getattr(import_module(place), name)


# A module and a function have the same name: importing the module must not take its place.
CLASHES = {module.name for module in iter_modules(dask_blockwise.__path__)} & places().keys()
ORDERS = {
    **{name: [f"dask_blockwise.{name}"] for name in sorted(CLASHES)},
    "all, forwards": sorted(modules()),
    "all, backwards": sorted(modules(), reverse=True),
}


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_names_are_the_same_in_whatever_order_modules_are_imported(order: Sequence[str]) -> None:
    assert alone(IMPORTED, json.dumps(order), json.dumps(places())) == "[]"


def test_importing_it_alone_brings_next_to_nothing() -> None:
    code = "import sys; before = set(sys.modules)\nimport dask_blockwise\n"
    code += "print(*{name.partition('.')[0] for name in set(sys.modules) - before})"
    brought = set(alone(code).split()) - set(sys.stdlib_module_names)
    assert brought <= {"dask_blockwise", "lazy_loader"}


def test_threads_may_ask_for_different_names_at_once() -> None:
    assert alone(ON_THREADS) == "[]"


def test_a_star_brings_all_of_them() -> None:
    code = "from dask_blockwise import *\nprint(*sorted(name for name in dir() if name[0] != '_'))"
    assert alone(code).split() == sorted(places())


def test_a_name_that_is_not_there_is_told_with_what_is_like_it() -> None:
    with pytest.raises(AttributeError, match="'dask_blockwise' has no attribute 'open_volme'"):
        dask_blockwise.open_volme  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'open_volme'"):
        exec("from dask_blockwise import open_volme")
    code = "import dask_blockwise; dask_blockwise.open_volme"
    failed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert failed.stderr.endswith("Did you mean: 'open_volume'?\n")


@pytest.mark.parametrize("pickler", [pickle, cloudpickle], ids=["pickle", "cloudpickle"])
def test_code_that_names_the_package_travels(pickler: object) -> None:
    dumps, loads = vars(pickler)["dumps"], vars(pickler)["loads"]
    assert loads(dumps(dask_blockwise)) is dask_blockwise
    for name in places():
        assert loads(dumps(getattr(dask_blockwise, name))) is getattr(dask_blockwise, name)


def test_a_function_of_a_notebook_names_the_package_in_another_process() -> None:
    names = {"dask_blockwise": dask_blockwise, "__name__": "__main__"}
    exec("def named(): return dask_blockwise.segment_blockwise.__module__", names)
    sent = cloudpickle.dumps(names["named"]).hex()
    code = "import pickle, sys; print(pickle.loads(bytes.fromhex(sys.argv[1]))())"
    assert alone(code, sent) == "dask_blockwise.segment_blockwise"
