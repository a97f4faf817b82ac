"""A table of which tools' arrays open here, and which tools open what is written here.

``python -m benchmarks.formats`` makes environments of these tools in a folder (``--folder``),
prints both tables and writes them into ``docs/formats.md``; ``--only WORD`` tries those whose name
has the word, and writes nothing.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

from . import opened_elsewhere, opened_here
from .environments import python_of

PAGE = Path(__file__).parents[2] / "docs/formats.md"
AT_ONCE = 4
CACHE = Path.home() / ".cache/dask_blockwise/formats"


def main(folder: Path, only: str) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    writers = [name for name in opened_here.NAMES if only in name]
    readers = [name for name in opened_elsewhere.NAMES if only in name]
    for name in writers + readers:
        with suppress(RuntimeError):  # its rows say why
            python_of({**opened_here.NAMES, **opened_elsewhere.NAMES}[name][0], folder)
    with tempfile.TemporaryDirectory() as made, ThreadPoolExecutor(AT_ONCE) as pool:
        opened_elsewhere.write_all(Path(made))
        here = list(pool.map(partial(opened_here.row_of, environments=folder), writers))
        read = partial(opened_elsewhere.row_of, folder=Path(made), environments=folder)
        elsewhere = list(pool.map(read, readers))
    tables = {
        "opened here": table(opened_here.HEAD, here),
        "opened elsewhere": table(opened_elsewhere.HEAD, elsewhere),
    }
    for text in tables.values():
        print(text, end="\n\n")
    if not only:
        PAGE.write_text(with_tables(PAGE.read_text(), tables))
    return sum(
        any(cell.startswith(("no", "refused")) for cell in row) for row in (*here, *elsewhere)
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in lines)


def with_tables(page: str, tables: dict[str, str]) -> str:
    for name, text in tables.items():
        begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        before, _, rest = page.partition(begin)
        page = f"{before}{begin}\n{text}\n{end}{rest.partition(end)[2]}"
    return page


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=CACHE, help="of the environments")
    parser.add_argument("--only", default="", help="a word of the names that are tried")
    given = parser.parse_args()
    sys.exit(1 if main(given.folder, given.only) else 0)
