"""What a module was installed with, beside what the standard library says."""

from __future__ import annotations

import importlib
from importlib import metadata

import pytest

from dask_blockwise.recipes.installed import distribution_of, file_of


def lies_where_packages_do(module: str) -> bool:
    return "site-packages" in (file_of(module) or "")


def test_modules_are_of_the_distribution_that_has_them() -> None:
    # Whose distributions are called otherwise, with and without a list of top-level names.
    for name in ("skimage", "yaml", "fsspec", "google_crc32c", "cc3d", "dateutil"):
        importlib.import_module(name)
    wanted = metadata.packages_distributions()
    found = {top: distribution_of(top) for top in wanted if lies_where_packages_do(top)}
    assert {"skimage", "yaml", "numpy"} < found.keys()
    for top, distribution in found.items():
        assert distribution is not None
        assert distribution.name.lower() in (top.lower(), *map(str.lower, wanted[top]))
        assert distribution.version == metadata.version(distribution.name)


def test_a_distribution_that_lists_only_its_files_is_found(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "site-packages"
    for number, module in enumerate(("flat_one.py", "deep_one/__init__.py", "old_one.py")):
        (place / module).parent.mkdir(parents=True, exist_ok=True)
        (place / module).touch()
        kind, listed = ("egg", "SOURCES.txt") if "old" in module else ("dist", "RECORD")
        told = place / f"other{number}-1.{number}.{kind}-info"
        told.mkdir()
        (told / ("PKG-INFO" if kind == "egg" else "METADATA")).write_text(
            f"Metadata-Version: 2.1\nName: other{number}\nVersion: 1.{number}\n"
        )
        (told / listed).write_text(f"{module}\n" if kind == "egg" else f"{module},,\n")
    monkeypatch.syspath_prepend(place)
    importlib.invalidate_caches()
    wanted = metadata.packages_distributions()
    for number, top in enumerate(("flat_one", "deep_one", "old_one")):
        importlib.import_module(top)
        found = distribution_of(top)
        assert found is not None
        assert (found.name, found.version) == (f"other{number}", f"1.{number}")
        assert wanted[top] == [found.name]
