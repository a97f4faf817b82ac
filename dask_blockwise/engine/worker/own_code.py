"""The code of a person's own modules that a run is of, and the check that a worker has the same.

Functions of modules travel by name, so a worker runs what it imported: maybe long ago, or from
another file than the driver's process has in memory.
"""

from __future__ import annotations

import os
import platform
import socket
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from importlib.machinery import SourceFileLoader
from pathlib import Path
from uuid import uuid4

from ...recipes import content_digest
from ...recipes.by_name import MISSING, Name, Standing, standing_of, value_of
from ...recipes.installed import is_shared
from ...recipes.said import is_said
from .import_anew import forget_modules, source_of, with_neighbours

__all__ = ["OtherCodeError", "OwnCode"]

_here = uuid4().hex
_lock = threading.RLock()
# What was found to be another here for good reasons, by a name: there and here.
_accepted: set[tuple[Name, Standing, Standing | None]] = set()


class OtherCodeError(RuntimeError):
    """A worker has other code than the run is of."""


@dataclass(frozen=True)
class OwnCode:
    """What a run's functions find by name in a person's own modules, as the driver has it."""

    standing: Mapping[Name, Standing] = field(default_factory=dict)
    # Of each module: its file, and the digest of the file's text as it is now.
    files: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    # Modules that something changed as they were imported, as pytest does.
    rewritten: frozenset[str] = frozenset()
    # Threads of the driver's process have what it has.
    process: tuple[str, int] = ("", 0)
    python: str = ""

    @classmethod
    def of(cls, names: Iterable[Name]) -> OwnCode:
        """The code under names in this process."""
        standing = standing_of(names)
        modules = {module: sys.modules[module] for module, _ in standing}
        files = {
            name: (str(getattr(module, "__file__", "")), _digest(source_of(module)))
            for name, module in modules.items()
        }
        plain = {n for n, m in modules.items() if type(m.__loader__) is SourceFileLoader}
        rewritten = frozenset(modules.keys() - plain)
        return cls(standing, files, rewritten, (_here, os.getpid()), _python())

    def check(self) -> None:
        """See that this process has the same, by importing anew what it has otherwise.

        Raises
        ------
        OtherCodeError
            If it still has something else.
        """
        if not self.standing or self.process == (_here, os.getpid()) or self.python != _python():
            return
        with _lock:
            self._import_all()
            now = self._renewed()
            for name in sorted(now):
                if self._counts(name, now[name]):
                    raise OtherCodeError(self._told(name))
            _accepted.update((name, self.standing[name], now[name]) for name in now)

    @contextmanager
    def checked(self) -> Iterator[None]:
        """Within the body this process has the same, and no other run has it changed."""
        with _lock:
            self.check()
            yield

    def _import_all(self) -> None:
        for module in sorted(self.files):
            try:
                import_module(module)
            except Exception as error:
                raise OtherCodeError(
                    f"The worker {_place()} cannot import {module!r} as the process that started "
                    f"the run did, from {self.files[module][0]}: {type(error).__name__}: {error}. "
                    "Put the file where the worker imports from (its working folder, PYTHONPATH, "
                    "client.upload_file), or mend it."
                ) from error

    def _renewed(self) -> dict[Name, Standing | None]:
        """What still differs when all that could be another has been imported anew."""
        renewed: set[str] = set()
        while differing := self._differing():
            stale = with_neighbours({module for module, _ in differing})
            if stale <= renewed:
                break
            forget_modules(stale)
            renewed |= stale
            # May lead to further modules that were here before.
            self._import_all()
        return differing

    def _differing(self) -> dict[Name, Standing | None]:
        names = {name for name in self.standing if is_shared(name[0])}
        here = standing_of(names)
        found = {name: here.get(name) for name in names if here.get(name) != self.standing[name]}
        return {
            name: standing
            for name, standing in found.items()
            if (name, self.standing[name], standing) not in _accepted
        }

    def _counts(self, name: Name, here: Standing | None) -> bool:
        """Whether a difference is one of code, not of the machine or the moment."""
        module, path = name
        source = source_of(sys.modules.get(module))
        if module in self.rewritten or not source or not path:
            return False
        if here is None or value_of(name) is MISSING:
            return True
        with suppress(SyntaxError, ValueError):
            return is_said(source, path, code_alone=here.code != self.standing[name].code)
        return True

    def _told(self, name: Name) -> str:
        module, path = name
        there, digest = self.files[module]
        here = sys.modules.get(module)
        file = str(getattr(here, "__file__", there))
        found = f"{module}.{path} is not the same on the worker {_place()} as in the process"
        if _digest(source_of(here)) == digest:
            return (
                f"{found} that started the run, though both have the same {file}. That process "
                f"imported {Path(file).name} before it was changed, or changed {path} since: "
                f"restart the notebook's kernel, or importlib.reload the module {module!r} and "
                "those that import from it, and run again. This worker has run no block of it."
            )
        return (
            f"{found} that started the run: it imports {file}, which is another than {there} is "
            "there. Copy the file to where the worker imports it from. This worker has run no "
            "block of it."
        )


def _digest(text: str) -> str:
    return content_digest(text.encode("utf-8", "surrogatepass"))


def _python() -> str:
    return ".".join(platform.python_version_tuple()[:2])


def _place() -> str:
    return f"on {socket.gethostname()} (process {os.getpid()})"
