"""Measure every row of the table of speed, and write it to docs/speed.md.

    python -m benchmarks                    # all of them, some minutes
    python -m benchmarks stages imports     # those of these commands; others stay as they are
    python -m benchmarks --print            # print the table as it stands there

Each row is one command, which can be run by itself: ``python benchmarks/imports.py``. Figures are
ratios of one run. A machine that was busy with something else is said to have been: on it, ratios
beside what uses other resources mean little.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
from functools import cache
from pathlib import Path

import psutil

from .rows import ROWS, Row

PAGE = Path(__file__).parents[1] / "docs/speed.md"
BEGIN, END = "<!-- the table of benchmarks -->\n", "<!-- its end -->\n"
HEAD = "| work | against | figure | target | command |\n|---|---|---|---|---|\n"
# Of all cores, by others, above which a machine isn't quiet; for how long that is looked at.
QUIET_PERCENT, QUIET_SECONDS = 20, 2.0


@cache
def output_of(command: str) -> tuple[str, bool]:
    """What a command of this folder prints, run once, and whether others were busy before it."""
    was_busy = psutil.cpu_percent(interval=QUIET_SECONDS) > QUIET_PERCENT
    print(f"{command} ...", file=sys.stderr, flush=True)
    file, *given = command.split()
    run = [sys.executable, str(Path(__file__).with_name(file)), *given]
    done = subprocess.run(run, stdout=subprocess.PIPE, text=True, check=False)
    return done.stdout if done.returncode == 0 else "", was_busy


def figure_of(row: Row) -> str:
    """What a row comes to now."""
    if row.lacks:
        return row.lacks
    output, was_busy = output_of(row.command)
    return row.found_in(output) + " (busy)" * was_busy


def known(page: str) -> dict[tuple[str, str], str]:
    """Figures that a page has, by work and what it is beside."""
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| ")]
    figures = {(cells[0][2:], cells[1]): cells[2] for cells in rows if len(cells) == 5}
    return {key: figure for key, figure in figures.items() if key != ("work", "against")}


def table(figures: dict[tuple[str, str], str]) -> str:
    """All rows."""
    lines = [
        f"| {row.work} | {row.against} | {figures.get((row.work, row.against), 'not measured')} "
        f"| {row.target} | `python benchmarks/{row.command}` |\n"
        for row in ROWS
    ]
    return HEAD + "".join(lines)


def main() -> None:
    """Measure, and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = sorted({row.file.stem for row in ROWS})
    parser.add_argument("commands", nargs="*", metavar="command", help=", ".join(names))
    parser.add_argument("--print", action="store_true", help="measure nothing")
    given = parser.parse_args()
    if unknown := set(given.commands) - set(names):
        parser.error(f"{', '.join(sorted(unknown))} measures no row; {', '.join(names)} do.")
    page = PAGE.read_text()
    figures = known(page)
    for row in () if given.print else ROWS:
        asked = not given.commands or row.file.stem in given.commands
        # Where it can't be run, the figure of another machine stays.
        if asked and not (row.lacks and (row.work, row.against) in figures):
            figures[row.work, row.against] = figure_of(row)
    made = table(figures)
    print(made)
    if not given.print:
        before, _, rest = page.partition(BEGIN)
        machine = f"Last run on {os.cpu_count()} cores, Python {platform.python_version()}.\n\n"
        PAGE.write_text(before + BEGIN + machine + made + END + rest.partition(END)[2])


if __name__ == "__main__":
    main()
