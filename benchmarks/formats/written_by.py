"""Write the known array by another tool: ``python written_by.py NAME FOLDER``.

Each function writes into a folder that is there, and returns what is to be opened.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from known import OFFSET, SHAPE, UNIT, VOXEL_SIZE, labels, values

Writer = Callable[[str], str]
WRITERS: dict[str, Writer] = {}
CZYX = ["c", "z", "y", "x"]


def writer(name: str) -> Callable[[Writer], Writer]:
    def keep(function: Writer) -> Writer:
        WRITERS[name] = function
        return function

    return keep


def _precomputed(
    folder: str, array: np.ndarray, kind: str, encoding: str, **options: object
) -> str:
    from cloudvolume import CloudVolume

    info = CloudVolume.create_new_info(
        num_channels=1,
        layer_type=kind,
        data_type=array.dtype.name,
        encoding=encoding,
        resolution=VOXEL_SIZE[::-1],
        voxel_offset=[round(o / v) for o, v in zip(OFFSET[::-1], VOXEL_SIZE[::-1])],
        chunk_size=(8, 8, 8),
        volume_size=SHAPE[::-1],
    )
    volume = CloudVolume(f"file://{folder}/made", info=info, progress=False, **options)
    volume.commit_info()
    volume[:] = array.T[..., None]
    return f"{folder}/made"


@writer("cloud-volume, raw")
def _(folder: str) -> str:
    return _precomputed(folder, values(), "image", "raw")


@writer("cloud-volume, not compressed")
def _(folder: str) -> str:
    return _precomputed(folder, values(), "image", "raw", compress=False)


@writer("cloud-volume, labels")
def _(folder: str) -> str:
    return _precomputed(folder, labels(), "segmentation", "compressed_segmentation")


@writer("z5py, N5")
def _(folder: str) -> str:
    import z5py

    with z5py.File(f"{folder}/made.n5", "w") as file:
        made = file.create_dataset("raw", data=values(), chunks=(8, 8, 8), compression="gzip")
        made.attrs["resolution"] = VOXEL_SIZE[::-1]
        made.attrs["offset"] = OFFSET[::-1]
        made.attrs["units"] = [UNIT] * 3
    return f"{folder}/made.n5/raw"


@writer("z5py, zarr")
def _(folder: str) -> str:
    import z5py

    with z5py.File(f"{folder}/made.zarr", "w") as file:
        made = file.create_dataset("raw", data=values(), chunks=(8, 8, 8), compression="gzip")
        made.attrs["resolution"], made.attrs["offset"] = VOXEL_SIZE, OFFSET
        made.attrs["units"] = [UNIT] * 3
    return f"{folder}/made.zarr/raw"


def _by_ngff_zarr(folder: str, version: str) -> str:
    import ngff_zarr

    image = ngff_zarr.to_ngff_image(
        values(),
        dims=["z", "y", "x"],
        scale=dict(zip("zyx", VOXEL_SIZE)),
        translation=dict(zip("zyx", OFFSET)),
        axes_units=dict.fromkeys("zyx", UNIT),
    )
    multiscales = ngff_zarr.to_multiscales(image, scale_factors=[2])
    ngff_zarr.to_ngff_zarr(f"{folder}/made.zarr", multiscales, version=version)
    return f"{folder}/made.zarr"


@writer("ngff-zarr, 0.4")
def _(folder: str) -> str:
    return _by_ngff_zarr(folder, "0.4")


@writer("ngff-zarr, 0.5")
def _(folder: str) -> str:
    return _by_ngff_zarr(folder, "0.5")


def _by_ome_zarr(folder: str, version: str) -> str:
    from ome_zarr import format as formats
    from ome_zarr.writer import write_multiscale

    chosen = {"0.4": formats.FormatV04, "0.5": formats.FormatV05}[version]()
    axes = [{"name": axis, "type": "space", "unit": UNIT} for axis in "zyx"]
    place = [
        {"type": "scale", "scale": list(VOXEL_SIZE)},
        {"type": "translation", "translation": list(OFFSET)},
    ]
    write_multiscale(
        [values()],
        f"{folder}/made.zarr",
        fmt=chosen,
        axes=axes,
        coordinate_transformations=[place],
    )
    return f"{folder}/made.zarr"


@writer("ome-zarr-py, 0.4")
def _(folder: str) -> str:
    return _by_ome_zarr(folder, "0.4")


@writer("ome-zarr-py, 0.5")
def _(folder: str) -> str:
    return _by_ome_zarr(folder, "0.5")


@writer("iohub, TCZYX")
def _(folder: str) -> str:
    from iohub.ngff import TransformationMeta, open_ome_zarr

    place = [
        TransformationMeta(type="scale", scale=[1.0, 1.0, *VOXEL_SIZE]),
        TransformationMeta(type="translation", translation=[0.0, 0.0, *OFFSET]),
    ]
    with open_ome_zarr(
        f"{folder}/made.zarr", layout="fov", mode="w-", channel_names=["raw"]
    ) as made:
        made.create_image("0", values()[None, None], transform=place)
    return f"{folder}/made.zarr"


@writer("funlib.persistence")
def _(folder: str) -> str:
    from funlib.geometry import Coordinate
    from funlib.persistence import prepare_ds

    made = prepare_ds(
        f"{folder}/made.zarr/raw",
        SHAPE,
        offset=Coordinate(80, -16, 9),
        voxel_size=Coordinate(40, 8, 4),
        axis_names=["z", "y", "x"],
        units=["nm"] * 3,
        dtype=np.uint16,
        mode="w",
    )
    made[:] = values()
    return f"{folder}/made.zarr/raw"


@writer("bioio-ome-zarr")
def _(folder: str) -> str:
    from bioio_ome_zarr.writers import OMEZarrWriter

    made = OMEZarrWriter(
        store=f"{folder}/made.zarr",
        level_shapes=[SHAPE],
        dtype="uint16",
        axes_names=list("zyx"),
        axes_types=["space"] * 3,
        axes_units=[UNIT] * 3,
        physical_pixel_size=list(VOXEL_SIZE),
        zarr_format=3,
    )
    made.write_full_volume(values())
    return f"{folder}/made.zarr"


@writer("zarr 2, nested")
def _(folder: str) -> str:
    import zarr

    made = zarr.open(f"{folder}/made.zarr", mode="w", shape=SHAPE, chunks=(8, 8, 8), dtype="u2",
                     dimension_separator="/")  # fmt: skip
    made[:] = values()
    made.attrs.update(resolution=VOXEL_SIZE, offset=OFFSET, units=[UNIT] * 3)
    return f"{folder}/made.zarr"


@writer("zarr 3, sharded")
def _(folder: str) -> str:
    import zarr

    made = zarr.create_array(
        f"{folder}/made.zarr", shape=SHAPE, chunks=(4, 4, 4), shards=(8, 8, 8), dtype="u2",
        dimension_names=["z", "y", "x"],
        attributes={"voxel_size": VOXEL_SIZE, "offset": OFFSET, "units": [UNIT] * 3},
    )  # fmt: skip
    made[:] = values()
    return f"{folder}/made.zarr"


@writer("tifffile, OME-TIFF")
def _(folder: str) -> str:
    import tifffile

    sizes = {f"PhysicalSize{axis}": size for axis, size in zip("ZYX", VOXEL_SIZE)}
    units = {f"PhysicalSize{axis}Unit": "nm" for axis in "ZYX"}
    tifffile.imwrite(f"{folder}/made.ome.tif", values(), metadata={"axes": "ZYX", **sizes, **units})
    return f"{folder}/made.ome.tif"


@writer("h5py")
def _(folder: str) -> str:
    import h5py

    with h5py.File(f"{folder}/made.h5", "w") as file:
        made = file.create_dataset("raw", data=values(), chunks=(8, 8, 8))
        made.attrs.update(resolution=VOXEL_SIZE, offset=OFFSET, units=[UNIT] * 3)
    return f"{folder}/made.h5/raw"


if __name__ == "__main__":
    sys.stdout.write(json.dumps({"path": WRITERS[sys.argv[1]](str(Path(sys.argv[2]).resolve()))}))
