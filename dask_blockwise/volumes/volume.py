"""Volumes: previewed by region, made into one another, and stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import NDArray

from ..geometry.blocks import Coordinate, Roi
from ..geometry.boxes import Index
from ..geometry.placement import Placement
from ..geometry.units import check_units
from ..pipelines.calls import Call
from ..storage.arrays import StoredArray
from .absent_inputs import note_of
from .arithmetic import Reduction, apply_ufunc, astype
from .downsampling import downsample
from .frame import Frame
from .framing import framed
from .in_yaml import to_yaml
from .kinds import Stored
from .labelled_arrays import of_labelled, to_xarray
from .lineage import own_reach, place_of
from .masked import masked
from .objects import objects
from .planning import plan
from .reach import Halo
from .region import as_numpy, computed, dask_array, read_region
from .seen.html import repr_html
from .seen.show import show
from .seen.viewer import view
from .source import Source
from .storing import checkpoint, to_zarr
from .to_precomputed import to_precomputed
from .views import crop, isel, rechunk, transpose
from .wiring import places_of, token_of

if TYPE_CHECKING:
    import dask.array as da
    from xarray import DataArray

__all__ = ["Volume"]


@dataclass(frozen=True, eq=False, repr=False)
class Volume(NDArrayOperatorsMixin):
    """Voxels in the world: ``volume[roi]`` gives an ndarray, read or computed on request.

    A region is a ``Roi`` in world units over all axes but the channels', or slices in voxels over
    all axes. Axes are an optional ``"t"``, an optional ``"c"``, then space.

    Parameters
    ----------
    frame : Frame
        Where its voxels lie, and in which blocks.
    source : Source
        What answers for them; see `dask_blockwise.volumes.source.Source` for one of your own.

    Raises
    ------
    TypeError
        If the source isn't one.

    Examples
    --------
    >>> volume = Volume.from_array(np.arange(12).reshape(3, 4), voxel_size=(10, 5), offset=(0, 20))
    >>> volume.roi
    [0:30, 20:40] (30, 20)
    >>> volume[Roi((10, 25), (10, 10))], volume[2, 1:3]
    (array([[5, 6]]), array([ 9, 10]))
    """

    frame: Frame
    source: Source
    # The call of a stage that made it, where that is known; ``dataclasses.replace`` drops it.
    call: ClassVar[Call | None] = None

    def __post_init__(self) -> None:
        if not isinstance(self.source, Source) or not hasattr(self.source, "inputs"):
            raise TypeError(
                f"A volume is made of a frame and a source, got {self.source!r}: derive its class "
                "from Source, with read(begin, end) and with inputs, which is () where it computes "
                "from no other volume."
            )

    @staticmethod
    def from_array(
        array: Any,
        voxel_size: Sequence[Any] | None = None,
        offset: Sequence[Any] | None = None,
        axes: Sequence[str] | None = None,
        unit: str | Sequence[str] = "",
        chunks: Sequence[int] | None = None,
        stands_for: tuple[float, float] | None = None,
    ) -> Volume:
        """Make a volume of a numpy or dask array.

        Parameters
        ----------
        array : ndarray or dask.array.Array
        voxel_size, offset : sequence of number, optional
            In the unit, for all axes but "c"; fractions make the world's own unit finer.
        axes : sequence of str, optional
            (t, c, z, y, x) from the right unless given.
        unit : str or sequence of str
            Of space, or one for each axis but "c".
        chunks : sequence of int, optional
            Voxels of a block, for all axes.
        stands_for : (float, float), optional
            What 0 and 255 of uint8 stand for, such as ``(0, 1)`` for probabilities.

        """
        check_units(unit)
        return Volume(*framed(array, voxel_size, offset, axes, unit, chunks, stands_for))

    @staticmethod
    def from_xarray(dataarray: DataArray, voxel_size: Mapping[str, Any] | None = None) -> Volume:
        """Make a volume of an array of xarray, lazily; ``to_xarray`` says what coordinates are.

        Parameters
        ----------
        dataarray : xarray.DataArray
            Dimensions are called as axes are, in any order; units by ``attrs["units"]`` of their
            coordinates. Names of channels, and coordinates beside these, are left out.
        voxel_size : mapping, optional
            By names of dimensions along which there is one voxel, or no coordinate.

        Raises
        ------
        ValueError
            If coordinates are uneven or descend, or dimensions aren't known axes.
        """
        return Volume(*framed(**of_labelled(dataarray, voxel_size)))

    @property
    def inputs(self) -> tuple[Volume, ...]:
        """What it is computed from; none for what is stored."""
        return self.source.inputs

    @property
    def shape(self) -> Index:
        """Voxels along all axes."""
        return self.frame.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the values."""
        return self.frame.dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self.frame.ndim

    @property
    def axes(self) -> tuple[str, ...]:
        """Names of all axes, such as ``("c", "z", "y", "x")``."""
        return self.frame.axes

    @property
    def placement(self) -> Placement:
        """Axes, voxel size, offset and unit."""
        return self.frame.placement

    @property
    def voxel_size(self) -> Coordinate:
        """World units a voxel, along all axes but "c"."""
        return self.frame.voxel_size

    @property
    def offset(self) -> Coordinate:
        """World position of the first voxel, along all axes but "c"."""
        return self.frame.offset

    @property
    def unit(self) -> str:
        """Unit of the world along space, such as ``"nanometer"``; empty where none is known."""
        return self.frame.unit

    @property
    def roi(self) -> Roi:
        """Where the volume lies, in world units, along all axes but "c"."""
        return self.frame.roi

    @property
    def chunks(self) -> Index:
        """What is stored together, and for a lazy volume one block; along all axes."""
        return self.frame.chunks

    @property
    def shards(self) -> Index | None:
        """What is written at once, along all axes; None where that is a chunk."""
        return self.frame.shards

    @property
    def block_shape(self) -> Index:
        """Voxels of a block, along all axes but "c"."""
        return self.frame.block_shape

    @property
    def halo(self) -> Halo:
        """Voxels that a region needs of its inputs before and after itself, along axes of space."""
        return own_reach(self).voxels(self.frame)

    @property
    def data(self) -> da.Array:
        """The values as a dask array of one task a block, all channels together."""
        return dask_array(self)

    @property
    def path(self) -> str | None:
        """Where it is, or will be, stored; None for what is only computed."""
        return place_of(self)

    @property
    def stored(self) -> StoredArray:
        """The array in a store that the values are read from.

        Raises
        ------
        TypeError
            If they are computed.
        """
        if not isinstance(self.source, Stored):
            raise TypeError(
                f"{self!r} is computed, so it has no array in a store: store it with "
                "to_zarr(path), and open that."
            )
        return self.source.stored

    @cached_property
    def token(self) -> str:
        """A hash of all that the values depend on."""
        return token_of(self)

    def __dask_tokenize__(self) -> tuple[str, ...]:
        return self.token, *places_of(self)

    def __repr__(self) -> str:
        return self.frame.describe(self.source.kind, note_of(self))

    def __getitem__(self, key: Any) -> NDArray[Any]:
        return read_region(self, key)

    def __setitem__(self, roi: Roi, values: NDArray[Any]) -> None:
        """Write whole shards or chunks of what is stored."""
        stored, axes = self.stored, self.frame
        begin, end = axes.voxels(roi)
        stored.write(Stored(stored, axes.axes).box(begin, end), np.asarray(values))

    def __len__(self) -> int:
        return self.shape[0]

    def __bool__(self) -> bool:
        raise ValueError(
            f"{self!r} has many values, so it is neither true nor false: ask volume.any() or "
            "volume.all(), or `volume is None`."
        )

    # By which volume it is, since == compares voxels.
    __hash__ = object.__hash__

    def compute(self) -> NDArray[Any]:
        """All of the values, by blocks, on the present cluster or in threads."""
        (values,) = computed(self.data)
        return np.asarray(values)

    # Each is a function of its own file.
    __array_ufunc__ = apply_ufunc
    __array__ = as_numpy
    astype = astype
    crop = crop
    isel = isel
    downsample = downsample
    rechunk = rechunk
    transpose = transpose
    masked = masked
    max, min, sum, mean = map(Reduction, ("max", "min", "sum", "mean"))
    std, var, any, all = map(Reduction, ("std", "var", "any", "all"))
    _repr_html_ = repr_html
    show = show
    view = view
    checkpoint = checkpoint
    to_zarr = to_zarr
    to_precomputed = to_precomputed
    to_xarray = to_xarray
    to_yaml = to_yaml
    plan = plan
    objects = objects
