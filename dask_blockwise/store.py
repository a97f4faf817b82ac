"""Arrays on disk or in the cloud: the one door to zarr and TensorStore.

TensorStore reads and writes, with one cache of decoded chunks in each process, so that neighbouring
blocks that share a halo decode a chunk once. zarr-python holds groups and attributes, creates
arrays, and reads what TensorStore can't decode.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import tensorstore as ts
import zarr
from numpy.typing import NDArray

from .ome import Placement, ome_attributes, placement_from

__all__ = [
    "StoredArray",
    "create_array",
    "create_image",
    "exists",
    "open_array",
    "read_placement",
    "remove",
]

Region = tuple[slice, ...]

_CACHE_BYTES = 256 << 20
_LEVEL = "s0"
_lock = threading.Lock()
_opened: dict[tuple[str, str, bool], Any] = {}
_contexts: dict[int, Any] = {}


@dataclass(frozen=True)
class StoredArray:
    """An array in a store: small to send, opened once in each process.

    Axes are in C order: those of N5 and neuroglancer precomputed, which store x first, are turned.
    """

    # Of the array itself, local or a URL.
    path: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    chunks: tuple[int, ...]
    shards: tuple[int, ...] | None
    # "zarr", "zarr3", "n5", "neuroglancer_precomputed", or "zarr-python".
    driver: str
    attributes: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    # Whether every read asks the store anew.
    rechecks: bool = False

    @property
    def write_unit(self) -> tuple[int, ...]:
        """What must be written whole: a shard, or else a chunk."""
        return self.shards or self.chunks

    def uncached(self) -> StoredArray:
        """The same array, for reading while others write to it."""
        return replace(self, rechecks=True)

    def read(self, region: Region) -> NDArray[Any]:
        """Read a region, given by slices with a start and a stop."""
        if self.driver == "zarr-python":
            return np.asarray(self._array()[region])
        values: NDArray[Any] = self._array()[region].read().result()
        return np.ascontiguousarray(values)

    def write(self, region: Region, values: NDArray[Any]) -> None:
        """Write a region of whole shards, or chunks where there are none.

        Raises
        ------
        ValueError
            If the region begins or ends within one.
        OSError
            If the store is full or can't be written.
        """
        self._check_whole(region)
        try:
            if self.driver == "zarr-python":
                self._array()[region] = values
            else:
                self._array()[region].write(values.astype(self.dtype, copy=False)).result()
        except (ValueError, OSError) as error:
            raise _write_error(self.path, error) from error

    def _check_whole(self, region: Region) -> None:
        axes = zip(region, self.write_unit, self.shape, strict=True)
        if any(s.start % unit or (s.stop % unit and s.stop != n) for s, unit, n in axes):
            kind = "shards" if self.shards else "chunks"
            asked = tuple((s.start, s.stop) for s in region)
            raise ValueError(
                f"A write to {self.path} must cover whole {kind} of {self.write_unit} voxels, got "
                f"{asked} of shape {self.shape}: two writers of one of them would lose voxels. "
                f"Make blocks a multiple of the {kind}, or create the array with {kind} that "
                "divide the blocks."
            )

    def _array(self) -> Any:
        key = (self.path, self.driver, self.rechecks)
        with _lock:
            if key not in _opened:
                _opened[key] = _open(*key)
            return _opened[key]


def open_array(path: str | os.PathLike[str], writable: bool = False) -> StoredArray:
    """Open an array: zarr 2 and 3, the first level of an OME-Zarr image, N5, or precomputed.

    Parameters
    ----------
    path : path or URL
    writable : bool
        Whether it will be written to; refused for arrays that only zarr-python can decode.

    Returns
    -------
    StoredArray

    Raises
    ------
    FileNotFoundError
        If there is no array, with those that lie below the path.
    """
    where = _normal(path)
    group = _group_attributes(where)
    for image in group.get("ome", group).get("multiscales", ()):
        where = f"{where}/{image['datasets'][0]['path']}"
        break
    driver = _driver(where)
    if driver is None:
        raise FileNotFoundError(_nothing(where))
    with _lock:
        for key in [key for key in _opened if key[0] == where]:
            del _opened[key]
    return _describe(where, driver)


def create_array(
    path: str | os.PathLike[str],
    shape: Sequence[int],
    dtype: Any,
    *,
    chunks: Sequence[int],
    shards: Sequence[int] | None = None,
    zarr_format: int = 3,
    axes: Sequence[str] | None = None,
    attributes: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    fill_value: Any = 0,
) -> StoredArray:
    """Create an array of zeros, compressed by zstd, and the groups above it.

    Parameters
    ----------
    path : path or URL
    shape, chunks, shards : sequence of int
    dtype : dtype
    zarr_format : int
        3, or 2 for older readers; 2 has no shards.
    axes : sequence of str, optional
        Names of the dimensions.
    attributes : mapping, optional
    overwrite : bool
    fill_value : number

    Returns
    -------
    StoredArray

    Raises
    ------
    FileExistsError
        If something is there, unless it may be overwritten.
    ValueError
        If chunks don't divide shards, or zarr 2 is asked for shards.
    """
    where = _normal(path)
    _check_layout(tuple(chunks), tuple(shards) if shards else None, zarr_format)
    if not overwrite and exists(where):
        raise FileExistsError(_there(where))
    with _lock:
        for key in [key for key in _opened if key[0] == where]:
            del _opened[key]
    try:
        zarr.create_array(
            where,
            shape=tuple(shape),
            dtype=dtype,
            chunks=tuple(chunks),
            shards=tuple(shards) if shards else None,
            compressors=_compressor(zarr_format),
            zarr_format=zarr_format,
            dimension_names=axes if zarr_format == 3 else None,
            attributes=dict(attributes or {}),
            fill_value=fill_value,
            overwrite=overwrite,
            storage_options=_storage_options(where),
        )
    except OSError as error:
        raise _write_error(where, error) from error
    return _describe(where, "zarr3" if zarr_format == 3 else "zarr")


def create_image(
    path: str | os.PathLike[str],
    placement: Placement,
    shape: Sequence[int],
    dtype: Any,
    *,
    chunks: Sequence[int],
    shards: Sequence[int] | None = None,
    zarr_format: int = 3,
    overwrite: bool = False,
) -> StoredArray:
    """Create an OME-Zarr image of one level: version 0.5 in zarr 3, 0.4 in zarr 2.

    Raises
    ------
    FileExistsError
        If something is there, unless it may be overwritten.
    """
    where = _normal(path)
    if not overwrite and exists(where):
        raise FileExistsError(_there(where))
    name = where.rsplit("/", 1)[-1]
    _check_layout(tuple(chunks), tuple(shards) if shards else None, zarr_format)
    try:
        _make_parents(where, zarr_format)
        zarr.create_group(
            where,
            zarr_format=zarr_format,  # type: ignore[arg-type]
            overwrite=overwrite,
            attributes=ome_attributes(placement, _LEVEL, name, zarr_format),
            storage_options=_storage_options(where),
        )
    except OSError as error:
        raise _write_error(where, error) from error
    return create_array(
        f"{where}/{_LEVEL}",
        shape,
        dtype,
        chunks=chunks,
        shards=shards,
        zarr_format=zarr_format,
        axes=placement.axes,
        overwrite=overwrite,
    )


def remove(path: str | os.PathLike[str]) -> None:
    """Remove an array and all below it; nothing happens where there is none."""
    where = _normal(path)
    if _driver(where) is None:
        return
    if _remote(where):
        ts.KvStore.open(_kvstore(where)).result().delete_range(ts.KvStore.KeyRange()).result()
    else:
        shutil.rmtree(where)


def exists(path: str | os.PathLike[str]) -> bool:
    """Whether an array or a group lies at a path."""
    where = _normal(path)
    return _driver(where) is not None or bool(_node(where))


def read_placement(array: StoredArray) -> Placement:
    """Axes, voxel size, offset and unit of an array, from its own and its group's attributes."""
    attributes = dict(array.attributes)
    if array.driver == "neuroglancer_precomputed":
        return _precomputed_placement(array)
    if array.driver == "n5":
        turned = {k: attributes[k][::-1] for k in ("resolution", "offset") if k in attributes}
        attributes = attributes | turned
    parts = array.path.split("/")
    for up in (1, 2):
        group, dataset = "/".join(parts[:-up]), "/".join(parts[-up:])
        found = _group_attributes(group) if group else {}
        if found:
            return placement_from(found, dataset, attributes, len(array.shape))
    return placement_from({}, "", attributes, len(array.shape))


def _normal(path: str | os.PathLike[str]) -> str:
    text = os.fspath(path).rstrip("/")
    return text.removeprefix("file://") if "://" not in text or text.startswith("file://") else text


def _remote(path: str) -> bool:
    return "://" in path


def _kvstore(path: str) -> dict[str, Any]:
    if not _remote(path):
        return {"driver": "file", "path": os.path.abspath(path) + "/"}
    scheme, _, rest = path.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme not in ("s3", "gs"):
        raise ValueError(f"{path}: only local paths, s3:// and gs:// can be opened.")
    store = {"driver": "s3" if scheme == "s3" else "gcs", "bucket": bucket, "path": key + "/"}
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    if scheme == "s3" and endpoint:
        store |= {"endpoint": endpoint, "aws_region": os.environ.get("AWS_REGION", "us-east-1")}
    return store


def _storage_options(path: str) -> dict[str, Any] | None:
    return {} if _remote(path) else None


def _read_json(path: str, name: str) -> dict[str, Any]:
    """A JSON document of a store; empty where there is none."""
    if not _remote(path):
        try:
            with open(os.path.join(path, name)) as file:
                return dict(json.load(file))
        except (FileNotFoundError, NotADirectoryError):
            return {}
    value = ts.KvStore.open(_kvstore(path)).result().read(name).result().value
    return dict(json.loads(value)) if value else {}


def _node(path: str) -> dict[str, Any]:
    for name in ("zarr.json", ".zgroup", "attributes.json"):
        if document := _read_json(path, name):
            return document
    return {}


def _group_attributes(path: str) -> dict[str, Any]:
    document = _read_json(path, "zarr.json")
    if document.get("node_type") == "group":
        return dict(document.get("attributes", {}))
    return {} if document else _read_json(path, ".zattrs")


def _driver(path: str) -> str | None:
    if _read_json(path, "zarr.json").get("node_type") == "array":
        return "zarr3"
    if _read_json(path, ".zarray"):
        return "zarr"
    if "dimensions" in _read_json(path, "attributes.json"):
        return "n5"
    return "neuroglancer_precomputed" if "scales" in _read_json(path, "info") else None


def _attributes(path: str, driver: str) -> dict[str, Any]:
    if driver == "zarr3":
        return dict(_read_json(path, "zarr.json").get("attributes", {}))
    return _read_json(path, {"zarr": ".zattrs", "n5": "attributes.json"}.get(driver, "info"))


def _open(path: str, driver: str, rechecks: bool) -> Any:
    if driver == "zarr-python":
        return zarr.open_array(path, storage_options=_storage_options(path))
    spec = {
        "driver": driver,
        "kvstore": _kvstore(path),
        "recheck_cached_metadata": "open",
        "recheck_cached_data": True if rechecks else "open",
    }
    array = ts.open(spec, open=True, context=_context()).result()
    return _c_order(array, driver)


def _c_order(array: Any, driver: str) -> Any:
    """Turn x, y, z into z, y, x; precomputed's channel comes last and goes first."""
    if driver == "n5":
        return array.T
    if driver != "neuroglancer_precomputed":
        return array
    array = array.T[ts.d[:].translate_to[0]]
    return array[0] if array.shape[0] == 1 else array


def _context() -> Any:
    """The cache of this process."""
    pid = os.getpid()
    if pid not in _contexts:
        _contexts[pid] = ts.Context({"cache_pool": {"total_bytes_limit": _CACHE_BYTES}})
    return _contexts[pid]


def _describe(path: str, driver: str) -> StoredArray:
    try:
        array = _open(path, driver, False)
        dtype, layout = array.dtype.numpy_dtype, array.chunk_layout
        chunks, unit = layout.read_chunk.shape, layout.write_chunk.shape
    except (ValueError, NotImplementedError):
        # A codec, filter or data type that TensorStore doesn't have.
        driver = "zarr-python"
        array = _open(path, driver, False)
        dtype, chunks, unit = array.dtype, array.chunks, array.shards or array.chunks
    chunks, unit = (tuple(int(n) or 1 for n in sizes) for sizes in (chunks, unit))
    return StoredArray(
        path=path,
        shape=tuple(int(n) for n in array.shape),
        dtype=np.dtype(dtype),
        chunks=chunks,
        shards=unit if unit != chunks else None,
        driver=driver,
        attributes=_attributes(path, "zarr" if driver == "zarr-python" else driver),
    )


def _precomputed_placement(array: StoredArray) -> Placement:
    scale = array.attributes["scales"][0]
    voxel_size = scale["resolution"][::-1]
    begin = [v * o for v, o in zip(voxel_size, scale.get("voxel_offset", [0] * 3)[::-1])]
    group = {"resolution": voxel_size, "offset": begin, "unit": "nm"}
    return placement_from({}, "", group, len(array.shape))


def _make_parents(path: str, zarr_format: int) -> None:
    """Make the container a group, if the path lies in one that is none yet."""
    parent = path.rsplit("/", 1)[0] if "/" in path else ""
    if ".zarr" in parent and not _node(parent):
        zarr.open_group(
            parent,
            mode="a",
            zarr_format=zarr_format,  # type: ignore[arg-type]
            storage_options=_storage_options(parent),
        )


def _compressor(zarr_format: int) -> Any:
    if zarr_format == 3:
        return zarr.codecs.ZstdCodec(level=3)
    from numcodecs import Zstd

    return Zstd(level=3)


def _check_layout(
    chunks: tuple[int, ...], shards: tuple[int, ...] | None, zarr_format: int
) -> None:
    if zarr_format not in (2, 3):
        raise ValueError(f"zarr_format must be 2 or 3, got {zarr_format}.")
    if shards and zarr_format == 2:
        raise ValueError("zarr 2 has no shards: leave shards out, or use zarr_format=3.")
    if shards and any(s % c for s, c in zip(shards, chunks, strict=True)):
        raise ValueError(f"Chunks {chunks} must divide shards {shards} along every axis.")


def _there(path: str) -> str:
    return (
        f"{path} exists already, and was not written by this very computation. Choose another "
        "path, or pass overwrite=True to replace it."
    )


def _nothing(path: str) -> str:
    if _remote(path):
        return f"No array at {path}: check the path, and that its bucket may be read."
    if not os.path.exists(path):
        parent = os.path.dirname(os.path.abspath(path))
        while not os.path.isdir(parent):
            parent = os.path.dirname(parent)
        near = ", ".join(sorted(os.listdir(parent))[:8]) or "nothing"
        return f"No array at {path}: there is no such folder. {parent} has {near}."
    below = [
        os.path.relpath(folder, path)
        for folder, _, files in os.walk(path)
        if {".zarray", "zarr.json", "attributes.json"} & set(files) and _driver(folder)
    ]
    hint = f"Arrays below it: {', '.join(sorted(below)[:8])}." if below else "Nor is one below it."
    return f"No array at {path}. {hint} Open one of zarr, OME-Zarr, N5 or precomputed."


def _write_error(path: str, error: Exception) -> Exception:
    text = str(error)
    if "No space left" in text or "ENOSPC" in text:
        return OSError(
            errno.ENOSPC,
            f"The disk of {path} is full. Blocks that are written stay; free some space, and the "
            "same call goes on from there",
        )
    if "Permission denied" in text or "Read-only" in text:
        return PermissionError(errno.EACCES, f"{path} can't be written. Choose another path")
    return error
