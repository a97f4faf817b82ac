"""The known array as OME-Zarr of other tools."""

from __future__ import annotations

from known import OFFSET, SHAPE, UNIT, VOXEL_SIZE, labels, values
from writers import writer


def _by_ngff_zarr(folder: str, version: str, name: str = "made.zarr") -> str:
    import ngff_zarr

    image = ngff_zarr.to_ngff_image(
        values(),
        dims=["z", "y", "x"],
        scale=dict(zip("zyx", VOXEL_SIZE)),
        translation=dict(zip("zyx", OFFSET)),
        axes_units=dict.fromkeys("zyx", UNIT),
    )
    multiscales = ngff_zarr.to_multiscales(image, scale_factors=[2])
    ngff_zarr.to_ngff_zarr(f"{folder}/{name}", multiscales, version=version)
    return f"{folder}/{name}"


@writer("ngff-zarr, 0.4")
def _(folder: str) -> str:
    return _by_ngff_zarr(folder, "0.4")


@writer("ngff-zarr, 0.5")
def _(folder: str) -> str:
    return _by_ngff_zarr(folder, "0.5")


@writer("ngff-zarr, 0.6")
def _(folder: str) -> str:
    return _by_ngff_zarr(folder, "0.6")


@writer("ngff-zarr, 0.5 in .ozx")
def _(folder: str) -> str:
    return _by_ngff_zarr(folder, "0.5", "made.ozx")


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


def _placing() -> list[list[dict[str, object]]]:
    scale = {"type": "scale", "scale": list(VOXEL_SIZE)}
    return [[scale, {"type": "translation", "translation": list(OFFSET)}]]


@writer("ome-zarr-py, 0.5, labels")
def _(folder: str) -> str:
    import zarr
    from ome_zarr.writer import write_multiscale_labels

    path = _by_ome_zarr(folder, "0.5")
    axes = [{"name": axis, "type": "space", "unit": UNIT} for axis in "zyx"]
    write_multiscale_labels(
        [labels()],
        zarr.open_group(path, mode="a"),
        name="cells",
        axes=axes,
        coordinate_transformations=_placing(),
    )
    return f"{path}/labels/cells"


@writer("ome-zarr-py, 0.4, field of a plate")
def _(folder: str) -> str:
    import zarr
    from ome_zarr.format import FormatV04
    from ome_zarr.writer import write_multiscale, write_plate_metadata, write_well_metadata

    plate = zarr.open_group(f"{folder}/made.zarr", mode="w", zarr_format=2)
    write_plate_metadata(plate, ["A"], ["1"], ["A/1"], fmt=FormatV04())
    well = plate.require_group("A/1")
    write_well_metadata(well, ["0"], fmt=FormatV04())
    axes = [{"name": axis, "type": "space", "unit": UNIT} for axis in "zyx"]
    field = well.require_group("0")
    write_multiscale(
        [values()], field, fmt=FormatV04(), axes=axes, coordinate_transformations=_placing()
    )
    return f"{folder}/made.zarr/A/1/0"


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
