"""What may stand in a file: schemas, made from the signatures of functions."""

from __future__ import annotations

import os
import re
import types
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from inspect import Parameter, signature
from operator import or_
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    create_model,
)

from ..geometry.blocks import Roi
from .named_functions import function_or_file

__all__ = ["key_of", "parameters_of", "part", "region", "schema_of", "takes_volume"]

# Of types that are known as it runs.
_List: Any = list
_Tuple: Any = tuple
_Dict: Any = dict
_PLAIN: dict[Any, Any] = {
    bool: StrictBool,
    int: StrictInt,
    float: StrictInt | StrictFloat,
    str: StrictStr,
    type(None): None,
    Any: Any,
}
_SPAN = re.compile(r"\s*(-?\d*)\s*:\s*(-?\d*)\s*")


def parameters_of(function: Callable[..., Any]) -> dict[str, tuple[Parameter, Any]]:
    """Parameters of a function by name, each with its annotation."""
    hints = get_type_hints(function)
    return {
        name: (parameter, hints.get(name, Any))
        for name, parameter in signature(function).parameters.items()
    }


def takes_volume(annotation: Any) -> bool:
    """Whether a parameter is a volume, which a file gives by its name."""
    if isinstance(annotation, TypeVar) or hasattr(annotation, "call"):
        return True
    return annotation is not Any and any(map(takes_volume, get_args(annotation)))


def schema_of(
    name: str, function: Callable[..., Any], but: Sequence[str] = (), first: str = ""
) -> type[BaseModel]:
    """What a file may give to a function.

    Parameters
    ----------
    name : str
        What files call it.
    function : callable
    but : sequence of str
        Parameters that no file gives.
    first : str
        The parameter that is given under the function's name.

    Examples
    --------
    >>> def smooth(array: str, sigma: float = 1.0) -> None: ...
    >>> schema_of("smooth", smooth, first="array").model_validate({"smooth": "raw", "sigma": 2})
    smooth(array='raw', sigma=2)
    """
    fields: dict[str, Any] = {}
    extra: Literal["allow", "forbid"] = "forbid"
    for key, (parameter, annotation) in parameters_of(function).items():
        if key in but:
            continue
        if parameter.kind is Parameter.VAR_KEYWORD:
            extra = "allow"
            continue
        several = parameter.kind is Parameter.VAR_POSITIONAL
        kind = _List[_type_of(annotation)] if several else _type_of(annotation)
        needed = parameter.default is Parameter.empty and not several
        default = ... if needed else [] if several else parameter.default
        fields[key] = (kind, Field(default, alias=key_of(name, key, first)))
    config = ConfigDict(extra=extra, arbitrary_types_allowed=True, protected_namespaces=())
    model: type[BaseModel] = create_model(name, __config__=config, **fields)
    return model


def key_of(stage: str, parameter: str, first: str) -> str:
    """What a file calls a parameter: the first by its stage, others by their names.

    Examples
    --------
    >>> key_of("threshold", "volume", "volume"), key_of("threshold", "value", "volume")
    ('threshold', 'value')
    """
    return stage if parameter == first else parameter


def region(value: Any) -> Roi:
    """A region in world units, from begin and end along each axis.

    Examples
    --------
    >>> region("0:320, 0:640")
    [0:320, 0:640] (320, 640)
    """
    spans = [_SPAN.fullmatch(part) for part in str(value).strip("[]").split(",")]
    if not all(span and span[1] and span[2] for span in spans):
        raise ValueError("a region is begin:end for each axis, such as 0:320, 0:640")
    begin, end = zip(*((int(span[1]), int(span[2])) for span in spans if span))
    if any(high <= low for low, high in zip(begin, end)):
        raise ValueError("a region ends behind its begin along each axis, such as 0:320, 0:640")
    return Roi(begin, [high - low for low, high in zip(begin, end)])


def _volume_or_regions(value: Any) -> Any:
    """A region, or several, where that is what a text says, and else the name of a volume."""
    if isinstance(value, list):
        return [region(each) for each in value]
    if not isinstance(value, str):
        raise ValueError("the name of a volume, or regions such as 0:320, 0:640")
    return region(value) if all(map(_SPAN.fullmatch, value.split(","))) else value


def part(value: Any) -> Any:
    """A slice where a text has a colon, and anything else as it is.

    Examples
    --------
    >>> part("2:"), part(3)
    (slice(2, None, None), 3)
    """
    span = _SPAN.fullmatch(value) if isinstance(value, str) else None
    return value if span is None else slice(*(int(end) if end else None for end in span.groups()))


def _function(value: Any) -> Any:
    """What is imported; paths of files are left to whoever reads them."""
    if not isinstance(value, str):
        raise ValueError("needs a function, as package.module:function")
    return function_or_file(value)


def _word_or_function(value: Any) -> Any:
    """A word that names one of several, or what is imported."""
    return value if isinstance(value, str) and ":" not in value else _function(value)


def _type_of(annotation: Any) -> Any:
    return _sayable(annotation) or Any


def _sayable(annotation: Any) -> Any:
    """What stands for an annotation in a file; None of what can't be said there."""
    if takes_volume(annotation):
        kinds = get_args(annotation)
        others = [_PLAIN[kind] for kind in kinds if kind in _PLAIN]
        named = Annotated[Any, BeforeValidator(_volume_or_regions)] if Roi in kinds else StrictStr
        return reduce(or_, others, named)
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return _one_of(inner)
    if origin is Literal:
        return annotation
    if _is_callable(annotation):
        return Annotated[Any, BeforeValidator(_function)]
    if annotation is Roi:
        return Annotated[Roi, BeforeValidator(region)]
    if annotation in (Path, os.PathLike) or origin is os.PathLike:
        return StrictStr
    if origin is tuple:
        return _Tuple[tuple(_type_of(i) if i is not ... else i for i in inner)]
    if origin in (list, Sequence):
        return _List[_type_of(inner[0])]
    if origin in (dict, Mapping):
        return _Dict[str, _type_of(inner[1])]
    return _PLAIN.get(annotation)


def _one_of(kinds: Sequence[Any]) -> Any:
    if any(map(_is_callable, kinds)):
        of_files = any(get_origin(kind) is os.PathLike for kind in kinds)
        return Annotated[Any, BeforeValidator(_function if of_files else _word_or_function)]
    if Any in kinds:
        return Any
    found = [_sayable(kind) for kind in kinds if kind is not type(None)]
    found = [kind for kind in found if kind is not None]
    if type(None) in kinds and found:
        found.append(None)
    return reduce(or_, found) if found else None


def _is_callable(annotation: Any) -> bool:
    return annotation is Callable or get_origin(annotation) is Callable
