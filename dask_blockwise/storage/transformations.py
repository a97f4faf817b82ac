"""Coordinate transformations of OME-Zarr, as far as they are scales and translations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from typing import Any

from ..geometry.meant import exact
from .checked import listing, mapping, numbers

__all__ = ["Placing", "placing_of"]

# Scale and translation along each axis.
Placing = tuple[list[Fraction], list[Fraction]]

_DEFAULTS = {"scale": 1, "translation": 0}


def placing_of(steps: Iterable[Any], n: int) -> Placing:
    """What transformations of so many axes come to, one after another.

    Raises
    ------
    ValueError
        If one is anything else than a scale and a translation, such as a rotation.

    Examples
    --------
    >>> scale, translation = {"type": "scale", "scale": [4]}, {"translation": [2]}
    >>> placing_of([translation, {"type": "sequence", "transformations": [scale]}], 1)
    ([Fraction(4, 1)], [Fraction(8, 1)])
    """
    scale, shift = [Fraction(1)] * n, [Fraction(0)] * n
    for step in steps:
        by, to = _placing(mapping(step, "A transformation"), n)
        scale = [s * b for s, b in zip(scale, by, strict=True)]
        shift = [s * b + t for s, b, t in zip(shift, by, to, strict=True)]
    return scale, shift


def _placing(step: Mapping[str, Any], n: int) -> Placing:
    kind = step.get("type")
    if kind in _COMPOSED:
        return _COMPOSED[kind](step, n)
    known = [name for name in _DEFAULTS if name in step and kind in (None, *_DEFAULTS)]
    if not known and kind != "identity":
        raise ValueError(_not_understood(step))
    by, to = (
        [exact(v) for v in numbers(step[name] if name in known else [default] * n, name)]
        for name, default in _DEFAULTS.items()
    )
    if len(by) != n or len(to) != n:
        raise ValueError(f"{' and '.join(known)} should have a number for each of {n} axes")
    return by, to


def _of_sequence(step: Mapping[str, Any], n: int) -> Placing:
    return placing_of(listing(step.get("transformations"), "transformations"), n)


def _of_affine(step: Mapping[str, Any], n: int) -> Placing:
    rows = [numbers(row, "affine") for row in listing(step.get("affine"), "affine")]
    # A last row of 0 and 1 may be left out.
    if len(rows) == n + 1 and rows[n] == [*[0] * n, 1]:
        rows = rows[:n]
    if len(rows) != n or any(len(row) != n + 1 for row in rows):
        raise ValueError(f"affine should have {n} rows of {n + 1} numbers, for as many axes")
    if any(row[j] for i, row in enumerate(rows) for j in range(n) if i != j):
        raise ValueError(_not_understood(step, ", but turns or shears"))
    return [exact(row[i]) for i, row in enumerate(rows)], [exact(row[n]) for row in rows]


def _of_axes_in_turn(step: Mapping[str, Any], n: int) -> Placing:
    """Of a map of axes, which must leave each where it is."""
    if list(listing(step.get("mapAxis"), "mapAxis")) != list(range(n)):
        raise ValueError(_not_understood(step, ", but exchanges axes"))
    return [Fraction(1)] * n, [Fraction(0)] * n


def _of_bijection(step: Mapping[str, Any], n: int) -> Placing:
    return _placing(mapping(step.get("forward"), "forward"), n)


def _by_dimension(step: Mapping[str, Any], n: int) -> Placing:
    """Of some axes each; those of which nothing is said stay, as long as some are told of."""
    scale, shift = [Fraction(1)] * n, [Fraction(0)] * n
    for part in listing(step.get("transformations"), "transformations"):
        mapped = mapping(part, "A transformation")
        begin, end = (_axes_of(mapped, side) for side in ("input", "output"))
        if (
            begin != end
            or len(set(begin)) < len(begin)
            or not {*map(str, begin)} <= {*map(str, range(n))}
        ):
            raise ValueError(_not_understood(step, ", but exchanges axes, or names them"))
        inner = mapping(mapped.get("transformation", mapped), "transformation")
        by, to = _placing(inner, len(begin))
        for i, axis in enumerate(begin):
            scale[axis], shift[axis] = by[i] * scale[axis], by[i] * shift[axis] + to[i]
    return scale, shift


def _axes_of(part: Mapping[str, Any], side: str) -> list[Any]:
    """Numbers of axes, by any of the names that drafts of 0.6 have for them."""
    listed = (part.get(key) for key in (f"{side}Axes", f"{side}_axes", side))
    return list(listing(next((axes for axes in listed if axes is not None), None), f"{side}Axes"))


def _not_understood(step: Mapping[str, Any], why: str = "") -> str:
    return (
        f"the transformation {dict(step)} is neither a scale nor a translation{why}. To open it as "
        "it is stored, say where it lies: axes=..., voxel_size=..., unit=..."
    )


_COMPOSED: dict[Any, Callable[[Mapping[str, Any], int], Placing]] = {
    "sequence": _of_sequence,
    "affine": _of_affine,
    "mapAxis": _of_axes_in_turn,
    "bijection": _of_bijection,
    "byDimension": _by_dimension,
}
