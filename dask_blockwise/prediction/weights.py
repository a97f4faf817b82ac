"""Names of weights: where in a checkpoint those of a network are, and what stands before them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Found", "matching"]


@dataclass(frozen=True)
class Found:
    """The weights of a network in a checkpoint."""

    # The keys that lead to them.
    nesting: tuple[str, ...]
    # What stands before their names.
    prefix: str
    values: Mapping[str, Any]

    def __str__(self) -> str:
        where = "".join(f"[{key!r}]" for key in self.nesting)
        return f"checkpoint{where}" + (
            f", of names that begin with {self.prefix!r}" * bool(self.prefix)
        )


def matching(checkpoint: Mapping[str, Any], names: Iterable[str]) -> list[Found]:
    """All places of a checkpoint with exactly the weights of a network.

    Parameters
    ----------
    checkpoint : mapping
    names : iterable of str
        Of the network's weights.

    Returns
    -------
    list of Found

    Examples
    --------
    >>> str(matching({"epoch": 3, "state_dict": {"module.a": 0, "module.b": 1}}, ["a", "b"])[0])
    "checkpoint['state_dict'], of names that begin with 'module.'"
    """
    wanted = set(names)
    found = [
        one for nesting, values in _mappings(checkpoint) for one in _of(nesting, values, wanted)
    ]
    plain = [one for one in found if not one.prefix and not one.nesting]
    return plain or found


def _mappings(
    values: Mapping[str, Any], nesting: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    yield nesting, values
    for key, inner in values.items():
        if isinstance(inner, Mapping) and len(nesting) < 3:
            yield from _mappings(inner, (*nesting, str(key)))


def _of(nesting: tuple[str, ...], values: Mapping[str, Any], wanted: set[str]) -> Iterator[Found]:
    names = [name for name in values if isinstance(name, str)]
    some = min(wanted, default="")
    prefixes = sorted({n.removesuffix(some) for n in names if some and n.endswith(some)})
    for prefix in prefixes:
        held = {n.removeprefix(prefix): values[n] for n in names if n.startswith(prefix)}
        if (not prefix or prefix.endswith(".")) and set(held) == wanted:
            yield Found(nesting, prefix, held)
