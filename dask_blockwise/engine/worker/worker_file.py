"""A Python file that says what to do with blocks, loaded as a module of its own."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from importlib.util import decode_source
from os import PathLike
from pathlib import Path
from types import ModuleType
from typing import Any

from ...geometry.blocks import Block

__all__ = ["FileFunction", "LacksName", "SpawnedWorker", "WorkerFile"]

_loading = threading.RLock()

_WORKER = (
    "spawn_worker(*args, **kwargs), fit ('valid', 'overhang' or 'shrink') and "
    "read_write_conflict (True or False)"
)


class LacksName(AttributeError, ValueError):
    """A file lacks what it needs: to Python an attribute, to people the wrong file."""


@dataclass(frozen=True)
class WorkerFile:
    """The text of a worker file, which travels to processes that may not see its path."""

    path: str
    source: str
    # What such a file must define, for people.
    needs: str = _WORKER
    # Of which package it is a module, so that its relative imports work.
    package: str = ""

    @classmethod
    def read(cls, path: str | PathLike[str], needs: str = _WORKER) -> WorkerFile:
        """Read a worker file.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If it is no text: in UTF-8, or in what its first lines say, as Python has it.
        """
        file = Path(path).expanduser().absolute()
        if not file.is_file():
            raise FileNotFoundError(
                f"There is no file {str(path)!r} (looked for {file}). Give the path of a Python "
                f"file with {needs}."
            )
        try:
            source = decode_source(file.read_bytes())
        except (UnicodeDecodeError, SyntaxError):
            raise ValueError(f"{file} is no text: give a Python file with {needs}.") from None
        return cls(str(file), source, needs, _package_of(file.parent))

    @property
    def module(self) -> ModuleType:
        """The file as a module, made once a process; files of the same name do not share one.

        Raises
        ------
        ImportError
            If it raises an error of its own.
        """
        with _loading:
            if self._module_name not in sys.modules:
                self._load()
            return sys.modules[self._module_name]

    @property
    def checks(self) -> FileFunction | tuple[FileFunction | None, FileFunction | None] | None:
        """Its ``check_function``, one or a pair, as something that can be pickled."""
        check = self.optional("check_function")
        if not isinstance(check, tuple):
            return FileFunction(self, "check_function") if check else None
        before, after = (
            FileFunction(self, "check_function", item) if function else None
            for item, function in enumerate(check)
        )
        return before, after

    def required(self, name: str) -> Any:
        """Something that the file must define.

        Raises
        ------
        LacksName
            If it does not.
        """
        if not hasattr(self.module, name):
            raise LacksName(f"The file {self.path} does not define {name}: it needs {self.needs}.")
        return getattr(self.module, name)

    def optional(self, name: str) -> Any:
        """Something that the file may define, else None."""
        return getattr(self.module, name, None)

    @cached_property
    def _module_name(self) -> str:
        digest = blake2b(f"{self.path}\n{self.source}".encode(), digest_size=8).hexdigest()
        return f"dask_blockwise_{Path(self.path).stem}_{digest}"

    def _load(self) -> None:
        module = ModuleType(self._module_name)
        module.__file__, module.__package__ = self.path, self.package
        sys.modules[self._module_name] = module
        try:
            exec(compile(self.source, self.path, "exec"), vars(module))
        except BaseException as error:
            del sys.modules[self._module_name]
            if not isinstance(error, Exception):
                raise
            raise ImportError(
                f"The file {self.path} can't be run, {type(error).__name__}{self._line_of(error)}: "
                f"{error}. It needs to be Python, with {self.needs}."
            ) from error

    def _line_of(self, error: Exception) -> str:
        """Where in the file it was, for people."""
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename == self.path]
        if isinstance(error, SyntaxError) and error.filename == self.path:
            lines.append(error.lineno)
        return f" in line {lines[-1]}" if lines else ""


@dataclass(frozen=True)
class FileFunction:
    """A function of a worker file, looked up in the process that calls it."""

    file: WorkerFile
    name: str
    # Position, where the file has a tuple of functions under the name.
    item: int | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._function(*args, **kwargs)

    def __recipe__(self) -> Any:
        """What the function does, wherever its file lies."""
        return self._function

    def __by_name__(self) -> list[Any]:
        return [self._function]

    @property
    def _function(self) -> Any:
        function = self.file.required(self.name)
        return function if self.item is None else function[self.item]


@dataclass(frozen=True)
class SpawnedWorker:
    """What ``spawn_worker`` of a file returns, made in the process that needs it."""

    file: WorkerFile
    args: Sequence[Any]
    kwargs: Mapping[str, Any]

    def __call__(self, block: Block) -> Any:
        return self.function(block)

    def __recipe__(self) -> Any:
        """What makes the process function, and of what, wherever the file lies."""
        return {"spawn_worker": self.spawn, "args": self.args, "kwargs": self.kwargs}

    def __by_name__(self) -> list[Any]:
        return [self.spawn]

    @property
    def spawn(self) -> Callable[..., Any]:
        """The file's ``spawn_worker``."""
        spawn: Callable[..., Any] = self.file.required("spawn_worker")
        return spawn

    @cached_property
    def function(self) -> Callable[..., Any]:
        """The process function, with its set-up done."""
        function: Callable[..., Any] = self.spawn(*self.args, **self.kwargs)
        if not callable(function):
            raise TypeError(
                f"spawn_worker of {self.file.path} returned {function!r}: it must return a "
                "function of a block, or one that takes nothing and asks Client() for blocks."
            )
        return function


def _package_of(folder: Path) -> str:
    """The dotted name of the package that a folder is, empty if it is none.

    Examples
    --------
    >>> _package_of(Path(__file__).parent)
    'dask_blockwise.engine.worker'
    """
    if not (folder / "__init__.py").is_file():
        return ""
    above = _package_of(folder.parent)
    return f"{above}.{folder.name}" if above else folder.name
