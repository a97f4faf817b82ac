"""HDF5: datasets of files, by the path of the file and that within it."""

from __future__ import annotations

import errno
import json
import re
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from os.path import realpath
from typing import Any

import numpy as np

from ...geometry.axes import known_axes
from ...geometry.meant import measured
from ..checked import listing, mapping
from ..documents import store_error
from ..location import folders_above
from .bdv_xml import view_attributes
from .n5 import n5_attributes
from .n5_dialects import level_attributes
from .registry import register
from .single_file import FileArray, is_file, library, named_axes, order_of

__all__ = ["Hdf5"]

_SUFFIXES = (".h5", ".hdf5", ".hdf")
_KEPT = ("resolution", "voxel_size", "offset", "units", "unit", "axis_names")
_CACHE_BYTES = 64 << 20
# Of a time point and a setup of BigDataViewer's.
_LEVEL = re.compile(r"t\d{5}/(s\d\d+)/(\d+)/cells")


@dataclass(frozen=True)
class Hdf5:
    """Datasets of HDF5 files, as plant-seg, ilastik and CREMI write them."""

    name = "hdf5"
    title = "HDF5"
    noticed_by = ("*.h5", "*.hdf5", "*.hdf")

    def find(self, location: str) -> Mapping[str, Any] | None:
        """Attributes of a dataset, turned to C order."""
        file, name = _split(location)
        if not name:
            return None
        with _opened(file) as opened:
            if not _is_array(opened, name):
                return None
            return _attributes(opened[name]) or _of_view(opened, name, location)

    def open(self, location: str, rechecks: bool) -> FileArray:
        """Open a dataset for reading, together with others who read."""
        file, name = _split(location)
        dataset = _opened(file)[name]
        _check_in(dataset, file)
        _check_filters(dataset, file)
        return FileArray.of(dataset, _axes(dataset), dataset.chunks)

    def arrays_within(self, location: str) -> list[str] | None:
        """Paths of all datasets of the file at, or above, a location."""
        file, _ = _split(location)
        if not file:
            return None
        with _opened(file) as opened:
            names: list[str] = []
            opened.visit(lambda name: names.append(name) if _is_array(opened, name) else None)
        return [f"{file}/{name}" for name in sorted(names)]


def _split(location: str) -> tuple[str, str]:
    """The file, and the path within it; nothing where there is no such file."""
    for file, name in ((location, ""), *folders_above(location)):
        if is_file(file, _SUFFIXES):
            return file, name
    return "", ""


def _opened(file: str) -> Any:
    h5py = library("h5py", file)
    try:
        return h5py.File(file, "r", locking="best-effort", rdcc_nbytes=_CACHE_BYTES)
    except BlockingIOError as error:
        raise BlockingIOError(
            errno.EAGAIN,
            f"{file} can't be read: another process has it open for writing. Wait until it is "
            "closed, or copy it",
        ) from error
    except OSError as error:
        if "signature not found" in str(error) or "truncated file" in str(error):
            raise ValueError(
                f"{file} is no HDF5, or only a part of one ({error}). Copy or write it anew"
            ) from error
        raise store_error(file, "read", error) from error


def _is_array(opened: Any, name: str) -> bool:
    try:
        return opened.get(name, getclass=True) is library("h5py", opened.filename).Dataset
    except RuntimeError as error:  # so h5py says it of links
        raise ValueError(
            f"it is a link that leads to nothing ({error}): bring what it names there, or open that"
        ) from error


def _check_in(dataset: Any, file: str) -> None:
    """Refuse voxels that lie in another file, wherever that is."""
    sources = dataset.virtual_sources() if dataset.is_virtual else ()
    virtual = [source.file_name for source in sources if source.file_name != "."]
    others = [*virtual, *(name for name, *_ in dataset.external or ())]
    if realpath(dataset.file.filename) != realpath(file):
        others.append(dataset.file.filename)
    if others:
        raise ValueError(
            f"its voxels lie in another file, {others[0]}: open that, or read it with h5py and "
            "make a volume, Volume.from_array(array, voxel_size=...)"
        )
    if dataset.shape is None:
        raise ValueError("it has no voxels")


def _check_filters(dataset: Any, file: str) -> None:
    """Refuse chunks that nothing here decodes; hdf5plugin, where it is installed, may do so."""
    available = library("h5py", file).h5z.filter_avail
    created = dataset.id.get_create_plist()
    for code, _, _, name in map(created.get_filter, range(created.get_nfilters())):
        if not available(code):
            with suppress(ImportError):
                import_module("hdf5plugin")
        if not available(code):
            raise ValueError(
                f"its chunks are compressed by {name.decode() or 'a filter'} (HDF5's number "
                f"{code}), which isn't installed: python -m pip install hdf5plugin, where workers "
                "run, too"
            )


def _of_view(opened: Any, name: str, location: str) -> dict[str, Any]:
    """Where a level of BigDataViewer's lies, by its XML and factors; nothing where it is none."""
    level = _LEVEL.fullmatch(name)
    factors = f"{level[1]}/resolutions" if level else ""
    if level is None or not _is_array(opened, factors):
        return {}
    if opened[name].dtype == np.int16:
        warnings.warn(
            f"{location} has int16, in which BigDataViewer keeps values without a sign: those over "
            '32767 are negative here. volume.astype("uint16") has them as they are meant.',
            stacklevel=2,
        )
    scales = _plain(opened[factors][()])
    view = view_attributes(location) or {"resolution": scales[0]}
    return n5_attributes(level_attributes({}, [view | {"scales": scales}], level[2]))


def _attributes(dataset: Any) -> dict[str, Any]:
    found = {key: _plain(dataset.attrs[key]) for key in _KEPT if key in dataset.attrs}
    if "element_size_um" in dataset.attrs:
        if "resolution" in found or "voxel_size" in found:
            raise ValueError("it has both resolution and element_size_um: remove one of them")
        size = listing(_plain(dataset.attrs["element_size_um"]), "element_size_um")
        # It is computed, by its writers, from what a microscope's file says.
        sizes = [measured(n) if isinstance(n, float) else n for n in size]
        found |= {"resolution": sizes, "units": ["micrometer"] * len(sizes)}
    axes = _axes(dataset)
    if axes is None:
        return found
    return {key: _turned(value, axes) for key, value in found.items()} | named_axes(axes)


def _turned(value: Any, axes: Sequence[str]) -> Any:
    """What has one for each axis, or each but channels, in the order of the axes here."""
    measured = [axis for axis in axes if axis != "c"]
    if isinstance(value, list) and len(value) in (len(axes), len(measured)):
        return [value[i] for i in order_of(axes if len(value) == len(axes) else measured)]
    return value


def _axes(dataset: Any) -> tuple[str, ...] | None:
    """Names of the axes, as they are stored, by each of the ways in which they are written."""
    labels = [dim.label for dim in dataset.dims]
    names = labels if any(labels) else None
    if "axis_names" in dataset.attrs:
        names = _plain(dataset.attrs["axis_names"])
    if "axistags" in dataset.attrs:
        tags = mapping(json.loads(_plain(dataset.attrs["axistags"])), "axistags")
        names = [mapping(tag, "An axis").get("key") for tag in listing(tags.get("axes"), "axes")]
    if names is None:
        return None
    axes = known_axes(listing(names, "axis_names"))
    if len(axes) != len(dataset.shape):
        raise ValueError(f"its axes are {axes}, but its shape is {dataset.shape}")
    return axes


def _plain(value: Any) -> Any:
    """What JSON has for it."""
    value = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value.decode(errors="replace") if isinstance(value, bytes) else value


register(Hdf5())
