"""Segment volumes that do not fit one machine, block by block, with Dask.

Public names are those of ``__init__.pyi``; each is imported when it is first asked for.
"""

import copyreg
import sys
from importlib import import_module
from threading import RLock
from typing import Any

import lazy_loader

_imported, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
# `segment_blockwise` is a function and a module. lazy_loader has the package keep the function, by
# a type of module that pickle doesn't know; but functions that name the package travel to workers.
copyreg.pickle(type(sys.modules[__name__]), lambda module: (import_module, (module.__name__,)))
# Threads that import different modules at once may get halves of what these have in common.
_one_thread = RLock()


def __getattr__(name: str) -> Any:
    """A public name, or ``__version__``, which is only read where it is asked for."""
    if name == "__version__":
        from importlib.metadata import version

        return version("dask_blockwise")
    if name in __all__:
        with _one_thread:
            return _imported(name)
    package = sys.modules[__name__]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name, obj=package)
