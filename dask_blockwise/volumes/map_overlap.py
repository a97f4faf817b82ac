"""Map a numpy function over a volume, each block with its halo."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.boxes import Index
from ..pipelines.named_functions import called
from ..pipelines.stages import stage
from .frame import Frame
from .padding import Margin, boundaries_of, halo_of
from .reach import Halo, Reach
from .returned import check_shape, cut_to, held, one_array
from .same_place import in_units_of
from .source import Source, Voxels
from .time_points import each_time_point
from .volume import Volume

if TYPE_CHECKING:
    import dask.array as da

__all__ = ["Mapped", "alike", "apply", "map_overlap"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Mapped(Source):
    """A function of other volumes, a region from the same region grown by a halo."""

    frame: Frame
    inputs: tuple[Voxels, ...]
    # Called with one array for each input, of one time point: (c, z, y, x), or without "c".
    function: Callable[..., NDArray[Any]]
    margin: Margin
    parameters: Mapping[str, Any] = field(default_factory=dict)
    # Whether the dtype is what a trial returned, and so has to hold all that blocks return.
    by_trial: bool = False

    kind = "MappedVolume"

    @property
    def title(self) -> str:
        """The function's name, and such of its parameters as are numbers or text."""
        plain = {k: v for k, v in self.parameters.items() if isinstance(v, int | float | str)}
        given = ", ".join(f"{name}={value}" for name, value in plain.items())
        return f"{called(self.function)}({given})" if given else called(self.function)

    @property
    def reach(self) -> Reach:
        """The halo, in world units."""
        return self.margin.reach(self.frame)

    def read(self, begin: Index, end: Index) -> NDArray[Any]:
        """See `Source.read`."""
        return each_time_point(self.frame, self.inputs, begin, end, self._point)

    def dask_array(self) -> da.Array | None:
        """Over what only dask has as a whole, its own map_overlap."""
        if not self._is_dasks():
            return None
        array = self.inputs[0].source.dask_array()
        if array is None:
            return None
        import dask.array as da  # see `kinds.is_dasks`

        channels = int("c" in self.frame.axes)
        halo = {i + channels: pair for i, pair in enumerate(self.margin.halo)}
        symmetric = self.margin.is_symmetric
        mapped: da.Array = da.map_overlap(
            partial(_of_chunk, partial(self.function, **self.parameters), self._cast, self.frame),
            array,
            depth={i: pair[0] for i, pair in halo.items()} if symmetric else halo,
            boundary={i + channels: mode for i, mode in enumerate(self.margin.boundary)},
            dtype=self.frame.dtype,
            meta=np.empty((0,) * array.ndim, self.frame.dtype),
        )
        return mapped

    def _point(self, sources: Sequence[Voxels], begin: Index, end: Index) -> NDArray[Any]:
        function = partial(self.function, **self.parameters)
        name = called(self.function)
        values = apply(function, sources, self.margin, self.frame, begin, end, name=name)
        return self._cast(values)

    @property
    def _cast(self) -> Callable[[NDArray[Any]], NDArray[Any]]:
        """Of what the function returned, to the dtype that this volume has."""
        cast = held if self.by_trial else cut_to
        return partial(cast, dtype=self.frame.dtype, name=called(self.function))

    def _is_dasks(self) -> bool:
        """Whether dask's map_overlap knows how to do the same."""
        return (
            len(self.inputs) == 1
            and self.inputs[0].frame.shape == self.frame.shape
            and "t" not in self.frame.axes
            and (self.margin.is_symmetric or set(self.margin.boundary) == {"none"})
        )


def apply(
    function: Callable[..., NDArray[Any]],
    sources: Sequence[Voxels],
    margin: Margin,
    frame: Frame,
    begin: Index,
    end: Index,
    *,
    name: str,
) -> NDArray[Any]:
    """Compute a box of one time point: read it with its halo, apply a function, and trim.

    Parameters
    ----------
    function : callable
        Takes an array for each source; returns one of the same shape in space.
    sources : sequence of Volume
        Without a time axis.
    margin : Margin
    frame : Frame
        Of what is computed.
    begin, end : tuple of int
        Voxels along the axes of space.
    name : str
        Of the function, for people.

    Returns
    -------
    ndarray
        In the dtype that the function returned.

    Raises
    ------
    TypeError, ValueError
        If what it returns isn't an array, or has another shape.
    """
    arrays = [margin.read(source, begin, end) for source in sources]
    values = one_array(function(*arrays), name)
    check_shape(name, values, arrays[0], frame)
    return margin.trim(values, begin, end)


@stage("mapped")
def map_overlap(
    function: Callable[..., NDArray[Any]],
    volume: Volume,
    *others: Volume,
    halo: Any = 0,
    dtype: Any = None,
    boundary: Any = "none",
    channels: str | int | None = "same",
    block_shape: Sequence[int] | None = None,
    **parameters: Any,
) -> Volume:
    """Map a numpy function over a volume, lazily, each block with a halo around it.

    Parameters
    ----------
    function : callable
        Takes an array of one time point, shape ``(c, z, y, x)`` or without the axes that the
        volume lacks, and one more for each of ``others``; returns one of the same shape in space.
    volume, *others : Volume
        All of the same shape in space and voxel size; in other units at the same place, too.
    halo : int, or one for each axis of space, or (before, after) for each
        Voxels that a block reads beyond what it writes.
    dtype : dtype, optional
        Of the result; found by a trial on a tiny array unless given.
    boundary : str or number, or one for each axis of space
        What lies beyond the volume: ``"none"`` (nothing, the array is smaller there),
        ``"reflect"``, ``"nearest"``, ``"periodic"`` or a constant, as in dask.array.map_overlap.
    channels : "same", int or None
        Channels of the result; None for no channel axis.
    block_shape : sequence of int, optional
        Voxels of a block along all axes but "c"; the volume's own unless given.
    **parameters
        Passed to the function.

    Returns
    -------
    Volume

    Raises
    ------
    TypeError
        If the function is none.
    ValueError
        If the halo or boundary doesn't fit the volume, or the volumes don't fit one another.

    Examples
    --------
    >>> from scipy.ndimage import uniform_filter
    >>> volume = Volume.from_array(np.eye(6))
    >>> smooth = map_overlap(uniform_filter, volume, halo=1, boundary="reflect", size=3)
    >>> bool(np.allclose(smooth[:], uniform_filter(np.eye(6), 3)))
    True
    """
    if not callable(function):
        raise TypeError(
            f"map_overlap needs a function itself, not its name or file, got {function!r}."
        )
    axes = len(volume.frame.space)
    others = alike(volume, others)
    margin = Margin(halo_of(halo, axes), boundaries_of(boundary, axes))
    by_trial = dtype is None
    if by_trial:
        dtype = _trial(function, (volume, *others), margin.halo, parameters).dtype
    frame = volume.frame.with_values(dtype, channels)
    if block_shape is not None:
        frame = frame.with_block(frame.checked_block(block_shape))
    mapped = Mapped(
        frame=frame,
        inputs=(volume, *others),
        function=function,
        margin=margin,
        parameters=dict(sorted(parameters.items())),
        by_trial=by_trial,
    )
    return Volume(frame, mapped)


def _of_chunk(
    function: Callable[..., NDArray[Any]],
    cast: Callable[[NDArray[Any]], NDArray[Any]],
    frame: Frame,
    chunk: NDArray[Any],
) -> NDArray[Any]:
    """What dask trims itself."""
    name = called(function)
    values = one_array(function(chunk), name)
    check_shape(name, values, chunk, frame)
    return cast(values)


def alike(volume: Volume, others: tuple[Volume, ...]) -> tuple[Volume, ...]:
    """Others in the units of a volume.

    Raises
    ------
    ValueError
        If one doesn't lie where the volume does, voxel by voxel.
    """
    others = tuple(in_units_of(other, volume.frame) for other in others)
    for other in others:
        same_axes = other.placement.block_axes == volume.placement.block_axes
        if not same_axes or not other.frame.lies_as(volume.frame):
            raise ValueError(
                f"Volumes that are mapped together must cover the same region in the same voxels "
                f"and axes, got {volume!r} and {other!r}: "
                f"{other.frame.how_to_lie_as(volume.frame)}, or transpose it."
            )
    return others


def _trial(
    function: Callable[..., NDArray[Any]],
    volumes: tuple[Volume, ...],
    halo: Halo,
    parameters: Mapping[str, Any],
) -> NDArray[Any]:
    around = [before + after + 1 for before, after in halo]
    arrays = [
        np.ones([*([] if v.frame.channels is None else [v.frame.channels]), *around], v.dtype)
        for v in volumes
    ]
    try:
        result = function(*arrays, **parameters)
    except Exception as error:
        raise ValueError(
            f"{called(function)} failed on a trial array of shape {arrays[0].shape} "
            f"({type(error).__name__}: {error}). If it can't take so small an array, give the "
            "result's dtype: map_overlap(..., dtype=...)."
        ) from error
    return one_array(result, called(function))
