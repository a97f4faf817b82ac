"""Digests: of content, and of recipes by those of their parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np
import xxhash

__all__ = ["UNORDERED", "Recipe", "content_digest", "digest_of", "merkle"]

Recipe: TypeAlias = "bool | int | float | str | list[Recipe] | dict[str, Recipe] | None"

_SLAB = 1 << 24
# Kinds whose items have no order.
UNORDERED = ("set", "frozenset", "dict", "circle")


def content_digest(content: Any) -> str:
    """What bytes or an array hold, by XXH3 of 128 bits.

    Parameters
    ----------
    content : bytes-like or ndarray
        An array's values count in C order, however they lie in memory. Shape and dtype do not
        count, nor does what lies between the fields of a structured dtype.

    Returns
    -------
    str
        32 hex digits.

    Raises
    ------
    TypeError
        If the array holds objects: `digest_of(recipe_of(array))` takes these too.

    Examples
    --------
    >>> from dask_blockwise.recipes import content_digest
    >>> content_digest(b"")
    '99aa06d3014798d86001c324468d497f'
    >>> import numpy as np
    >>> a = np.arange(6, dtype=np.uint8).reshape(2, 3)
    >>> content_digest(a.T) == content_digest(bytes([0, 3, 1, 4, 2, 5]))
    True
    """
    digest = xxhash.xxh3_128()
    if isinstance(content, np.ndarray):
        if content.dtype.hasobject:
            raise TypeError(f"An array of {content.dtype} holds objects, which have no bytes.")
        for plain in _plain_parts(np.asarray(content)):
            for slab in _slabs(plain):
                digest.update(slab)
    else:
        digest.update(memoryview(content).tobytes() if _strided(content) else content)
    return str(digest.hexdigest())


def _strided(content: Any) -> bool:
    return isinstance(content, memoryview) and not content.c_contiguous


def _plain_parts(array: Any) -> Iterator[Any]:
    """The array, or the arrays of its fields."""
    if array.dtype.names is None:
        yield array
    else:
        for name in array.dtype.names:
            yield from _plain_parts(array[name])


def _slabs(array: Any) -> Iterator[Any]:
    """Bytes of the array in C order, without a copy of all of it."""
    if array.size == 0:
        return
    if array.flags.c_contiguous or array.nbytes <= _SLAB:
        yield np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    else:
        for part in array:
            yield from _slabs(part)


def digest_of(recipe: Recipe) -> str:
    """What decides whether two recipes are the same.

    Parameters
    ----------
    recipe : Recipe
        From `recipe_of`, also where it has been through JSON since.

    Returns
    -------
    str
        32 hex digits. Keys that begin with "~" are for people, and do not count.

    Examples
    --------
    >>> from dask_blockwise.recipes import digest_of, recipe_of
    >>> digest_of(recipe_of({"sigma": 1, "mode": "wrap"}))
    'd7148be5f97f024b5b34c72b3fcd298b'
    """
    return merkle(recipe, lambda leaf: b"").hex()


def merkle(tree: Any, leaf: Callable[[Any], bytes], notes: dict[int, bytes] | None = None) -> bytes:
    """A tree's digest from those of its parts; `leaf` gives those of what is foreign to JSON.

    `notes` takes the digest of every list and dict within, by identity.
    """
    if isinstance(tree, dict):
        digest = _of_dict(tree, leaf, notes)
    elif isinstance(tree, list):
        digest = _hashed(b"l", *(merkle(item, leaf, notes) for item in tree))
    else:
        return _of_scalar(tree) if tree is None or type(tree) in _TAGS else leaf(tree)
    if notes is not None:
        notes[id(tree)] = digest
    return digest


def _of_dict(
    tree: dict[str, Any], leaf: Callable[[Any], bytes], notes: dict[int, bytes] | None
) -> bytes:
    if "again" in tree:
        return bytes.fromhex(tree["again"])
    parts = []
    for key in sorted(tree):
        if key.startswith("~"):
            continue
        parts.append(_of_scalar(key))
        value = tree[key]
        if key == "items" and tree.get("@") in UNORDERED:
            items = [merkle(item, leaf, notes) for item in value]
            parts.append(_hashed(b"u", *sorted(items)))
        else:
            parts.append(merkle(value, leaf, notes))
    return _hashed(b"d", *parts)


_TAGS = {bool: "b", int: "i", float: "f", str: "s"}


def _of_scalar(value: Any) -> bytes:
    if value is None:
        return _hashed(b"n")
    text = value if isinstance(value, str) else repr(value)
    return _hashed((_TAGS[type(value)] + text).encode("utf-8", "surrogatepass"))


def _hashed(*parts: bytes) -> bytes:
    return bytes(xxhash.xxh3_128_digest(b"".join(parts)))
