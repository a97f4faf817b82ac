"""All public names; a hook of mkdocs puts them where reference.md asks for them."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import isfunction
from typing import Any

import dask_blockwise
from dask_blockwise import Volume

MARK = "<!-- all public names -->"
ROOMS = {
    "volumes": "Volumes",
    "prediction": "Networks, classes, masks",
    "segmentation": "Fragments",
    "relabelling": "Objects",
    "reports": "Reports",
    "engine": "Tasks and clusters",
    "geometry": "Geometry",
    "": "As dacapo and daisy have it",
}
FIRST = next(iter(ROOMS))
# Classes of another library, and a second name of one.
ELSEWHERE = {
    "Coordinate": "A point or a step in the world, of whole numbers: `funlib.geometry.Coordinate`.",
    "Roi": "A box of the world, `Roi(begin, shape)`: `funlib.geometry.Roi`.",
    "DaCapoBlockwiseTask": "The same as `BlockwiseTask`, under the name that dacapo has for it.",
}


def names() -> Iterator[tuple[str, str, str]]:
    """Room, name and place of each public name."""
    for name in dask_blockwise.__all__:
        thing = getattr(dask_blockwise, name)
        parts = thing.__module__.split(".")
        room = parts[1] if len(parts) > 2 and parts[1] in ROOMS else ""
        if name in ("Coordinate", "Roi"):
            room = "geometry"
        yield room, name, f"{thing.__module__}.{thing.__qualname__}"


def methods() -> Iterator[str]:
    """Places of a volume's methods that are functions of files of their own."""
    for name, thing in vars(Volume).items():
        if isfunction(thing) and not name.startswith("_") and thing.__module__ != Volume.__module__:
            yield f"{thing.__module__}.{thing.__name__}"


def what_one_looks_for(row: tuple[str, str, str]) -> tuple[bool, bool, str]:
    """What comes first: a volume, functions, then other classes."""
    _, name, _ = row
    return name != "Volume", name[0].isupper(), name


def listed() -> str:
    """Sections of names, for mkdocstrings."""
    lines = []
    for room, title in ROOMS.items():
        lines.append(f"## {title}\n")
        for _, name, place in sorted(
            (row for row in names() if row[0] == room), key=what_one_looks_for
        ):
            if name in ELSEWHERE:
                lines.append(f"### {name}\n\n{ELSEWHERE[name]}\n")
            else:
                lines.append(f"::: {place}\n")
        if room == FIRST:
            lines.append("## Methods of a volume\n\n`volume.` and one of these.\n")
            lines += [f"::: {method}\n" for method in methods()]
    return "\n".join(lines)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """See mkdocs: the text of a page before it is made a page."""
    return markdown.replace(MARK, listed()) if MARK in markdown else markdown
