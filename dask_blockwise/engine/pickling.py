"""Functions as bytes, on their way to the workers."""

from __future__ import annotations

import io
from collections import ChainMap
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any, ClassVar

import cloudpickle

from .involved import Involved

__all__ = ["pickled"]


def pickled(thing: object, involved: Involved | None = None) -> bytes:
    """Something with functions of a script or notebook, for ``pickle.loads`` in a worker.

    Parameters
    ----------
    thing
        Functions that workers cannot import travel as code, with the names of their files: so
        tracebacks say where a block failed, and show the line where the worker sees the file.
    involved
        Takes note of what travels by name.

    Raises
    ------
    Exception
        Of many kinds, if it refers to what cannot be pickled.

    Examples
    --------
    >>> import pickle
    >>> double = lambda number: 2 * number
    >>> sent = pickle.loads(pickled(double))
    >>> sent(4), sent.__code__.co_filename == double.__code__.co_filename
    (8, True)
    """
    file = io.BytesIO()
    _Pickler(file, Involved() if involved is None else involved).dump(thing)
    return file.getvalue()


def _reduce(code: CodeType) -> tuple[Callable[..., CodeType], tuple[Any, ...]]:
    make, arguments = cloudpickle.Pickler.dispatch_table[CodeType](code)
    return _make_code, (code.co_filename, make, arguments)


def _make_code(file: str, make: Callable[..., CodeType], arguments: tuple[Any, ...]) -> CodeType:
    return make(*arguments).replace(co_filename=file)


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    # cloudpickle from 3.1.3 on says "<dynamic-code>" instead of the file's name.
    dispatch_table: ClassVar = ChainMap({CodeType: _reduce}, cloudpickle.Pickler.dispatch_table)

    def __init__(self, file: io.BytesIO, involved: Involved) -> None:
        super().__init__(file)
        self._involved = involved

    def reducer_override(self, thing: Any) -> Any:
        reduced = super().reducer_override(thing)
        is_named = isinstance(thing, FunctionType | type)
        self._involved.note(thing, by_name=is_named and reduced is NotImplemented)
        return reduced
