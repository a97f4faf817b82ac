"""Values: containers, numbers of numpy, arrays, tensors, dates."""

from __future__ import annotations

import datetime
import types
from collections.abc import Callable
from pathlib import PurePath
from typing import Any

import numpy as np

from dask_blockwise.recipes.digest import content_digest
from dask_blockwise.recipes.tree import PLAIN, Part, mapping_tree, parts, plain

__all__ = ["value_tree"]


def value_tree(value: Any) -> Any:
    """A tree of what holds data alone; None for all else."""
    exact = _EXACT.get(type(value))
    if exact is not None:
        return exact(value)
    for kinds, tree in _BY_INSTANCE:
        if isinstance(value, kinds):
            return tree(value)
    if _is_tensor(value):
        return _tensor(value)
    return None


def _list(value: Any) -> Any:
    if all(type(each) in PLAIN for each in value):
        return [plain(each) for each in value]
    return parts(value)


def _dict(value: Any) -> Any:
    """By its pairs, of which the order counts: code may go through them in order."""
    tree = mapping_tree(value)
    if _are_sorted(list(value)):
        return tree
    pairs = tree["items"] if "@" in tree else list(tree.items())
    return {
        "@": "dict in order",
        "items": [[Part(key), each] for key, (_, each) in zip(value, pairs)],
    }


def _are_sorted(keys: list[Any]) -> bool:
    try:
        return bool(keys == sorted(keys))
    except TypeError:
        return False


def _unordered(value: Any) -> Any:
    return {"@": type(value).__name__, "items": parts(value)}


def _of_set_class(value: Any) -> Any:
    tree = {"@": "set", "class": Part(type(value)), "items": parts(value)}
    state = getattr(value, "__dict__", None)
    return tree | {"state": mapping_tree(state)} if state else tree


def _bytes(value: Any) -> Any:
    length = memoryview(value).nbytes
    return {"@": type(value).__name__, "length": length, "content": content_digest(value)}


def _slice(value: Any) -> Any:
    bounds = [value.start, value.stop, value.step]
    return {"@": type(value).__name__, "value": parts(bounds)}


def _complex(value: Any) -> Any:
    return {"@": "complex", "value": parts([value.real, value.imag])}


def _constant(value: Any) -> Any:
    return {"@": "constant", "value": repr(value)}


def _time(value: Any) -> Any:
    return {"@": type(value).__name__, "value": value.isoformat()}


def _duration(value: Any) -> Any:
    return {"@": "timedelta", "value": [value.days, value.seconds, value.microseconds]}


def _path(value: Any) -> Any:
    return {"@": "path", "value": Part(str(value))}


def _dtype(value: Any) -> Any:
    return {"@": "dtype", "value": str(value)}


def _scalar(value: Any) -> Any:
    item = value.item() if value.dtype.kind in "biufcSU" else None
    tree = {"@": "scalar", "dtype": str(value.dtype)}
    if type(item) in (bool, int, float, str, complex):
        return tree | {"value": Part(item)}
    return tree | {"value": str(value), "content": Part(np.asarray(value))}


def _array(value: Any) -> Any:
    if isinstance(value, np.ma.MaskedArray):
        return _masked(value)
    array = np.asarray(value)
    tree: dict[str, Any] = {
        "@": "array",
        "shape": list(array.shape),
        "dtype": str(array.dtype),
    }
    if type(value) not in (np.ndarray, np.memmap):
        tree |= {"class": Part(type(value)), "state": mapping_tree(getattr(value, "__dict__", {}))}
    if not array.dtype.hasobject:
        return tree | {"content": content_digest(array)}
    if array.dtype.names is not None:
        return tree | {"fields": {name: Part(array[name]) for name in array.dtype.names}}
    return tree | {"values": parts(array.ravel().tolist())}


def _masked(value: Any) -> Any:
    mask = np.ma.getmaskarray(value)
    data = np.array(np.ma.getdata(value))
    if mask.dtype.names is None:
        data[mask] = np.zeros((), data.dtype)[()]
    fill = Part(np.asarray(value.fill_value))
    return {"@": "masked array", "data": Part(data), "mask": Part(mask), "fill": fill}


def _is_tensor(value: Any) -> bool:
    kind = type(value)
    return all(hasattr(kind, name) for name in ("detach", "cpu", "shape", "dtype"))


def _tensor(value: Any) -> Any:
    tree = {"@": "tensor", "shape": [int(n) for n in value.shape], "dtype": str(value.dtype)}
    values = _in_memory(value.detach())
    return tree if values is None else tree | {"content": content_digest(values)}


def _in_memory(tensor: Any) -> Any:
    """A tensor's values as numpy has them: bfloat16 and such have to be floats first."""
    ways: tuple[Callable[[], Any], ...] = (
        lambda: tensor.cpu().numpy(),
        lambda: tensor.cpu().float().numpy(),
        lambda: tensor.cpu().to_dense().numpy(),
        lambda: tensor.cpu().resolve_conj().resolve_neg().numpy(),
        lambda: tensor.cpu().dequantize().numpy(),
    )
    for way in ways:
        try:
            return np.asarray(way())
        except (TypeError, RuntimeError, AttributeError, NotImplementedError):
            continue
    return None


_EXACT: dict[type, Callable[[Any], Any]] = {
    list: _list,
    tuple: _list,
    dict: _dict,
    types.MappingProxyType: _dict,
    set: _unordered,
    frozenset: _unordered,
    bytes: _bytes,
    bytearray: _bytes,
    memoryview: _bytes,
    slice: _slice,
    range: _slice,
    complex: _complex,
    type(Ellipsis): _constant,
    type(NotImplemented): _constant,
    datetime.date: _time,
    datetime.datetime: _time,
    datetime.time: _time,
    datetime.timedelta: _duration,
}
_BY_INSTANCE: tuple[tuple[type | tuple[type, ...], Callable[[Any], Any]], ...] = (
    (PurePath, _path),
    ((set, frozenset), _of_set_class),
    (np.ndarray, _array),
    (np.generic, _scalar),
    (np.dtype, _dtype),
)
