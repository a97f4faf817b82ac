"""All messages of errors, read from the code: a hook of mkdocs, which errors.md asks for."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parents[1] / "dask_blockwise"
MARK = "<!-- all messages -->"


def messages() -> Iterator[tuple[str, str, str]]:
    """Room, kind and text of each message that is raised, with ... for what is filled in."""
    for file in sorted(PACKAGE.rglob("*.py")):
        place = file.relative_to(PACKAGE)
        room = place.parts[0] if len(place.parts) > 1 else "calls of dacapo, command line"
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
                text = words(node.exc.args[0])
                if len(text) > 20:
                    yield room, ast.unparse(node.exc.func).rpartition(".")[2], text


def words(node: ast.AST) -> str:
    """The text of a string, of a formatted one with ... for its parts."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(words(v) if isinstance(v, ast.Constant) else "..." for v in node.values)
    return ""


def texts() -> set[str]:
    """All strings of the code, as messages may be put together elsewhere than they are raised."""
    found = set()
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Constant | ast.JoinedStr):
                found.add(re.sub(r"\s+", " ", words(node)))
    return found


def listed() -> str:
    """All of them, by room."""
    rooms: dict[str, list[str]] = {}
    for room, kind, text in messages():
        rooms.setdefault(room, []).append(f"- {kind}: {escape(text)}")
    parts = (f"### {room}\n\n" + "\n".join(lines) for room, lines in rooms.items())
    return "\n\n".join(parts)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """See mkdocs: the text of a page before it is made a page."""
    return markdown.replace(MARK, listed()) if MARK in markdown else markdown
