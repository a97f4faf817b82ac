"""How arrays are stored: one file a format, each of which registers itself.

What finds, opens, reads and writes arrays of one format belongs here, and only here and in
``documents`` are zarr and TensorStore imported. Where voxels lie, and what a path may hold, does
not. A new format is one file with a class that satisfies ``Format``, and a line below; from
outside the package, it is the class and a call of ``register``.
"""

from ...geometry.morton import axes_of_bits
from .found_names import some_names
from .protocol import (
    Container,
    CorruptChunk,
    Documented,
    Format,
    Layout,
    Levelled,
    Matched,
    Mendable,
    OpenArray,
    Strict,
    UnitFiles,
    Writable,
)
from .registry import (
    arrays_within,
    find_array,
    find_file,
    is_noticed,
    register,
    registered,
    titles,
    unregister,
)
from .unit_names import TurnedNames, UnitNames, UnitNaming

# The built-in formats, in the order in which they are asked.
# isort: split
from .compressors import codec_for, known_compressor
from .zarr import Zarr, Zarr2, Zarr3, new_array_documents

# isort: split
from .n5 import N5

# isort: split
from .precomputed import OURS, Precomputed, precomputed_attributes, scale_keys

# isort: split
from .tiff import Tiff

# isort: split
from .hdf5 import Hdf5

# isort: split
from .npy import Npy

__all__ = [
    "N5",
    "OURS",
    "Container",
    "CorruptChunk",
    "Documented",
    "Format",
    "Hdf5",
    "Layout",
    "Levelled",
    "Matched",
    "Mendable",
    "Npy",
    "OpenArray",
    "Precomputed",
    "Strict",
    "Tiff",
    "TurnedNames",
    "UnitFiles",
    "UnitNames",
    "UnitNaming",
    "Writable",
    "Zarr",
    "Zarr2",
    "Zarr3",
    "arrays_within",
    "axes_of_bits",
    "codec_for",
    "find_array",
    "find_file",
    "is_noticed",
    "known_compressor",
    "new_array_documents",
    "precomputed_attributes",
    "register",
    "registered",
    "scale_keys",
    "some_names",
    "titles",
    "unregister",
]
