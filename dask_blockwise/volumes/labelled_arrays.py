"""Volumes from xarray's arrays of labelled dimensions, and as such."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..geometry.axes import AXES, known_axes
from ..geometry.meant import meant
from .coordinates import Spacing, coordinates_along, spacing_of
from .source import Voxels

if TYPE_CHECKING:
    from xarray import DataArray

__all__ = ["of_labelled", "to_xarray"]

# What a coordinate says beside its numbers.
_STEP, _COUNT, _UNITS = "voxel_size", "voxels", ("units", "unit")
_FIRST_AXES = ("t", "c")


def to_xarray(
    volume: Voxels, /, name: str | None = None, channels: Sequence[Any] | None = None
) -> DataArray:
    """The volume as an array of xarray, lazily, with a coordinate for each voxel along each axis.

    A coordinate is the position that OME-Zarr gives to a voxel, which takes it for the voxel's
    centre, in the unit and numbers in which the volume's metadata is written: the first one is the
    volume's offset, and there is a voxel size from each to the next.

    Parameters
    ----------
    name : str, optional
        Of the array.
    channels : sequence, optional
        What channels are called.

    Returns
    -------
    xarray.DataArray
        Its values are ``volume.data``, its dimensions the volume's axes; ``attrs["units"]`` of a
        coordinate names its unit, ``attrs["voxel_size"]`` the step, and ``attrs["voxels"]`` how
        many there are.

    Raises
    ------
    ImportError
        If xarray isn't installed.
    ValueError
        If there are more or fewer names than channels.

    Examples
    --------
    >>> import numpy as np
    >>> from dask_blockwise import Volume
    >>> volume = Volume.from_array(np.eye(3), voxel_size=(0.5, 4), offset=(1, 0), unit="um")
    >>> made = volume.to_xarray()
    >>> made.dims, made.y.values.tolist(), made.y.units
    (('y', 'x'), [1.0, 1.5, 2.0], 'micrometer')
    >>> Volume.from_xarray(made.sel(y=slice(1.2, None))).placement.written_offset
    (1.5, 0)
    """
    frame = volume.frame
    if channels is not None and len(channels) != (frame.channels or 0):
        raise ValueError(
            f"{len(channels)} names of channels were given, and the volume has "
            f"{frame.channels or 'no'} channels: give one for each."
        )
    place, sizes = frame.placement, dict(zip(frame.axes, frame.shape, strict=True))
    coordinates: dict[str, Any] = {} if channels is None else {"c": list(channels)}
    each = zip(place.block_axes, place.voxel_size, place.offset, place.as_written, strict=True)
    for axis, size, offset, way in each:
        said: dict[str, Any] = {"units": way.unit} if way.unit else {}
        values = coordinates_along(sizes[axis], size, offset, way)
        said |= {_STEP: float(way.size(size)), _COUNT: sizes[axis]}
        coordinates[axis] = (axis, values, said)
    made: DataArray = _xarray().DataArray(volume.data, coordinates, frame.axes, name)
    return made


def of_labelled(
    dataarray: DataArray, voxel_size: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What ``Volume.from_array`` needs, given as for ``Volume.from_xarray``.

    Raises
    ------
    ImportError
        If xarray isn't installed.
    TypeError
        If it is no array of xarray.
    ValueError
        If coordinates are uneven or descend, or dimensions aren't known axes.
    """
    if not isinstance(dataarray, _xarray().DataArray):
        raise TypeError(
            f"from_xarray needs a DataArray, got {type(dataarray).__name__}: of a Dataset choose "
            "one, dataset['name']."
        )
    axes = dict(zip(dataarray.dims, known_axes(list(dataarray.dims)), strict=True))
    strange = set(voxel_size or {}) - set(axes)
    if strange:
        raise ValueError(f"voxel_size names {sorted(map(str, strange))}, and has {list(axes)}.")
    order = sorted(axes, key=lambda name: (_place_of(axes[name]), list(axes).index(name)))
    turned = dataarray.transpose(*order)
    places = _places(turned, axes, dict(voxel_size or {}))
    return {
        "array": _values(turned),
        "voxel_size": [place.step for place in places],
        "offset": [place.begin for place in places],
        "axes": [axes[name] for name in order],
        "unit": [place.unit for place in places],
    }


def _place_of(axis: str) -> int:
    """Time and channels come first, space in the order that it has."""
    return AXES.index(axis) if axis in _FIRST_AXES else len(_FIRST_AXES)


def _places(dataarray: Any, axes: Mapping[Any, str], steps: Mapping[Any, Any]) -> list[Spacing]:
    named = [name for name in dataarray.dims if axes[name] != "c"]
    known = [name for name in named if name in dataarray.coords]
    places = []
    for name in named:
        if name in known:
            places.append(_spacing(name, dataarray.coords[name], steps.get(name)))
        elif name in steps or not known:
            places.append(Spacing(Fraction(0), meant(steps.get(name, 1))))
        else:
            raise ValueError(
                f"There are coordinates along {known}, and none along {name!r}: give the size of a "
                f"voxel, voxel_size={{{name!r}: ...}}, or drop all coordinates."
            )
    return places


def _spacing(name: Any, coordinate: Any, step: Any) -> Spacing:
    said = coordinate.attrs
    unit = next((said[key] for key in _UNITS if said.get(key)), "")
    told = said.get(_STEP)
    # One that is left of several may have been chosen, or be every other one, or their mean.
    if step is None and coordinate.size == 1 and said.get(_COUNT, 1) == 1:
        step = told
    return spacing_of(str(name), coordinate.values, unit, step, told)


def _values(dataarray: Any) -> Any:
    """The values; what may be still in a file is not loaded."""
    if dataarray.chunks is None and dataarray.encoding:
        dataarray = dataarray.chunk(dataarray.encoding.get("preferred_chunks", "auto"))
    return dataarray.data


def _xarray() -> Any:
    try:
        return import_module("xarray")
    except ImportError as error:
        raise ImportError(
            "xarray isn't installed: python -m pip install 'dask_blockwise[xarray]'."
        ) from error
