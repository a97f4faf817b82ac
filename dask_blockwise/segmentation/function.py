"""Segment functions: a callable or a file, its parameters, and how it is called."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from inspect import Parameter, signature
from os import PathLike
from pathlib import Path
from typing import IO, Any, Self

import numpy as np
import yaml
from numpy.typing import NDArray

from ..engine.worker.worker_file import FileFunction, WorkerFile
from ..geometry.blocks import Block, Coordinate, Roi
from .returned import labels_of

__all__ = ["BlockArray", "Parameters", "SegmentFunction"]

# Names and values, or YAML that has them: its path, or a file that is open.
Parameters = Mapping[str, Any] | str | PathLike[str] | IO[str]

_NEEDS = "segment_function(input_array, block, **parameters)"
_BY_NAME = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)


class BlockArray(np.ndarray[Any, np.dtype[Any]]):
    """What a block sees: an ndarray that can also be indexed with a Roi, as dacapo's arrays can.

    Parameters
    ----------
    array : ndarray
        Channels first, where there are any.
    roi : Roi
        Where it lies, in world units.

    Examples
    --------
    >>> array = BlockArray.of(np.arange(8).reshape(2, 4), Roi((10,), (20,)))
    >>> array[Roi((15,), (10,))]
    array([[1, 2],
           [5, 6]])
    >>> array.to_ndarray(Roi((25,), (15,)), fill_value=-1)
    array([[ 3, -1, -1],
           [ 7, -1, -1]])
    """

    _roi: Roi | None

    @classmethod
    def of(cls, array: NDArray[Any], roi: Roi) -> Self:
        """The array, and where it lies."""
        seen = array.view(cls)
        seen._roi = roi
        return seen

    def __array_finalize__(self, source: Any) -> None:
        self._roi = None

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
        """What is computed from it is a plain array."""
        plain = np.asarray(array)
        return plain[()] if return_scalar else plain

    def __getitem__(self, key: Any) -> Any:
        return self.to_ndarray(key) if isinstance(key, Roi) else np.asarray(self)[key]

    @property
    def roi(self) -> Roi:
        """Where it lies, in world units.

        Raises
        ------
        ValueError
            If this is a copy or a part, of which that isn't known.
        """
        if self._roi is None:
            raise ValueError("Only the array that a block was given knows where it lies.")
        return self._roi

    @property
    def voxel_size(self) -> Coordinate:
        """World units a voxel."""
        return self.roi.shape / Coordinate(self.shape[self.ndim - self.roi.dims :])

    def to_ndarray(self, roi: Roi | None = None, fill_value: Any = None) -> NDArray[Any]:
        """The voxels of a region.

        Parameters
        ----------
        roi : Roi, optional
            All unless given.
        fill_value : number, optional
            What lies beyond the array; unless given, nothing may.

        Returns
        -------
        ndarray

        Raises
        ------
        ValueError
            If the region leaves the array.
        """
        wanted = self.roi if roi is None else roi
        inside = wanted.intersect(self.roi)
        if inside != wanted and fill_value is None:
            raise ValueError(
                f"The block sees {self.roi}, and was asked for {wanted}: ask within "
                "block.read_roi, or give a larger context."
            )
        values: NDArray[Any] = np.asarray(self)[self._where(inside)]
        before = (inside.begin - wanted.begin) / self.voxel_size
        after = (wanted.end - inside.end) / self.voxel_size
        width = [*[(0, 0)] * (self.ndim - wanted.dims), *zip(before, after, strict=True)]
        return values if inside == wanted else np.pad(values, width, constant_values=fill_value)

    def _where(self, roi: Roi) -> tuple[Any, ...]:
        begin = (roi.begin - self.roi.begin) / self.voxel_size
        return (..., *map(slice, begin, begin + roi.shape / self.voxel_size))


@dataclass(frozen=True)
class SegmentFunction:
    """A function that labels objects, with its parameters.

    Called with an array of what a block sees, the block, and masks.
    """

    function: Callable[..., Any]
    parameters: Mapping[str, Any]
    # The name of the parameter that takes the block; None where there is none.
    takes_block: str | None

    @classmethod
    def of(
        cls,
        function: Callable[..., Any] | str | PathLike[str],
        parameters: Parameters | None = None,
        masked: bool = False,
        beside: Sequence[str] = (),
        /,
        **more: Any,
    ) -> SegmentFunction:
        """Read a file or take a callable, and check its parameters.

        Parameters
        ----------
        function : callable, or path of a Python file that has ``segment_function``
        parameters : mapping, or YAML: a path or an open file
            Over the file's ``default_parameters``.
        masked : bool
            Whether it will be given a mask.
        beside : sequence of str
            What else can be given where the parameters are, so that it is named when misspelt.
        **more
            Parameters over those.

        Raises
        ------
        FileNotFoundError, AttributeError
            If there is no such file, or no ``segment_function`` in it.
        TypeError
            If it has no such parameter, or one that it needs is missing.

        Examples
        --------
        >>> def above(array, level, name=1):
        ...     return (array > level) * name
        >>> SegmentFunction.of(above, level=2).parameters
        {'level': 2}
        >>> SegmentFunction.of(above, level=2, nam=3)
        Traceback (most recent call last):
        TypeError: above has no parameter 'nam' (did you mean 'name'?); its parameters are level...
        """
        defaults: Mapping[str, Any] = {}
        plain = function
        if not callable(function):
            file = WorkerFile.read(function, _NEEDS)
            plain = file.required("segment_function")
            defaults = file.optional("default_parameters") or {}
            function = FileFunction(file, "segment_function")
        chosen = {**defaults, **_read(parameters), **more}
        given = [*chosen, *(["mask"] if masked else [])]
        takes_block = _takes_block(plain, of_file=function is not plain)
        _check(plain, _told(function), given, defaults, takes_block, beside)
        return cls(function, chosen, takes_block)

    @property
    def name(self) -> str:
        """Of the function."""
        return _name(self.function)

    @property
    def title(self) -> str:
        """The function's name, or that of its file where all files call theirs so."""
        if isinstance(self.function, FileFunction):
            return Path(self.function.file.path).stem
        return _told(self.function)

    @property
    def plain(self) -> Callable[..., Any]:
        """The function itself, also where a file has it."""
        function = self.function
        if isinstance(function, FileFunction):
            found: Callable[..., Any] = function.file.required(function.name)
            return found
        return function

    def __call__(
        self, array: NDArray[Any], block: Block, masks: Sequence[NDArray[Any]] = ()
    ) -> NDArray[np.integer]:
        """Labels of what a block sees.

        Raises
        ------
        TypeError, ValueError
            If the function returns something else than labels of what the block sees.
        """
        space = array.shape[array.ndim - block.read_roi.dims :]
        given = dict(self.parameters)
        if masks:
            given["mask"] = masks[0]
        if self.takes_block:
            array = BlockArray.of(array, block.read_roi)
            given[self.takes_block] = block
        return labels_of(self.function(array, **given), _told(self.function), space)


def _read(parameters: Parameters | None) -> Mapping[str, Any]:
    """Parameters as names and values."""
    if parameters is None or isinstance(parameters, Mapping):
        return parameters or {}
    if isinstance(parameters, str | PathLike):
        with Path(parameters).expanduser().open() as file:
            return _read(file)
    loaded = yaml.safe_load(parameters) or {}
    if not isinstance(loaded, dict):
        raise TypeError(
            f"The parameters in {getattr(parameters, 'name', 'the file')} must be names with "
            f"values, one a line (bias: 0.5), got {loaded!r}."
        )
    return loaded


def _takes_block(function: Any, of_file: bool) -> str | None:
    """The parameter that is called block; in a file the second one, whatever its name."""
    others = [p.name for p in _others(function) if p.kind in _BY_NAME]
    if "block" in others or not of_file:
        return "block" if "block" in others else None
    return next(iter(others), None)


def _check(
    function: Any,
    told: str,
    given: Sequence[str],
    defaults: Mapping[str, Any],
    takes_block: str | None,
    beside: Sequence[str],
) -> None:
    """Refuse parameters that a function doesn't have, or lacks."""
    others = [p for p in _others(function) if p.name != takes_block]
    takes_any = any(p.kind is Parameter.VAR_KEYWORD for p in others)
    if not _others(function) or (takes_any and not defaults):
        return
    named = {p.name: p.default for p in others if p.kind in _BY_NAME}
    known = {*named, *defaults}
    unknown = sorted({*given} - known)
    missing = sorted(n for n, v in named.items() if v is Parameter.empty and n not in given)
    if unknown or missing:
        near = [f"{name!r}" for name in unknown for name in _nearest(name, {*known, *beside})]
        hint = f" (did you mean {' or '.join(near)}?)" if near else ""
        several = ", ".join(map(repr, unknown))
        wrong = f"has no parameter {several}{hint}" if unknown else f"needs {missing[0]!r}"
        listed = ", ".join(sorted(known - {"mask"})) or "none"
        raise TypeError(f"{told} {wrong}; its parameters are {listed}.")


def _nearest(name: str, known: Iterable[str]) -> list[str]:
    """The known name that is most like another, if one is alike."""
    return get_close_matches(name, sorted(known), n=1)


def _others(function: Any) -> list[Parameter]:
    """A function's parameters but the array; none where it does not tell."""
    try:
        return list(signature(function).parameters.values())[1:]
    except ValueError:
        return []


def _told(function: Any) -> str:
    """What people call a function: in files all have one name."""
    if isinstance(function, FileFunction):
        return f"{function.name} of {Path(function.file.path).name}"
    name = _name(function)
    return function.__module__.rpartition(".")[2] if name == "segment_function" else name


def _name(function: Any) -> str:
    return str(getattr(function, "__name__", None) or getattr(function, "name", repr(function)))
