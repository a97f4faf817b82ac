"""The known array as precomputed data, N5, zarr and single files of other tools."""

from __future__ import annotations

import numpy as np
from known import OFFSET, SHAPE, UNIT, VOXEL_SIZE, coarse, labels, padded, values
from writers import writer


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


@writer("cloud-volume, sharded labels")
def _(folder: str) -> str:
    from cloudvolume import CloudVolume

    info = CloudVolume.create_new_info(
        num_channels=1,
        layer_type="segmentation",
        data_type="uint64",
        encoding="compressed_segmentation",
        resolution=(4, 8, 40),
        voxel_offset=(0, 0, 0),
        chunk_size=(8, 8, 8),
        volume_size=padded().shape[::-1],
    )
    info["scales"][0]["sharding"] = {
        "@type": "neuroglancer_uint64_sharded_v1",
        "preshift_bits": 3,
        "minishard_bits": 3,
        "shard_bits": 0,
        "hash": "identity",
        "minishard_index_encoding": "gzip",
        "data_encoding": "gzip",
    }
    made = CloudVolume(f"file://{folder}/made", info=info, progress=False)
    made.commit_info()
    made[:] = padded().T[..., None]
    return f"{folder}/made"


@writer("cloud-volume, second mip, by its key")
def _(folder: str) -> str:
    from cloudvolume import CloudVolume

    first = CloudVolume.from_numpy(
        values().T,
        vol_path=f"file://{folder}/made",
        resolution=(4, 8, 40),
        chunk_size=(8, 8, 8),
        progress=False,
    )
    first.add_scale((2, 2, 1))
    first.commit_info()
    second = CloudVolume(f"file://{folder}/made", mip=1, progress=False)
    second[:] = coarse().T[..., None]
    return f"{folder}/made/8_16_40"


@writer("z5py, N5 as n5-viewer has it")
def _(folder: str) -> str:
    import z5py

    with z5py.File(f"{folder}/made.n5", "w") as file:
        file.attrs["pixelResolution"] = {"unit": "nm", "dimensions": VOXEL_SIZE[::-1]}
        file.create_group("c0")
        file.create_dataset("c0/s0", data=values(), chunks=(8, 8, 8), compression="gzip")
    return f"{folder}/made.n5/c0/s0"


@writer("z5py, N5 as Paintera has it")
def _(folder: str) -> str:
    import z5py

    with z5py.File(f"{folder}/made.n5", "w") as file:
        group = file.create_group("raw")
        group.attrs["painteraData"] = {"type": "raw"}
        data = group.create_group("data")
        data.attrs["multiScale"] = True
        data.attrs["resolution"], data.attrs["offset"] = VOXEL_SIZE[::-1], OFFSET[::-1]
        data.create_dataset("s0", data=values(), chunks=(8, 8, 8), compression="gzip")
    return f"{folder}/made.n5/raw"


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


@writer("zarr 2, nested")
def _(folder: str) -> str:
    import zarr

    made = zarr.open(f"{folder}/made.zarr", mode="w", shape=SHAPE, chunks=(8, 8, 8), dtype="u2",
                     dimension_separator="/")  # fmt: skip
    made[:] = values()
    made.attrs.update(resolution=VOXEL_SIZE, offset=OFFSET, units=[UNIT] * 3)
    return f"{folder}/made.zarr"


@writer("zarr 2, N5 store")
def _(folder: str) -> str:
    import zarr

    group = zarr.group(zarr.N5Store(f"{folder}/made.n5"))
    made = group.create_dataset("raw", data=values(), chunks=(8, 8, 8))
    made.attrs["resolution"], made.attrs["offset"] = VOXEL_SIZE[::-1], OFFSET[::-1]
    return f"{folder}/made.n5/raw"


@writer("zarr 2, zip store, delta and lzma")
def _(folder: str) -> str:
    import numcodecs
    import zarr

    with zarr.ZipStore(f"{folder}/made.zip", mode="w") as store:
        made = zarr.create(
            SHAPE, chunks=(8, 8, 8), dtype="u2", store=store, path="raw",
            filters=[numcodecs.Delta("u2")], compressor=numcodecs.LZMA(),
        )  # fmt: skip
        made[:] = values()
        made.attrs.update(resolution=VOXEL_SIZE, offset=OFFSET, units=[UNIT] * 3)
    return f"{folder}/made.zip/raw"


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
