"""The table of speed, and how figures come into it; nothing is measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.__main__ import BEGIN, END, known, table
from benchmarks.rows import ROWS, Row

PAGE = Path(__file__).parents[1] / "docs/speed.md"
STAGES = """\
threshold: 2.10 s
     0.73 times as fast as two bare processes (1.53 s)
gaussian with a halo of 8, then threshold: 6.50 s
     1.23 times as fast as dask.array.map_overlap (8.00 s)
     0.48 times as fast as two bare processes without a halo (3.12 s)
argmax of 8 channels: 1.20 s
     1.20 times as fast as two bare processes (1.44 s)
labels to 64 bits: 3.00 s
     0.85 times as fast as two bare processes (2.55 s)
"""
ENGINE = """\
a block costs daisy 2.0 2.1 times what it costs here (free)
a block costs daisy 2.0 1.8 times what it costs here (conflict)
"""
MEMORY = """\
gaussian, 256^3: a worker held 364 MB of 308 MB promised, 1.18
at most 1.18 of what was promised
"""


def test_each_row_finds_its_own_figure() -> None:
    of_stages = [row.found_in(STAGES) for row in ROWS if row.command == "stages.py"]
    assert of_stages == ["0.73", "1.23", "0.48", "1.20", "0.85"]
    outputs = {"engine.py": (ENGINE, "2.1"), "worker_memory.py": (MEMORY, "1.18")}
    for command, (output, figure) in outputs.items():
        (row,) = (row for row in ROWS if row.command == command)
        assert row.found_in(output) == figure
    assert ROWS[0].found_in("") == "the command failed"


def test_a_rival_that_is_not_installed_is_named() -> None:
    row = Row("work", "rival", "2", "engine.py", "", needs=("sys", "no_such_rival"))
    assert row.lacks == "no_such_rival not installed"
    assert Row("work", "rival", "2", "none.py", "").lacks == "no command yet"


def test_figures_stay_that_are_not_measured_again() -> None:
    figures = {(row.work, row.against): f"{n}.5 (busy)" for n, row in enumerate(ROWS)}
    assert known(table(figures)) == figures
    assert len(figures) == len(ROWS)


def test_the_page_has_the_table() -> None:
    shown = PAGE.read_text().partition(BEGIN)[2].partition(END)[0]
    assert known(shown).keys() == {(row.work, row.against) for row in ROWS}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.file.stem}-{ROWS.index(row)}")
def test_a_command_says_what_it_compares(row: Row) -> None:
    if row.file.exists():
        head = row.file.read_text().split('"""')[1]
        assert f"benchmarks/{row.file.name}" in head or f"benchmarks.{row.file.stem}" in head
