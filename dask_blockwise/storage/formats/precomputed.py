"""Neuroglancer's precomputed data: scales of one image, with axes x, y, z and channel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from ...geometry.meant import meant
from ...geometry.written import plain
from ..checked import MEND, listing, mapping, numbers, path_inside, placing_or_why_not
from ..documents import read_json
from ..location import folders_above
from .by_tensorstore import TensorStoreArray, open_tensorstore
from .found_names import likely_units, some_names
from .packed_chunks import PACKED, PackedChunks, packed_names
from .precomputed_names import check_chunk_names, chunk_name
from .precomputed_units import units_of
from .protocol import OpenArray
from .registry import register
from .scale_in_memory import turned_to_c
from .sharded_chunks import ShardedChunks
from .unit_names import UnitNaming

__all__ = ["OURS", "Precomputed", "precomputed_attributes", "scale_keys"]


_ENCODINGS = ("raw", "png", "jpeg", "compressed_segmentation")
# A key may have so many parts.
_FOLDERS_SEARCHED = 4
_DRIVER = "neuroglancer_precomputed"
# What a scale says of itself beside the format's own members, where it was written here.
OURS = "dask_blockwise"


@dataclass(frozen=True)
class Precomputed:
    """Scales of precomputed data: the first one's location is that of all."""

    name = _DRIVER
    title = "precomputed"
    noticed_by = ("info",)
    # Whether chunks that aren't there are read as zeros.
    fills: bool = True
    # Whether chunks are compressed once more as files, and are named so.
    packed: bool = False

    def find(self, location: str) -> Mapping[str, Any] | None:
        """Attributes of a scale, turned to C order."""
        root, key = _scale(location)
        if not (scale_keys(read_json(root, "info")) if key is None else key in _keys_at(root)):
            return None
        return placing_or_why_not(lambda: precomputed_attributes(read_json(root, "info"), key))

    def levels(self, location: str) -> list[str] | None:
        """Keys of all scales, where the location is that of all."""
        return scale_keys(read_json(location, "info")) or None

    def open(self, location: str, rechecks: bool) -> OpenArray:
        """Turn x, y, z into z, y, x; the channel comes last and goes first."""
        root, key = _scale(location)
        info, scale = _info_and_scale(root, key)
        _check_encoding(scale)
        folder, alone = f"{root}/{scale['key']}", {**info, "scales": [scale]}
        if self.packed:
            return PackedChunks(folder, alone, self.fills)
        if scale.get("sharding") and not self.fills:
            raise ValueError(
                f"{folder} has its chunks in shards, of which it isn't known whether one is "
                "missing: leave on_missing out."
            )
        options: dict[str, Any] = {"scale_metadata": {"key": key}} if key else {}
        opened = open_tensorstore(
            *(_DRIVER, root, rechecks),
            fills=self.fills,
            store_data_equal_to_fill_value=True,
            **options,
        )
        array = TensorStoreArray(turned_to_c(opened))
        return ShardedChunks(array, folder, alone) if scale.get("sharding") else array

    def matched(self, location: str) -> Precomputed:
        """For compressed files, where there are such; cloud-volume makes them on disks."""
        root, key = _scale(location)
        _, scale = _info_and_scale(root, key)
        folder = f"{root}/{scale['key']}"
        names = some_names(folder, _likely(scale))
        check_chunk_names(names, scale, folder)
        packed = not scale.get("sharding") and packed_names(names)
        return replace(self, packed=True) if packed else self

    def strict(self) -> Precomputed:
        """Raise of chunks that aren't there."""
        return replace(self, fills=False)

    def unit_names(self, location: str) -> UnitNaming | None:
        """By the voxels that chunks hold, or by the numbers of shards."""
        root, key = _scale(location)
        _, scale = _info_and_scale(root, key)
        return None if self.packed else units_of(scale, str(scale["key"]) if key is None else "")

    def document(self, location: str) -> Mapping[str, Any]:
        """What is said of the scale, and of all scales."""
        info, scale = _info_and_scale(*_scale(location))
        stored = {name: part for name, part in scale.items() if name != OURS}
        return {"scale": stored} | {name: info.get(name) for name in ("data_type", "num_channels")}


def precomputed_attributes(info: Mapping[str, Any], key: str | None = None) -> dict[str, Any]:
    """Resolution and offset, in z, y, x, of one scale of neuroglancer precomputed data.

    Examples
    --------
    >>> scale = {"key": "4_4_40", "resolution": [4, 4, 40], "voxel_offset": [10, 0, 0]}
    >>> precomputed_attributes({"scales": [scale]})
    {'resolution': [40, 4, 4], 'offset': [0, 0, 40], 'units': 'nm'}
    """
    scale = info["scales"][0 if key is None else scale_keys(info).index(key)]
    size = numbers(scale.get("resolution"), "resolution")[::-1]
    begin = numbers(scale.get("voxel_offset", [0, 0, 0]), "voxel_offset")[::-1]
    if len(size) != 3 or len(begin) != 3:
        raise ValueError(f"resolution and voxel_offset should be three numbers in {dict(scale)}")
    offset = [plain(meant(v) * meant(b)) for v, b in zip(size, begin, strict=True)]
    ours = {OURS: scale[OURS]} if isinstance(scale.get(OURS), Mapping) else {}
    return {"resolution": size, "offset": offset, "units": "nm", **ours}


def _info_and_scale(root: str, key: str | None) -> tuple[dict[str, Any], Mapping[str, Any]]:
    """What is said of all scales, and of the one with a key; of the first unless given."""
    info = read_json(root, "info")
    return info, info["scales"][0 if key is None else scale_keys(info).index(key)]


def scale_keys(info: Mapping[str, Any]) -> list[str]:
    """Where the scales lie, all of them below the root."""
    if "data_type" in info and "scales" not in info:
        raise ValueError(f"info has no 'scales'. {MEND}")
    scales = [mapping(scale, "A scale") for scale in listing(info.get("scales"), "scales")]
    return [path_inside(scale.get("key"), "The key of a scale") for scale in scales]


def _scale(location: str) -> tuple[str, str | None]:
    """The root of precomputed data, and the key of a scale if the path has one."""
    if read_json(location, "info"):
        return location, None
    for root, key in islice(folders_above(location), _FOLDERS_SEARCHED):
        if key in _keys_at(root):
            return root, key
    root, _, key = location.rpartition("/")
    return root, key


def _keys_at(root: str) -> list[str]:
    """Keys of scales; none where ``info`` is of something else."""
    try:
        return scale_keys(read_json(root, "info"))
    except ValueError:
        return []


def _likely(scale: Mapping[str, Any]) -> Iterator[str]:
    """Names of some chunks, compressed as files or not; none of shards."""
    if not scale.get("sharding"):
        for index in likely_units(scale["size"], scale["chunk_sizes"][0]).tolist():
            yield from (chunk_name(scale, index) + ending for ending in PACKED)


def _check_encoding(scale: Mapping[str, Any]) -> None:
    encoding = scale.get("encoding")
    if encoding not in _ENCODINGS:
        raise ValueError(
            f"its encoding is {encoding!r}, and {', '.join(_ENCODINGS)} are read. Read it with "
            "cloud-volume and make a volume, Volume.from_array(array, voxel_size=...), or copy it "
            "into one of these"
        )


register(Precomputed())
