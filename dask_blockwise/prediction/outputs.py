"""The one tensor of what a network returns, picked by an index or a key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["Key", "Keys", "UnfitOutputError", "keys_of", "paths_of", "picked", "told"]

Key = int | str
# From the outside in, of one output, or of each of several.
Keys = tuple[Key, ...] | tuple[tuple[Key, ...], ...]


class UnfitOutputError(TypeError):
    """A network that returns something other than one tensor with channels."""


def keys_of(output: Any) -> Keys:
    """What ``output=`` of predict gives: nothing, an index or a key, a tuple or a list of them.

    Raises
    ------
    ValueError
        If it is something else.

    Examples
    --------
    >>> keys_of(None), keys_of("out"), keys_of((0, "out")), keys_of(["out", (1, 0)])
    ((), ('out',), (0, 'out'), (('out',), (1, 0)))
    """
    if isinstance(output, list) and output and not any(isinstance(o, list) for o in output):
        return tuple(_path(one) for one in output)
    return _path(output)


def paths_of(keys: Keys) -> tuple[tuple[Key, ...], ...]:
    """The way to each output.

    Examples
    --------
    >>> paths_of((0, "out")), paths_of((("out",), (1,)))
    (((0, 'out'),), (('out',), (1,)))
    """
    several = tuple(path for path in keys if isinstance(path, tuple))
    return several or (tuple(key for key in keys if not isinstance(key, tuple)),)


def _path(output: Any) -> tuple[Key, ...]:
    keys = () if output is None else output if isinstance(output, tuple) else (output,)
    if any(isinstance(key, bool) or not isinstance(key, int | str) for key in keys):
        raise ValueError(
            "output must be an index, a key, or a tuple of them from the outside in, or a list of "
            f"these for several outputs, got {output!r}."
        )
    return keys


def picked(result: Any, keys: tuple[Key, ...]) -> Any:
    """What is in a nest of tuples, lists and mappings.

    Raises
    ------
    UnfitOutputError
        If it isn't there.

    Examples
    --------
    >>> picked({"logits": ["coarse", "fine"]}, ("logits", 1))
    'fine'
    """
    for key in keys:
        try:
            if hasattr(result, "shape"):
                # Its first axis is that of the batch.
                raise TypeError
            if isinstance(key, str) and not isinstance(result, Mapping):
                result = getattr(result, key)
            else:
                result = result[key]
        except (AttributeError, KeyError, IndexError, TypeError) as error:
            raise UnfitOutputError(
                f"output={keys if len(keys) > 1 else keys[0]!r} isn't in what the network returns: "
                f"{told(result)}."
            ) from error
    return result


def told(result: Any, depth: int = 3) -> str:
    """What a network returned, with shapes.

    Examples
    --------
    >>> import numpy as np
    >>> told({"logits": np.zeros((1, 2)), "others": [None]})
    "a dict {'logits': a ndarray (1, 2), 'others': a list [0: a NoneType]}"
    """
    kind = type(result).__name__
    name = f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
    if hasattr(result, "shape"):
        return f"{name} {tuple(result.shape)}"
    if depth and isinstance(result, Mapping):
        inner = ", ".join(f"{key!r}: {told(v, depth - 1)}" for key, v in result.items())
        return f"{name} {{{inner}}}"
    if depth and isinstance(result, list | tuple):
        inner = ", ".join(f"{n}: {told(v, depth - 1)}" for n, v in enumerate(result))
        return f"{name} [{inner}]"
    return name
