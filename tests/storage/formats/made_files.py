"""Files of TIFF, HDF5 and npy, as others write them."""

import h5py
import numpy as np
import tifffile
from regions import numbers

VALUES = numbers(5, 40, 50, dtype="uint16")


def tiff(path, values=VALUES, **options):
    """A TIFF of one image."""
    tifffile.imwrite(path, values, **{"photometric": "minisblack"} | options)
    return path


def pages(path, values=VALUES, **options):
    """A TIFF of single pages."""
    with tifffile.TiffWriter(path) as file:
        for page in values:
            file.write(page, contiguous=False, metadata=None, **options)
    return path


def hdf5(path, values=VALUES, name="raw", attributes=(), **options):
    """A dataset of a file."""
    with h5py.File(path, "a") as file:
        made = file.create_dataset(name, data=values, **options)
        made.attrs.update(dict(attributes))
    return path / name


def npy(path, values=VALUES):
    """A file of numpy."""
    np.save(path, values)
    return path


MADE = {
    "npy": lambda p: npy(p / "a.npy"),
    "npy.fortran": lambda p: npy(p / "a.npy", np.asfortranarray(VALUES)),
    "npy.big": lambda p: npy(p / "a.npy", VALUES.astype(">u2")),
    "tif": lambda p: tiff(p / "a.tif"),
    "tif.big": lambda p: tiff(p / "a.TIF", byteorder=">", bigtiff=True),
    "tif.zlib": lambda p: tiff(p / "a.tiff", compression="zlib", rowsperstrip=7),
    "tif.predicted": lambda p: tiff(p / "a.tif", compression="zlib", predictor=True),
    "tif.tiles": lambda p: tiff(p / "a.tif", tile=(16, 32), compression="zlib"),
    "tif.volumes": lambda p: tiff(p / "a.tif", tile=(2, 16, 32), volumetric=True),
    "tif.pages": lambda p: pages(p / "a.tif"),
    "tif.pages.zlib": lambda p: pages(p / "a.tif", compression="zlib"),
    "ome": lambda p: tiff(p / "a.ome.tif", metadata={"axes": "ZYX"}, bigtiff=True),
    "imagej": lambda p: tiff(p / "a.tif", imagej=True, metadata={"axes": "ZYX"}),
    "h5": lambda p: hdf5(p / "a.h5"),
    "h5.chunks": lambda p: hdf5(p / "a.hdf5", name="a/b", chunks=(2, 16, 16), compression="gzip"),
    "h5.big": lambda p: hdf5(p / "a.h5", VALUES.astype(">u2")),
}

TCZYX = numbers(2, 3, 4, 20, 30, dtype="u1")
