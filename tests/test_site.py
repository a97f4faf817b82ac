"""What the pages of docs say is so."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import yaml
from distributed import Client

import dask_blockwise
from dask_blockwise import cli

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


def script(name: str) -> ModuleType:
    """A script of docs, as a module."""
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pictures_are_those_that_the_script_draws() -> None:
    for name, content in script("draw").pictures().items():
        assert (DOCS / name).read_text() == content


def test_errors_are_quoted_as_the_code_says_them() -> None:
    module = script("messages")
    if not module.PACKAGE.is_dir():
        pytest.skip("the package's source isn't beside the tests")
    said = module.texts()
    quoted = re.findall(r"```text\n(.*?)\n```", (DOCS / "errors.md").read_text(), re.DOTALL)
    assert len(quoted) > 10
    for words in quoted:
        fixed = words.partition(": threshold 0.5")[0]
        assert any(fixed in text for text in said), fixed
    assert module.listed().count("\n- ") > 300


def test_every_public_name_is_in_the_reference() -> None:
    page = script("names").listed()
    for name in dask_blockwise.__all__:
        assert re.search(rf"[.#] ?{name}$", page, re.MULTILINE), name
    assert "::: dask_blockwise.volumes.storing.to_zarr" in page


def test_every_page_is_in_the_navigation() -> None:
    def pages(entry: Any) -> list[str]:
        if isinstance(entry, str):
            return [entry]
        inner = entry.values() if isinstance(entry, dict) else entry
        return [page for each in inner for page in pages(each)]

    listed = pages(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"])
    there = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    there |= {f"tutorials/{path.name}" for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert set(listed) == there


def test_links_of_notebooks_lead_to_pages_of_the_site() -> None:
    page = SimpleNamespace(file=SimpleNamespace(src_uri="tutorials/hpc.ipynb"))
    for written, expected in (
        ("../docs/seams.md", "../../seams/"),
        ("../docs/recipes/README.md", "../../recipes/"),
        ("hpc.ipynb", "../hpc/"),
        ("https://a.b/c.ipynb", "https://a.b/c.ipynb"),
    ):
        html = script("links").on_page_content(f'<a href="{written}">', page)
        assert html == f'<a href="{expected}">'


def test_notebooks_link_to_what_is_there() -> None:
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        for target in re.findall(r"\]\(([^)#:]+)[^):]*\)", path.read_text()):
            assert (path.parent / target.replace("\\n", "")).exists(), (path.name, target)


def test_every_yes_of_ours_links_the_page_that_shows_it() -> None:
    text = (DOCS / "comparison.md").read_text()
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \|(?: [^|]+ \|){6}$", text, re.MULTILINE)
    assert len(rows) > 20
    for what, ours in rows:
        linked = re.search(r"\]\((\w+\.md)\)", ours)
        assert ours in ("here", "no") or (linked and (DOCS / linked[1]).exists()), what
    assert "| — |" not in text


def test_factors_of_choosing_are_right() -> None:
    rows = re.findall(r"^\| (\d+) \| (.*) \|$", (DOCS / "choosing.md").read_text(), re.MULTILINE)
    assert len(rows) == 4
    for block, factors in rows:
        expected = [f"{(1 + 2 * halo / int(block)) ** 3:.2f}" for halo in (8, 16, 32, 64)]
        assert factors.split(" | ") == expected


@pytest.mark.parametrize("page", ["first_run.md"])
def test_code_of_a_page_runs(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, near: Client
) -> None:
    monkeypatch.chdir(tmp_path)
    text = (DOCS / page).read_text()
    names: dict[str, Any] = {}
    for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(code, names)
    assert len(names["table"]) > 1
    for line in re.findall(r"^dask-blockwise (.*)$", text, re.MULTILINE):
        cli.main(line.split())
    stored = dask_blockwise.open_volume
    assert (stored("first.zarr/again")[:] == stored("first.zarr/cells")[:]).all()


def test_pages_of_commands_have_calls_that_are_understood() -> None:
    for page in ("command_line.md", "pipelines.md"):
        text = (DOCS / page).read_text().replace("\\\n", " ")
        for line in re.findall(r"^dask-blockwise (\w[^#\n|]*?) *(?:#.*)?$", text, re.MULTILINE):
            arguments = [word.strip('"') for word in re.findall(r'"[^"]*"|\S+', line)]
            if arguments[0] != "COMMAND":
                cli.app().parse_args(arguments, exit_on_error=False, print_error=False)
