"""What is installed, and so known by its name and version, and what is a person's own code."""

from __future__ import annotations

import sys
import sysconfig
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from xxhash import xxh3_64

__all__ = [
    "PYTHON",
    "Distribution",
    "distribution_of",
    "file_of",
    "installed_tree",
    "is_shared",
    "may_be_imported",
    "named",
]

_OWN = __name__.partition(".")[0]
_MISSING = object()
_FOLDERS = {"site-packages", "dist-packages"}


@dataclass(frozen=True)
class Distribution:
    """What a package manager installed."""

    name: str
    version: str


PYTHON = Distribution("Python", f"{sys.version_info.major}.{sys.version_info.minor}")


def installed_tree(name: str, distribution: Distribution) -> dict[str, Any]:
    return {
        "@": "installed",
        "name": name,
        "from": distribution.name,
        "version": distribution.version,
    }


def distribution_of(module: str | None, file: str | None = None) -> Distribution | None:
    """What a module was installed with; None for a person's own.

    The name decides nothing where there is a file: a person may call a module as one of Python's.
    """
    if not module or module in ("__main__", "__mp_main__"):
        return None
    return _distribution(module.partition(".")[0], file_of(module) or file)


def is_shared(module: str | None) -> bool:
    """Whether a module is a person's own, and one that other processes import by its name too."""
    if not module or module in ("__main__", "__mp_main__"):
        return False
    spec = getattr(sys.modules.get(module), "__spec__", None)
    return spec is not None and distribution_of(module) is None


def file_of(module: str) -> str | None:
    """Where a module that was imported lies; a namespace package's first folder."""
    found = sys.modules.get(module)
    file = getattr(found, "__file__", None)
    if file is None:
        file = next(iter(getattr(found, "__path__", ())), None)
    return file if isinstance(file, str) else None


@lru_cache(maxsize=4096)
def _distribution(top: str, file: str | None) -> Distribution | None:
    if top == _OWN:
        return _named_distribution(top)
    if file is None:
        return PYTHON if top in sys.stdlib_module_names else None
    if _FOLDERS & set(Path(file).parts) or _is_beside_its_record(top, Path(file)):
        return _providing(top, file)
    within = any(Path(file).is_relative_to(folder) for folder in _stdlib())
    return PYTHON if within else None


def _is_beside_its_record(top: str, file: Path) -> bool:
    """Whether it was installed in any other folder, as ``pip install --target`` does."""
    folders = {file.parent, *(each.parent for each in file.parents if each.name == top)}
    # That of a checkout is an .egg-info.
    if not any(any(folder.glob("*.dist-info")) for folder in folders):
        return False
    return any(Path(str(each.locate_file(""))) in folders for each in _providers(top))


@cache
def _stdlib() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    return tuple(
        {paths["stdlib"], paths["platstdlib"], str(Path(sys.modules["os"].__file__ or "").parent)}
    )


@cache
def _named_distribution(name: str) -> Distribution:
    one = _called(name)
    return Distribution(name, one.version if one else "unknown")


def _called(name: str) -> metadata.Distribution | None:
    return next(filter(_is_whole, metadata.distributions(name=name)), None)


def _is_whole(distribution: metadata.Distribution) -> bool:
    """Whether it is more than what a broken update left behind."""
    # What tells of it, as its name and version are read from; an .egg-info may be a file itself.
    told = next(filter(None, map(distribution.read_text, ("METADATA", "PKG-INFO", ""))), "")
    return all(f"\n{field}:" in f"\n{told}" for field in ("Name", "Version"))


@cache
def _providers(top: str) -> list[metadata.Distribution]:
    """As ``packages_distributions``, which takes most of a second: it looks at every file."""
    having = [each for each in metadata.distributions() if _provides(each, top)]
    # Of two of a name the first is imported.
    named = {each.name: each for each in reversed(having) if _is_whole(each)}
    return [named[name] for name in sorted(named)]


def _provides(distribution: metadata.Distribution, top: str) -> bool:
    if told := distribution.read_text("top_level.txt"):
        return top in told.split()
    listed = distribution.read_text("RECORD")
    if listed is None:
        return any(file.parts[0].partition(".")[0] == top for file in distribution.files or ())
    return any(f"\n{top}{end}" in f"\n{listed}" for end in "/.")


def _providing(top: str, file: str) -> Distribution:
    """The distribution with a module; of several that share a namespace the one with the file."""
    called = _called(top)
    if called is not None and _provides(called, top):
        return Distribution(top, called.version)
    found = _providers(top)
    several = found if len(found) > 1 else []
    having = (each for each in several if _lists(each, file))
    one = next(having, found[0] if found else called)
    if one is None:
        return Distribution(top, _unknown(top, Path(file)))
    return Distribution(one.name, one.version)


def _lists(distribution: metadata.Distribution, file: str) -> bool:
    return any(file.endswith(str(each)) for each in distribution.files or ())


def _unknown(top: str, file: Path) -> str:
    """In place of a version, what tells a module that no package manager knows from an edited one.

    It may be a person's own, put beside what is installed.
    """
    root = next((folder for folder in (file, *file.parents) if folder.name == top), file)
    if not root.exists():  # as within a zip file
        return "unknown"
    digest = xxh3_64()
    for each in sorted(root.rglob("*.py")) if root.is_dir() else [root]:
        digest.update(f"{each.relative_to(root)}\n".encode())
        digest.update(each.read_bytes())
    return f"unknown, {digest.hexdigest()}"


def named(module: str | None, qualname: Any) -> Any:
    """What a module has under a name, or what is equal to nothing else."""
    found: Any = sys.modules.get(module or "", _MISSING)
    for part in str(qualname).split("."):
        found = getattr(found, part, _MISSING)
    return found


def may_be_imported(module: str) -> Distribution | None:
    """What a module is installed with that code names in an import, found without importing it."""
    top = module.partition(".")[0]
    if top in sys.modules:
        return distribution_of(module if module in sys.modules else top)
    try:
        spec = find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    places = [spec.origin, *(spec.submodule_search_locations or ())]
    file = next((place for place in places if place and place not in ("built-in", "frozen")), None)
    return distribution_of(top, file)
