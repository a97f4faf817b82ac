"""Objects: dataclasses by their fields, others by class and state, odd ones by type alone."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import copyreg
import dataclasses
import enum
import io
import logging
import os
import re
import socket
import struct
import subprocess
import threading
import types
import weakref
from collections.abc import Callable
from inspect import getattr_static
from typing import Any

from dask_blockwise.recipes.classes import class_tree, enum_tree, is_own
from dask_blockwise.recipes.tree import Part, keyed, mapping_tree

__all__ = ["object_tree", "opaque_tree"]


def _value_now(variable: Any) -> Any:
    try:
        return variable.get()
    except LookupError:
        return None


# What is of this process or of this moment.
_PASSING = (
    *(logging.Logger, logging.Handler, threading.Thread, threading.local, io.IOBase),
    *(socket.socket, subprocess.Popen, concurrent.futures.Executor, concurrent.futures.Future),
    *(asyncio.AbstractEventLoop, asyncio.Future, contextvars.Context),
    *(types.GeneratorType, types.CoroutineType, types.AsyncGeneratorType),
    *(type(os.environ), types.FrameType, types.TracebackType),
    *(weakref.WeakKeyDictionary, weakref.WeakValueDictionary, weakref.WeakSet),
)
# What pickle takes nothing of, though it holds what counts.
_HOLDING: dict[type, Callable[[Any], Any]] = {
    contextvars.ContextVar: _value_now,
    weakref.ref: lambda value: value(),
    struct.Struct: lambda value: value.format,
    io.StringIO: lambda value: value.getvalue(),
    io.BytesIO: lambda value: value.getvalue(),
}
_CLIENTS = {"Client", "BaseClient", "ClientSession", "Cluster", "Connection", "Session"}
_MAKERS = ("__newobj__", "__newobj_ex__", "_reconstructor")
_FOR_PEOPLE = {"__doc__", "__module__", "__name__", "__qualname__", "__wrapped__"}


def object_tree(value: Any) -> Any:
    """Any value that nothing else describes."""
    if isinstance(value, type):
        return class_tree(value)
    if isinstance(value, enum.Enum):
        return enum_tree(value)
    if dataclasses.is_dataclass(value):
        return _of_fields(value)
    if isinstance(value, tuple(_HOLDING)):
        content = next(of for kind, of in _HOLDING.items() if isinstance(value, kind))
        return {"@": "holding", "class": Part(type(value)), "content": Part(content(value))}
    if isinstance(value, _PASSING) or _is_client(type(value)):
        return opaque_tree(value)
    if _is_scripted(value):
        return _scripted(value)
    token = getattr(type(value), "__dask_tokenize__", None)
    if token is not None and not is_own(type(value)):
        return _heading(value) | {"token": Part(token(value))}
    return _reduced(value)


def opaque_tree(value: Any) -> dict[str, Any]:
    """What can't be described, by its type alone."""
    return {"@": "opaque", "class": Part(type(value))}


def _heading(value: Any) -> dict[str, Any]:
    return {"@": "object", "~name": type(value).__name__, "class": Part(type(value))}


def _is_client(cls: type) -> bool:
    return any(base.__name__ in _CLIENTS and not is_own(base) for base in cls.__mro__)


def _of_fields(value: Any) -> dict[str, Any]:
    missing: dict[str, Any] = {"@": "missing"}
    fields = {}
    for field in dataclasses.fields(value):
        has = hasattr(value, field.name)
        fields[field.name] = keyed(field.name, getattr(value, field.name)) if has else missing
    others = {
        name: each
        for name, each in getattr(value, "__dict__", {}).items()
        if name not in fields and is_own(type(value))
    }
    return _heading(value) | {"state": fields | mapping_tree(others) if others else fields}


def _reduced(value: Any) -> dict[str, Any]:
    """By what pickle would take."""
    try:
        reduced = _pickled(value)
    except Exception:  # A person's own method may raise anything.
        return _unpicklable(value)
    if isinstance(reduced, str):
        return _heading(value) | {"name": reduced}
    make, arguments, state, items, pairs = (*reduced, None, None, None)[:5]
    tree = _heading(value)
    if getattr(make, "__name__", "") in _MAKERS:
        arguments = arguments[1:]
    elif make is not type(value):
        tree["made by"] = Part(make)
    given = {
        "arguments": list(arguments) if arguments else None,
        "state": _state(state),
        "list": None if items is None else list(items),
        "dict": None if pairs is None else dict(pairs),
    }
    described: dict[str, Any] = {key: Part(each) for key, each in given.items() if each}
    if type(given["state"]) is dict and given["state"]:
        described["state"] = mapping_tree(given["state"])  # set in any order
    return tree | described


def _pickled(value: Any) -> Any:
    registered: Any = copyreg.dispatch_table.get(type(value))
    return value.__reduce_ex__(4) if registered is None else registered(value)


def _state(state: Any) -> Any:
    """Attributes and slots as one, without those for people."""
    if isinstance(state, tuple) and len(state) == 2 and isinstance(state[1], dict):
        state = (state[0] or {}) | state[1] if isinstance(state[0], dict | None) else state
    if type(state) is dict:
        return {key: value for key, value in state.items() if key not in _FOR_PEOPLE}
    return state


def _is_scripted(value: Any) -> bool:
    of_torch = type(value).__module__.partition(".")[0] == "torch"
    return of_torch and isinstance(getattr_static(value, "code", None), property)


def _scripted(value: Any) -> dict[str, Any]:
    """A function or network in TorchScript, by the code that it tells of, and its weights."""
    inner = value.modules() if hasattr(value, "modules") else [value]
    codes = [str(getattr(each, "code", "")) for each in inner]
    tree = {
        **_heading(value),
        "code": Part([re.sub("___torch_mangle_[0-9]+", "", c) for c in codes]),
    }
    return tree | ({"state": Part(dict(value.state_dict()))} if hasattr(value, "modules") else {})


def _unpicklable(value: Any) -> dict[str, Any]:
    """By attributes where it has them."""
    if is_own(type(value)):
        return _heading(value) | {"state": mapping_tree(_attributes(value))}
    return opaque_tree(value)


def _attributes(value: Any) -> dict[str, Any]:
    names = [name for cls in type(value).__mro__ for name in _slots(cls)]
    slots = {name: getattr(value, name) for name in names if hasattr(value, name)}
    return slots | dict(getattr(value, "__dict__", {}))


def _slots(cls: type) -> tuple[str, ...]:
    slots = vars(cls).get("__slots__", ())
    names = (slots,) if isinstance(slots, str) else tuple(slots)
    return tuple(name for name in names if name not in ("__dict__", "__weakref__"))
