"""Segment functions: a callable or a file, its parameters, and how it is called."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from inspect import Parameter, signature
from os import PathLike
from pathlib import Path
from typing import IO, Any

import numpy as np
import yaml
from numpy.typing import NDArray

from ..engine.worker.worker_file import FileFunction, WorkerFile
from ..geometry.blocks import Block
from ..pipelines.named_functions import called
from .block_array import BlockArray
from .returned import labels_of

__all__ = ["Parameters", "SegmentFunction"]

# Names and values, or YAML that has them: its path, or a file that is open.
Parameters = Mapping[str, Any] | str | PathLike[str] | IO[str]

_NEEDS = "segment_function(input_array, block, **parameters)"
_BY_NAME = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)


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
            _check_is_path(function)
            file = WorkerFile.read(function, _NEEDS)
            plain = file.required("segment_function")
            defaults = file.optional("default_parameters") or {}
            function = FileFunction(file, "segment_function")
        chosen = {**defaults, **_read(parameters), **more}
        given = [*chosen, *(["mask"] if masked else [])]
        takes_block = _takes_block(plain, of_file=function is not plain)
        _check(plain, _told(function), given, defaults, takes_block, beside)
        return cls(function, dict(sorted(chosen.items())), takes_block)

    @property
    def name(self) -> str:
        """Of the function."""
        return called(self.function)

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


def _check_is_path(function: Any) -> None:
    if not isinstance(function, str | PathLike):
        raise TypeError(
            f"A segment function is a function itself, or the path of a Python file that has "
            f"{_NEEDS}, got {function!r:.80}."
        )


def _read(parameters: Parameters | None) -> Mapping[str, Any]:
    """Parameters as names and values."""
    if parameters is None or isinstance(parameters, Mapping):
        return parameters or {}
    if isinstance(parameters, str | PathLike):
        with Path(parameters).expanduser().open(encoding="utf-8") as file:
            return _read(file)
    if not hasattr(parameters, "read"):
        raise TypeError(
            "parameters has names with values, {'bias': 0.5}, or is the path of a YAML file, or "
            f"such a file that is open, got {parameters!r:.80}."
        )
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
    name = called(function)
    return function.__module__.rpartition(".")[2] if name == "segment_function" else name
