"""Runs killed before any change of a store: the same call goes on, is right, and leaves nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

KILLING = Path(__file__).parents[1] / "killing.py"


def killings(scenario: str, place: str, every: int, first: int) -> list[dict[str, Any]]:
    command = [
        sys.executable,
        "-W",
        "ignore",
        str(KILLING),
        scenario,
        place,
        f"{every}",
        f"{first}",
    ]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    told = [json.loads(line) for line in ran.stdout.splitlines()]
    assert not [each for each in told if each.get("raised")], ran.stderr[-3000:]
    return told


def assert_well(told: list[dict[str, Any]], least: int) -> None:
    assert len(told) >= least
    for each in told:
        assert each == {"call": each["call"], "right": True, "runs still": 0, "litter": []}


@pytest.mark.parametrize(
    ("scenario", "every", "least"),
    [
        ("new", 3, 4),
        ("new, zarr 2", 3, 5),
        ("overwritten", 5, 6),
        ("done again, zarr 2", 5, 6),
        ("levels", 7, 4),
        ("levels done again", 13, 4),
        ("objects", 13, 4),
        ("objects overwritten", 23, 4),
        ("precomputed", 7, 4),
        ("precomputed overwritten", 11, 3),
        ("precomputed done again", 11, 3),
    ],
)
def test_the_same_call_goes_on_after_a_kill(scenario, every, least, tmp_path):
    assert_well(killings(scenario, str(tmp_path), every, 2), least)


def test_it_does_in_a_bucket(bucket):
    assert_well(killings("objects", f"{bucket}/killed", 17, 1), 2)
