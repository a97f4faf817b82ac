"""Which stored arrays a volume reads where: recipes alone don't tell equal ones apart."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..recipes import Recipe, digest_of, recipe_of
from .kinds import Stored
from .source import Voxels

__all__ = ["places_of", "token_of", "wiring_of"]


def token_of(volume: Voxels) -> str:
    """A hash of all that the values depend on, but for the content of what is stored."""
    return digest_of(recipe_of({"volume": volume, "wiring": wiring_of(volume)}))


def wiring_of(volume: Voxels) -> str:
    """A hash of which of several inputs is read where, whatever they hold and wherever they lie.

    Of two arrays of one shape, f(a, b, a) is another one than f(a, b, b). Empty where there is one
    at most.
    """
    wiring = _Wiring()
    found = wiring.visit(volume)
    return found if len(wiring.numbers) > 1 else ""


def places_of(volume: Voxels) -> tuple[str, ...]:
    """Where the arrays lie that it is computed from, in the order in which they are met."""
    wiring = _Wiring()
    wiring.visit(volume)
    return tuple(wiring.numbers)


@dataclass
class _Wiring:
    """Arrays by where they lie, and volumes by which of them they read."""

    numbers: dict[str, int] = field(default_factory=dict)
    seen: dict[int, str] = field(default_factory=dict)

    def visit(self, volume: Voxels) -> str:
        if id(volume) not in self.seen:
            self.seen[id(volume)] = digest_of(self._of(volume))
        return self.seen[id(volume)]

    def _of(self, volume: Voxels) -> list[Recipe]:
        source = volume.source
        if isinstance(source, Stored):
            return [self._number(source.stored.location)]
        arrays: list[Recipe] = [self._number(array.location) for array in source.arrays]
        return arrays + [self.visit(inner) for inner in (*source.inputs, *source.also_reads)]

    def _number(self, location: str) -> int:
        return self.numbers.setdefault(location, len(self.numbers))
