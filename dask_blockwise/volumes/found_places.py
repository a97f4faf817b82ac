"""Where outputs lie, by how they are to be stored, or by what lies there."""

from __future__ import annotations

import os

from ..storage.location import location_of
from ..storage.scale_output import ScaleOutput
from ..storage.scales import keys_of
from .places import ImageLevels, ImagePlace, LevelPlaces, Place
from .precomputed_as import PrecomputedAs
from .scale_places import ScaleLevels, ScalePlace
from .stored_as import HowStored

__all__ = ["levels_at", "levels_for", "place_at", "place_for"]


def place_for(path: str, stored_as: HowStored) -> Place:
    """The place of an output that is stored so."""
    if isinstance(stored_as, PrecomputedAs):
        return ScalePlace(path, stored_as.kind)
    return ImagePlace(path)


def levels_for(path: str, stored_as: HowStored, zarr_format: int = 3) -> LevelPlaces:
    """The places of its coarser levels."""
    if isinstance(stored_as, PrecomputedAs):
        return ScaleLevels(path.rpartition("/")[0], stored_as.kind)
    return ImageLevels(path, zarr_format=zarr_format)


def place_at(path: str | os.PathLike[str]) -> Place:
    """The place of an output that may lie at a path.

    That of precomputed data may be given by the path of all scales: the first one is meant.
    """
    location = location_of(path)
    if keys := keys_of(location):
        return ScalePlace(f"{location}/{keys[0]}", ScaleOutput())
    root, _, key = location.rpartition("/")
    return ScalePlace(location, ScaleOutput()) if key in keys_of(root) else ImagePlace(location)


def levels_at(path: str | os.PathLike[str]) -> LevelPlaces:
    """The places of the coarser levels of an output that lies at a path."""
    place = place_at(path)
    if isinstance(place, ScalePlace):
        return ScaleLevels(place.path.rpartition("/")[0], place.kind)
    return ImageLevels(place.path)
