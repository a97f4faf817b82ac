"""Functions by the path from which they are imported: ``package.module:function``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import reduce
from importlib import import_module
from pathlib import Path
from typing import Any

__all__ = ["called", "function_named", "function_or_file", "name_of"]


def function_named(name: str) -> Callable[..., Any]:
    """The function of a name, from modules that are installed or lie in the present folder.

    Raises
    ------
    ValueError
        If it is no such name, there is none, or it can't be called.

    Examples
    --------
    >>> function_named("numpy:sqrt")(4.0).item()
    2.0
    >>> function_named("numpy:sqroot")
    Traceback (most recent call last):
    ValueError: numpy:sqroot can't be imported: module 'numpy' has no attribute 'sqroot'.
    """
    module, colon, path = name.partition(":")
    if not colon or not all(part.isidentifier() for part in (*module.split("."), *path.split("."))):
        raise ValueError(
            f"A function is given as package.module:function, such as numpy:sqrt, got {name!r}."
        )
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        found = reduce(getattr, path.split("."), import_module(module))
    except (ImportError, AttributeError) as error:
        plain = f"{module.removesuffix('.py')}:{path}"
        mend = "" if plain == name else f" Its module has no .py in it, such as {plain}."
        raise ValueError(f"{name} can't be imported: {error}.{mend}") from None
    if not callable(found):
        raise ValueError(f"{name} is no function, but {type(found).__name__}.")
    return found


def function_or_file(given: str) -> Callable[..., Any] | str:
    """The function of a name; the path of a file as it is, to be read where it is used.

    Raises
    ------
    ValueError
        If it is neither.

    Examples
    --------
    >>> function_or_file("numpy:sqrt")(4.0).item(), function_or_file("cells.py")
    (2.0, 'cells.py')
    >>> function_or_file("numpy.sqrt")
    Traceback (most recent call last):
    ValueError: A function is given as package.module:function, such as numpy:sqrt, or as the path
    of a Python file that has it, got 'numpy.sqrt'. Did you mean numpy:sqrt?
    """
    if Path(given).exists() or given.endswith(".py"):
        return given
    if ":" in given:
        return function_named(given)
    module, _, name = given.rpartition(".")
    meant = f" Did you mean {module}:{name}?" if module and "/" not in given else ""
    raise ValueError(
        "A function is given as package.module:function, such as numpy:sqrt, or as the path of a "
        f"Python file that has it, got {given!r}.{meant}"
    )


def name_of(function: Any) -> str | None:
    """The name from which a function is imported; None where it has none.

    Examples
    --------
    >>> import math
    >>> name_of(math.sqrt), name_of(lambda array: array)
    ('math:sqrt', None)
    """
    module, path = getattr(function, "__module__", None), getattr(function, "__qualname__", None)
    if not module or not path or module == "__main__" or "<" in path:
        return None
    name = f"{module}:{path}"
    try:
        return name if function_named(name) is function else None
    except ValueError:
        return None


def called(function: Any) -> str:
    """What people call a function, the same in every process: of an object the name of its class.

    Examples
    --------
    >>> from functools import partial
    >>> called(partial(round, ndigits=1)), called(lambda array: array), called(object())
    ('round', '<lambda>', 'object')
    """
    plain = getattr(function, "func", function)
    name = getattr(plain, "__name__", None) or getattr(plain, "name", None)
    return name if isinstance(name, str) else type(plain).__name__
