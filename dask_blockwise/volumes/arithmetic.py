"""Volumes in expressions: numpy's functions and operators, and numbers of all voxels.

What is given back is lazy where it has voxels, and a number where it has none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.boxes import Index
from ..pipelines.stages import stage
from .kinds import AnyVoxels
from .region import computed
from .same_place import in_units_of
from .source import Source, Voxels

if TYPE_CHECKING:
    import dask.array as da

__all__ = ["Pointwise", "Reduction", "apply_ufunc", "astype"]


_COMPARISONS = {np.greater, np.greater_equal, np.less, np.less_equal, np.equal, np.not_equal}


@dataclass(frozen=True, eq=False)
class Pointwise(Source):
    """A function of volumes and numbers, voxel by voxel."""

    # The volumes among the arguments, in their order.
    inputs: tuple[Voxels, ...]
    # Of as many arrays.
    function: Callable[..., NDArray[Any]]
    dtype: np.dtype[Any]

    kind = "MappedVolume"

    @property
    def title(self) -> str:
        """The function's name."""
        return str(getattr(self.function, "name", self.kind))

    def read(self, begin: Index, end: Index) -> NDArray[Any]:
        """See `Source.read`."""
        arrays = [volume.source.read(begin, end) for volume in self.inputs]
        return np.asarray(self.function(*arrays), self.dtype)

    def dask_array(self) -> da.Array | None:
        """The same of dask's own, where all inputs have such."""
        arrays = [volume.source.dask_array() for volume in self.inputs]
        if any(array is None for array in arrays):
            return None
        import dask.array as da  # see `kinds.is_dasks`

        mapped: da.Array = da.map_blocks(self.function, *arrays, dtype=self.dtype)
        return mapped


@dataclass(frozen=True)
class _Ufunc:
    """A ufunc with some of its arguments given."""

    ufunc: np.ufunc
    # A number, or None for a volume, in the order of the arguments.
    given: tuple[Any, ...]
    options: tuple[tuple[str, Any], ...]

    @property
    def name(self) -> str:
        """As numpy calls it, and with which numbers."""
        numbers = [f"{value:g}" for value in self.given if isinstance(value, int | float)]
        return " ".join([self.ufunc.__name__, *numbers])

    def __call__(self, *arrays: NDArray[Any]) -> Any:
        rest = iter(arrays)
        arguments = [next(rest) if value is None else value for value in self.given]
        return self.ufunc(*arguments, **dict(self.options))


@dataclass(frozen=True)
class _Cast:
    dtype: np.dtype[Any]

    @property
    def name(self) -> str:
        """What it converts to."""
        return f"as {self.dtype}"

    def __call__(self, array: NDArray[Any]) -> NDArray[Any]:
        return array.astype(self.dtype)


def apply_ufunc(
    volume: AnyVoxels, /, ufunc: np.ufunc, method: str, *arguments: Any, **options: Any
) -> AnyVoxels:
    """What a ufunc makes of volumes and numbers, lazily; so numpy calls it, and operators do.

    Raises
    ------
    TypeError
        If it isn't called plainly, or with something else than volumes and numbers.
    ValueError
        If the volumes don't lie where one another do, in whatever units (the result has the first
        one's), or bytes that stand for other values are compared with a fraction.

    Examples
    --------
    >>> from dask_blockwise import Volume
    >>> volume = Volume.from_array(np.array([[1, 2], [3, 4]], np.uint8))
    >>> np.sqrt(volume + 0.0)[1].round(2).tolist(), (volume > 2)[:].tolist()
    ([1.73, 2.0], [[False, False], [True, True]])
    """
    name = f"np.{ufunc.__name__}"
    if method != "__call__" or ufunc.nout != 1 or set(options) - {"dtype", "casting"}:
        raise TypeError(
            f"{name}.{method} with {sorted(options)} can't be taken of a volume lazily: take it of "
            "its values, volume[:], or with map_overlap."
        )
    made: AnyVoxels = numpy_of(*arguments, function=ufunc, **options)
    return made


@stage("computed", name="numpy")
def numpy_of(
    *arguments: AnyVoxels | float,
    function: Callable[..., Any],
    dtype: str | None = None,
    casting: str | None = None,
) -> AnyVoxels:
    """What a ufunc of numpy makes of volumes and numbers, voxel by voxel, lazily.

    Parameters
    ----------
    *arguments : Volume or number
    function : numpy.ufunc
        Such as ``np.greater``, which ``volume > 3`` is.
    dtype, casting : optional
        As of the ufunc.

    Raises
    ------
    TypeError
        If it is no ufunc, or its arguments aren't volumes and numbers, with a volume among them.
    ValueError
        If the volumes don't lie where one another do.
    """
    given_volumes: list[Any] = [argument for argument in arguments if _is_volume(argument)]
    volumes: list[Any] = [in_units_of(each, given_volumes[0].frame) for each in given_volumes]
    if not isinstance(function, np.ufunc) or not volumes:
        raise TypeError(
            f"A function of numpy that is taken voxel by voxel, such as numpy:greater, and at "
            f"least one volume are needed, got {function!r} of {arguments!r}."
        )
    _check_arguments(f"np.{function.__name__}", arguments, volumes)
    if function in _COMPARISONS:
        _check_bytes(arguments, volumes)
    given = tuple(None if _is_volume(argument) else argument for argument in arguments)
    options = {"dtype": dtype, "casting": casting}
    chosen = tuple((key, value) for key, value in options.items() if value is not None)
    called = _Ufunc(function, given, chosen)
    empty = [np.empty(0, other.frame.dtype) for other in volumes]
    made: AnyVoxels = _mapped(volumes[0], tuple(volumes), called, np.asarray(called(*empty)).dtype)
    return made


@stage("converted")
def astype(volume: AnyVoxels, /, dtype: Any) -> AnyVoxels:
    """The same values in another type, lazily, converted as numpy does.

    Examples
    --------
    >>> from dask_blockwise import Volume
    >>> Volume.from_array(np.array([[1.7, 2.0]])).astype("uint8")[:]
    array([[1, 2]], dtype=uint8)
    """
    cast = _Cast(np.dtype(dtype).newbyteorder("="))
    made = _mapped(volume, (volume,), cast, cast.dtype)
    names = volume.frame.may_be_names and cast.dtype.kind in "biu"
    return replace(made, frame=replace(made.frame, names=names))


class Reduction:
    """A method that takes a number of all voxels, or an array of them along some axes, by blocks.

    Parameters
    ----------
    name : str
        Of dask's reduction, such as ``"mean"``.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.__doc__ = f"""The {name} of all voxels, or along some axes; computed by blocks.

    Parameters
    ----------
    axis : int, name of an axis, or several of them, optional
    dtype : dtype, optional

    Returns
    -------
    number or ndarray
    """

    def __get__(self, volume: Any, owner: Any = None) -> Callable[..., Any]:
        return self if volume is None else partial(self, volume)

    def __call__(
        self, volume: Voxels, axis: Any = None, dtype: Any = None, out: Any = None, **options: Any
    ) -> Any:
        if out is not None:
            raise TypeError(f"{self.name} of a volume is given back: leave out= out.")
        if axis is not None:
            listed = axis if isinstance(axis, Sequence) and not isinstance(axis, str) else [axis]
            place = volume.frame.axis
            axis = tuple(place(one) if isinstance(one, str) else one for one in listed)
        # Sums of halves soon become infinite; numpy takes their means in floats, too.
        halves = volume.frame.dtype == np.float16 and self.name in ("mean", "std", "var")
        if dtype is None and halves:
            dtype = np.float32
        options |= {} if dtype is None else {"dtype": dtype}
        import dask.array as da  # see `kinds.is_dasks`

        (values,) = computed(getattr(da, self.name)(volume.data, axis=axis, **options))
        return values


def _mapped(
    volume: AnyVoxels,
    inputs: tuple[Voxels, ...],
    function: Callable[..., NDArray[Any]],
    dtype: np.dtype[Any],
) -> AnyVoxels:
    frame = volume.frame.with_values(dtype)
    return replace(volume, frame=frame, source=Pointwise(inputs, function, dtype))


def _check_arguments(name: str, arguments: Sequence[Any], volumes: Sequence[Voxels]) -> None:
    for argument in (argument for argument in arguments if not _is_volume(argument)):
        if np.ndim(argument):
            raise TypeError(
                f"{name} of a volume and an array of shape {np.shape(argument)}: make the array a "
                "volume too, Volume.from_array(array, voxel_size=..., offset=...), so that it is "
                "known where it lies."
            )
        if getattr(argument, "dtype", np.asarray(argument).dtype).kind not in "buifc":
            raise TypeError(
                f"{name} of a volume and {argument!r}, which is no number: give one, or another "
                "volume. Whether there is a volume is asked by `volume is None`."
            )
    first = volumes[0].frame
    for other in (volume.frame for volume in volumes[1:]):
        same = other.shape == first.shape and other.axes == first.axes
        if not same or not other.lies_as(first):
            raise ValueError(
                f"{name} is taken voxel by voxel, of volumes of the same region, voxels and "
                f"channels, got {volumes}: {other.how_to_lie_as(first)}, or choose its channels."
            )


def _check_bytes(arguments: Sequence[Any], volumes: Sequence[Voxels]) -> None:
    """Refuse to compare bytes that stand for other values with a number that is no byte."""
    numbers = [a for a in arguments if not _is_volume(a)]
    if not any(np.asarray(a).dtype.kind == "f" and a % 1 for a in numbers):
        return
    for volume in volumes:
        if volume.frame.stands_for is not None:
            raise ValueError(
                f"Values of {volume!r} are bytes, of which 0 and 255 stand for "
                f"{volume.frame.stands_for}, and are compared with {numbers[0]}, which is none: "
                f"threshold(volume, {numbers[0]}) goes by what they stand for."
            )


def _is_volume(argument: Any) -> bool:
    return isinstance(getattr(argument, "source", None), Source)
