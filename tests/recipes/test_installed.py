"""What a module was installed with, beside what the standard library says."""

from __future__ import annotations

import importlib
import sys
from importlib import metadata
from pathlib import Path

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


def installed(place: Path, folder: str, told: str, *modules: str) -> None:
    """What a package manager leaves of a distribution."""
    for module in modules:
        (place / module).parent.mkdir(parents=True, exist_ok=True)
        (place / module).touch()
    (place / folder).mkdir()
    (place / folder / "RECORD").write_text("".join(f"{module},,\n" for module in modules))
    if told:
        (place / folder / "METADATA").write_text(f"Metadata-Version: 2.1\n{told}\n")


@pytest.mark.parametrize("where", ["site-packages", "target"])
@pytest.mark.parametrize(
    ("module", "left_behind"),
    [("broken_a", "~roken_a-1.dist-info"), ("broken_b", "broken_b-1.dist-info")],
    ids=["renamed", "emptied"],
)
def test_what_a_broken_update_left_behind_is_passed_over(
    module: str, left_behind: str, where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    top, place = f"{module}_{where[0]}", tmp_path / where
    installed(place, left_behind.replace(module[1:], top[1:]), "", f"{top}/__init__.py")
    whole = f"Name: {top}\nVersion: 2"
    installed(place, f"{top}-2.dist-info", whole, f"{top}/__init__.py")
    monkeypatch.syspath_prepend(place)
    importlib.import_module(top)
    found = distribution_of(top)
    assert found is not None
    assert (found.name, found.version) == (top, "2")


def test_a_distribution_that_is_called_as_another_s_module_is_not_taken_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "site-packages"
    installed(place, "shortname-9.dist-info", "Name: shortname\nVersion: 9", "elsewhere.py")
    installed(place, "shortnames-3.dist-info", "Name: shortnames\nVersion: 3", "shortname.py")
    monkeypatch.syspath_prepend(place)
    importlib.import_module("shortname")
    found = distribution_of("shortname")
    assert found is not None
    assert (found.name, found.version) == ("shortnames", "3")


@pytest.mark.parametrize("file", ["put_flat.py", "put_deep/inner.py"])
def test_an_edit_of_what_lies_there_without_a_version_is_noticed(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    top = Path(file).parts[0].removesuffix(".py")
    found = []
    for number in range(2):
        place = tmp_path / f"{number}/site-packages"
        (place / file).parent.mkdir(parents=True)
        if "/" in file:
            (place / top / "__init__.py").touch()
        (place / file).write_text(f"factor = {number}\n")
        monkeypatch.syspath_prepend(place)
        monkeypatch.delitem(sys.modules, top, raising=False)
        importlib.import_module(top)
        found.append(distribution_of(top))
    assert all(one is not None and one.name == top for one in found)
    assert found[0] != found[1]
