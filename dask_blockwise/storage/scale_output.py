"""An output that lies in a store as a scale of Neuroglancer's precomputed data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from ..geometry.boxes import Index
from ..geometry.placement import Placement, written_as
from .arrays import open_array
from .documents import put, read_json
from .formats import OURS, precomputed_attributes
from .metadata import placement_from
from .nanometers import key_of, resolution_of, voxel_offset_of
from .precomputed_encodings import check_encoding
from .removal import MARKS, remove_in_order
from .scale_cuts import scale_cut
from .scales import put_scale
from .stored_array import StoredArray
from .worlds import with_world

__all__ = ["ScaleOutput"]

_RECORD = "record.json"
_SPACE = ("z", "y", "x")
_AXES = (_SPACE, ("c", *_SPACE))
_BLOCK_OF_SEGMENTATION = [8, 8, 8]
# What a scale says only where it is so.
_LEFT_OUT = ("sharding", "compressed_segmentation_block_size")


@dataclass(frozen=True)
class ScaleOutput:
    """A scale of precomputed data; its path is that of all scales and its key."""

    encoding: str = "raw"
    # Whether several chunks are one file.
    sharded: bool = True
    # Whether values are labels, and not those of an image.
    segmentation: bool = False

    def path_in(self, root: str, placement: Placement) -> str:
        """Where a scale lies, named after its resolution."""
        return f"{root}/{key_of(resolution_of(placement))}"

    def check(self, placement: Placement, shape: Index, dtype: np.dtype[Any]) -> None:
        """Refuse what precomputed data can't hold.

        Raises
        ------
        ValueError
        """
        if placement.axes not in _AXES:
            raise ValueError(
                f"Precomputed data have the axes z, y and x, and channels before them, and this "
                f"volume has {placement.axes}: choose a time point, volume.isel(t=0), turn it, "
                "volume.transpose('z', 'y', 'x'), or give a plane a third axis, "
                "Volume.from_array(volume.data[None], ...)."
            )
        resolution_of(placement)
        voxel_offset_of(placement)
        channels = shape[0] if "c" in placement.axes else 1
        check_encoding(self.encoding, dtype.name, channels, self.segmentation)

    def chunks(self, shape: Index, block: Index) -> Index:
        """Voxels of a chunk along all axes."""
        cut = scale_cut(shape[-3:], block[-3:], self.encoding, self.sharded)
        return (*shape[:-3], *cut.chunk)

    def is_made_so(self, array: StoredArray, block: Index) -> bool:
        """Whether an array that is there is cut and encoded as this makes one."""
        info, made = self._info_of(array.location), self._stored_so(array.shape, block)
        scale = info["scales"][0] if info else {}
        same = {name: scale.get(name) for name in (*made, *_LEFT_OUT)}
        return same == {**dict.fromkeys(_LEFT_OUT), **made} and info.get("type") == self._type

    def create(
        self,
        path: str,
        placement: Placement,
        shape: Index,
        dtype: np.dtype[Any],
        block: Index,
        *,
        attributes: Mapping[str, Any],
        record: Mapping[str, Any],
    ) -> StoredArray:
        """Make the array of an output, in place of one that is there.

        Parameters
        ----------
        path : str
        placement : Placement
        shape, block : tuple of int
            Voxels of all, and of what is written at once, along all axes.
        dtype : dtype
        attributes : mapping
            Of the array.
        record : mapping
            Of the output.
        """
        root, _, key = path.rpartition("/")
        remove_in_order(path, keep_claims=True)
        self.write_record(path, record)
        about = {
            "@type": "neuroglancer_multiscale_volume",
            "type": self._type,
            "data_type": dtype.name,
            "num_channels": prod(shape[:-3]),
        }
        scale = {
            "key": key,
            "resolution": resolution_of(placement),
            "voxel_offset": voxel_offset_of(placement),
            "size": list(shape[:-4:-1]),
            **self._stored_so(shape, block),
        }
        read = precomputed_attributes({"scales": [scale]})
        told = placement_from({}, "", read, len(shape), placement.axes)
        units = [axis.unit for axis in told.as_written]
        placed = written_as(placement, units, told.written_size, told.written_offset)
        put_scale(root, about, {**scale, OURS: with_world(attributes, placed).get(OURS, {})})
        return open_array(path)

    def record(self, path: str) -> Mapping[str, Any]:
        """What was recorded with an output; empty where nothing was."""
        return read_json(f"{path}/{MARKS}", _RECORD)

    def write_record(self, path: str, record: Mapping[str, Any]) -> None:
        """Record with an output, in place of what was."""
        put(f"{path}/{MARKS}", _RECORD, json.dumps(record, indent=2).encode())

    @property
    def _type(self) -> str:
        return "segmentation" if self.segmentation else "image"

    def _stored_so(self, shape: Index, block: Index) -> dict[str, Any]:
        """What a scale says of its chunks."""
        cut = scale_cut(shape[-3:], block[-3:], self.encoding, self.sharded)
        said: dict[str, Any] = {"encoding": self.encoding, "chunk_sizes": [list(cut.chunk[::-1])]}
        if self.encoding == "compressed_segmentation":
            said["compressed_segmentation_block_size"] = _BLOCK_OF_SEGMENTATION
        return said if cut.sharding is None else said | {"sharding": cut.sharding}

    def _info_of(self, path: str) -> dict[str, Any]:
        """The info of a scale alone; empty where there is none."""
        root, _, key = path.rpartition("/")
        info = read_json(root, "info")
        scales = [scale for scale in info.get("scales") or () if scale.get("key") == key]
        return {**info, "scales": scales} if scales else {}
