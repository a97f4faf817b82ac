"""Classes: those installed by name, a person's own by what they hold."""

from __future__ import annotations

import enum
import types
from pathlib import PurePath
from types import FunctionType
from typing import Any

from dask_blockwise.recipes.functions import function_tree
from dask_blockwise.recipes.installed import (
    Distribution,
    distribution_of,
    file_of,
    installed_tree,
    named,
)
from dask_blockwise.recipes.tree import Part, parts

__all__ = ["class_tree", "enum_tree", "is_own"]

_METHODS = (FunctionType, staticmethod, classmethod, property)
# Made anew for every class, by Python or by decorators of it.
_MADE = (types.GetSetDescriptorType, types.MemberDescriptorType)
# Of a class's place, making and use, or for people; other names with two underscores count.
_OF_MAKING = {"__module__", "__qualname__", "__doc__", "__dict__", "__weakref__"}
_OF_MAKING |= {"__annotations__", "__annotate__", "__annotate_func__", "__annotations_cache__"}
_OF_MAKING |= {"__firstlineno__", "__static_attributes__", "__type_params__", "__parameters__"}
_OF_MAKING |= {"__orig_bases__", "__abstractmethods__", "__classcell__", "__classdictcell__"}
_OF_MAKING |= {"__protocol_attrs__", "__non_callable_proto_members__", "__final__", "__signature__"}
_OF_MAKING |= {"__slotnames__", "__conditional_annotations__"}
_OF_MAKERS = ("__dataclass_", "__pydantic_", "__attrs_")
_DERIVED = {
    "_abc_impl",
    "_member_names_",
    "_member_map_",
    "_value2member_map_",
    "_generate_next_value_",
}
_DERIVED |= {
    "_use_args_",
    "_unhashable_values_",
    "_hashable_values_",
    "_member_type_",
    "_new_member_",
}
_DERIVED |= {"_value_repr_", "_sort_order_", "_singles_mask_", "_all_bits_", "_flag_mask_"}
_DERIVED |= {"_is_protocol", "_is_runtime_protocol"}


def is_own(cls: type) -> bool:
    """Whether a class is a person's own, or was made in passing by what is installed."""
    return _home(cls) is None


def _home(cls: type) -> Distribution | None:
    distribution = distribution_of(cls.__module__)
    if distribution is None or named(cls.__module__, cls.__qualname__) is cls:
        return distribution
    in_passing = any(isinstance(value, FunctionType) for value in vars(cls).values())
    return None if in_passing else distribution


def class_tree(cls: type) -> dict[str, Any]:
    """A class by name, or by its bases, methods and attributes."""
    distribution = _home(cls)
    if distribution is not None:
        return installed_tree(f"{cls.__module__}.{cls.__qualname__}", distribution)
    tree = _heading(cls) | {"bases": parts(base for base in cls.__bases__ if base is not object)}
    if type(cls) is not type:
        tree["metaclass"] = Part(type(cls))
    if issubclass(cls, enum.Enum):
        tree["values"] = [[member.name, Part(member.value)] for member in cls]
    if "__pydantic_fields__" in vars(cls):
        fields = vars(cls)["__pydantic_fields__"]
        defaults = {key: [each.default, each.default_factory] for key, each in fields.items()}
        tree["defaults"] = Part(defaults)
    members = {name: _member(value) for name, value in vars(cls).items() if _counts(name, value)}
    return tree | {"members": dict(sorted(members.items()))}


def _heading(cls: type) -> dict[str, Any]:
    file = PurePath(file_of(cls.__module__) or "").name if cls.__module__ != "__main__" else ""
    return {"@": "class", "~name": cls.__name__, **({"~file": file} if file else {})}


def _counts(name: str, value: Any) -> bool:
    """Whether an attribute says what a class does; those of Python's and others' making don't."""
    if isinstance(value, _MADE) or name in _DERIVED or isinstance(value, enum.Enum):
        return False
    if isinstance(value, _METHODS):
        return True
    return name not in _OF_MAKING and not name.startswith(_OF_MAKERS)


def _member(value: Any) -> Any:
    return function_tree(value) if type(value) is FunctionType else Part(value)


def enum_tree(value: enum.Enum) -> dict[str, Any]:
    """A member of an enum, with the methods that it has, without the other members."""
    cls = type(value)
    tree: dict[str, Any] = {
        "@": "enum",
        "name": value.name or str(value),
        "value": Part(value.value),
    }
    if not is_own(cls):
        return tree | {"class": Part(cls)}
    methods = {
        name: _member(each)
        for name, each in sorted(vars(cls).items())
        if _counts(name, each) and isinstance(each, _METHODS)
    }
    tree["~class"] = cls.__name__
    return tree | ({"methods": methods} if methods else {})
