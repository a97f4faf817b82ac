"""Colours and properties of the labels of an image, where viewers look for them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..labels.shown_labels import Colors, colors_of, properties_of, with_both
from ..storage.arrays import StoredArray, open_array
from ..storage.groups import levels_at
from ..storage.label_lists import edit_image_label
from ..storage.location import check_may_be_written, location_of

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["image_label"]

_COLORS, _PROPERTIES = "colors", "properties"


def image_label(
    path: str | os.PathLike[str],
    *,
    colors: Colors | None = None,
    properties: DataFrame | Mapping[int, Mapping[str, Any]] | None = None,
) -> None:
    """Say in which colours viewers show labels, and what else is known of each.

    It is kept in the image's metadata, as OME-Zarr has it (``image-label``), all of which is read
    whenever the image is opened, and until the image is made anew, which gives labels other ids.

    Parameters
    ----------
    path : path or URL
        Of a label image of OME-Zarr, such as ``"image.zarr/labels/cells"``.
    colors : mapping, optional
        Of labels: ``"#rrggbb"``, ``"#rrggbbaa"``, or 3 or 4 numbers from 0 to 255; for None, of all
        other labels that have properties. None leaves those that are there, ``{}`` removes them.
    properties : DataFrame or mapping, optional
        A table with a row for each label, as ``volume.objects()`` makes it, or names and values for
        each. Values that are missing, or no finite numbers, are left out. None leaves those that
        are there, ``{}`` removes them.

    Raises
    ------
    FileNotFoundError
        If there is no array.
    io.UnsupportedOperation
        If it lies on a web server or in a zip archive.
    TypeError, ValueError
        If there is no OME-Zarr image, its values are no labels, or can't be what is given; or a
        colour or property isn't understood.

    References
    ----------
    https://ngff.openmicroscopy.org/0.5/#labels-md

    Examples
    --------
    >>> import numpy as np
    >>> from dask_blockwise import Volume, image_label, open_volume
    >>> labels = Volume.from_array(np.eye(4, dtype="u4"), voxel_size=(8, 8), unit="nm")
    >>> _ = labels.to_zarr("image.zarr/labels/cells", progress=False)
    >>> table = open_volume("image.zarr/labels/cells").objects(progress=False)
    >>> image_label("image.zarr/labels/cells", colors={1: "#ff8000"}, properties=table)
    """
    array = open_array(path)
    location = location_of(path)
    check_may_be_written(location)
    if array.zarr_format is None or not levels_at(location):
        raise ValueError(
            f"{path} is no image of OME-Zarr, of which alone labels can be told: give the group "
            "that holds its levels, as to_zarr makes it."
        )
    shown, others = (None, None) if colors is None else colors_of(colors)
    told = None if properties is None else properties_of(properties)
    for entries in shown, told:
        _check_labels(array, [entry["label-value"] for entry in entries or ()])

    def change(found: dict[str, Any]) -> dict[str, Any]:
        seen = found.get(_COLORS) if shown is None else shown
        known = found.get(_PROPERTIES) if told is None else told
        both = dict(zip((_COLORS, _PROPERTIES), with_both(seen or [], known or [], others)))
        kept = {key: value for key, value in found.items() if key not in both}
        return kept | {name: entries for name, entries in both.items() if entries}

    edit_image_label(location, array.zarr_format, change)


def _check_labels(array: StoredArray, labels: list[int]) -> None:
    """Refuse labels that an array can't have."""
    if array.dtype.kind not in "bui":
        raise ValueError(f"{array.path} is {array.dtype}, and labels are whole numbers.")
    least, most = (0, 1) if array.dtype.kind == "b" else _ends(array.dtype)
    if beyond := [label for label in labels if not least <= label <= most]:
        raise ValueError(
            f"{array.path} is {array.dtype}, which can't hold the label {beyond[0]}: give those "
            "that it has."
        )


def _ends(dtype: np.dtype[Any]) -> tuple[int, int]:
    return int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
