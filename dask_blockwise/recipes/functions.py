"""Functions, what stands for functions, and classes."""

from __future__ import annotations

import functools
import gc
import types
from collections.abc import Callable
from inspect import getattr_static
from pathlib import PurePath
from types import FunctionType
from typing import Any

import numpy as np

from dask_blockwise.recipes.code import read_code
from dask_blockwise.recipes.installed import (
    PYTHON,
    Distribution,
    distribution_of,
    file_of,
    installed_tree,
    is_shared,
    named,
)
from dask_blockwise.recipes.names import closure_trees, global_trees
from dask_blockwise.recipes.tree import Part, mapping_tree, parts

__all__ = ["callable_tree", "function_tree"]

# Said of a function by what wraps it or by typing, for those who look at it.
_OF_DECORATORS = {"__wrapped__", "__signature__", "__isabstractmethod__", "__final__"}
_OF_DECORATORS |= {"__override__", "__deprecated__", "__no_type_check__", "__dataclass_transform__"}
_BOUND = (types.BuiltinFunctionType, types.MethodWrapperType)
_OF_C_CLASSES = (
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
    types.ClassMethodDescriptorType,
    types.GetSetDescriptorType,
    types.MemberDescriptorType,
)


def function_tree(function: FunctionType) -> dict[str, Any]:
    """A function by its name where it is installed, else by what it does."""
    module = function.__globals__.get("__name__")
    distribution = _home(function)
    if distribution is not None:
        return _installed_function(function, str(module), distribution)
    code = read_code(function.__code__)
    tree = _heading("function", function.__name__, function.__code__.co_filename)
    tree |= {"~module": str(module)} if is_shared(module) else {}
    tree |= {"python": PYTHON.version, "body": code.body}
    tree |= _given("defaults", _defaults(function))
    tree |= _given("closure", closure_trees(function, code))
    tree |= _given("globals", global_trees(function, code))
    return tree | _given("attributes", _attributes(function))


def _home(function: FunctionType) -> Distribution | None:
    if function.__code__.co_filename.startswith("<doctest "):
        return None  # A person's example, though in the names of what it is an example of.
    names = function.__globals__
    return distribution_of(names.get("__name__"), names.get("__file__"))


def _heading(kind: str, name: str, file: str | None) -> dict[str, Any]:
    """Kind, and for people where it stands; a notebook's cells have files of passing names."""
    path = PurePath(file or "")
    lasts = path.suffix == ".py" and not path.parent.name.startswith("ipykernel_")
    return {"@": kind, "~name": name, **({"~file": path.name} if lasts else {})}


def _given(key: str, values: dict[str, Any]) -> dict[str, Any]:
    return {key: values} if values else {}


def _defaults(function: FunctionType) -> dict[str, Any]:
    code, defaults = function.__code__, function.__defaults__ or ()
    names = code.co_varnames[: code.co_argcount][code.co_argcount - len(defaults) :]
    given = dict(zip(names, defaults)) | (function.__kwdefaults__ or {})
    return {name: Part(value) for name, value in given.items()}


def _attributes(function: FunctionType) -> dict[str, Any]:
    pairs = sorted(vars(function).items())
    return {name: Part(value) for name, value in pairs if name not in _OF_DECORATORS}


def _installed_function(
    function: FunctionType, module: str, distribution: Distribution
) -> dict[str, Any]:
    """By name; one that isn't found under its name also by what it does and was given."""
    named_as = (function.__module__, function.__qualname__)
    if distribution_of(function.__module__) and named(*named_as) is function:
        return installed_tree(".".join(named_as), distribution)
    code = read_code(function.__code__)
    tree = installed_tree(f"{module}.{function.__code__.co_qualname}", distribution)
    tree |= {"python": PYTHON.version, "body": code.body}
    tree |= _given("defaults", _defaults(function))
    return tree | _given("closure", closure_trees(function, code))


def callable_tree(value: Any) -> Any:
    """A tree of what can be called, of what stands for it in a class, or of a module."""
    for kinds, tree in _KINDS:
        if isinstance(value, kinds):
            return tree(value)
    if isinstance(getattr_static(value, "py_func", None), FunctionType):
        return _compiled(value)
    return _by_name(value) if callable(value) and not isinstance(value, type) else None


def _function(value: Any) -> Any:
    if isinstance(getattr(value, "registry", None), types.MappingProxyType):
        return {"@": "singledispatch", "functions": mapping_tree(value.registry)}
    return function_tree(value)


def _method(value: Any) -> Any:
    return {"@": "method", "function": Part(value.__func__), "self": Part(value.__self__)}


def _bound(value: Any) -> Any:
    of = value.__self__
    if of is None or isinstance(of, types.ModuleType):
        module = value.__module__ or getattr(of, "__name__", "builtins")
        return _of_module(module, value.__qualname__)
    return {"@": "method", "name": value.__name__, "self": Part(of)}


def _of_c_class(value: Any) -> Any:
    of = value.__objclass__
    return _of_module(of.__module__, f"{of.__qualname__}.{value.__name__}")


def _of_module(module: str, name: str) -> Any:
    """By name; what a person compiled is known by its name alone."""
    distribution = distribution_of(module)
    full = f"{module}.{name}"
    if distribution is None:
        return {"@": "compiled", "name": full, "~file": PurePath(file_of(module) or "").name}
    return installed_tree(full, distribution)


def _by_name(value: Any) -> Any:
    """What can be called and is found under its name where it is installed, such as a ufunc."""
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", None)
    places = [getattr(value, "__module__", None), type(value).__module__, "scipy.special"]
    for place in places:
        if isinstance(place, str) and isinstance(name, str) and named(place, name) is value:
            return _of_module(place, name) if distribution_of(place) else None
    if isinstance(value, np.ufunc):
        # One of np.frompyfunc refers to its function.
        of = [each for each in gc.get_referents(value) if isinstance(each, FunctionType)]
        return _of_module("numpy", f"ufunc {name}") | ({"function": parts(of)} if of else {})
    return None


def _partial(value: Any) -> Any:
    tree = {"@": "partial", "function": Part(value.func), "arguments": parts(value.args)}
    return tree | _given("keywords", {key: Part(each) for key, each in value.keywords.items()})


def _wrapped(value: Any) -> Any:
    return {"@": type(value).__name__, "function": Part(value.__func__)}


def _cached(value: Any) -> Any:
    return {"@": "cached", "function": Part(value.__wrapped__)}


def _cached_property(value: Any) -> Any:
    return {"@": "property", "get": Part(value.func)}


def _property(value: Any) -> Any:
    ways = {"get": value.fget, "set": value.fset, "delete": value.fdel}
    return {"@": "property"} | {way: Part(each) for way, each in ways.items() if each}


def _vectorized(value: Any) -> Any:
    tree = installed_tree("numpy.vectorize", distribution_of("numpy") or PYTHON)
    given = {"otypes": value.otypes, "signature": value.signature, "excluded": value.excluded}
    return tree | {"function": Part(value.pyfunc), "arguments": Part(given)}


def _code(value: Any) -> Any:
    code = read_code(value)
    return {"@": "code", "python": PYTHON.version, "body": code.body}


def _compiled(value: Any) -> Any:
    """A dispatcher of numba, without importing numba: its function and how it is compiled."""
    options = getattr(value, "targetoptions", None)
    kind = type(value)
    return {
        **{"@": "compiled from Python", "by": Part(kind), "function": Part(value.py_func)},
        "options": Part(options if type(options) is dict else {}),
    }


def _module(value: Any) -> Any:
    """A module that is itself a value: all that a person's own one has."""
    name = value.__name__
    distribution = distribution_of(name, getattr(value, "__file__", None))
    if distribution is not None:
        return installed_tree(name, distribution)
    members = {key: Part(each) for key, each in vars(value).items() if key[:2] != "__"}
    heading = _heading("module", name, getattr(value, "__file__", None))
    return heading | {"members": dict(sorted(members.items()))}


_KINDS: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (FunctionType, _function),
    (types.MethodType, _method),
    (functools.partial, _partial),
    (_BOUND, _bound),
    (_OF_C_CLASSES, _of_c_class),
    ((staticmethod, classmethod), _wrapped),
    (property, _property),
    (functools.cached_property, _cached_property),
    (type(functools.lru_cache(abs)), _cached),
    (np.vectorize, _vectorized),
    (types.ModuleType, _module),
    (types.CodeType, _code),
)
