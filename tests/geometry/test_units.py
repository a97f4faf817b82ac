"""Units that people give are known ones; those that files have may be any."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dask_blockwise as dbw
from dask_blockwise import Volume, create_volume
from dask_blockwise.cli import main

ARRAY = np.ones((4, 4), np.uint8)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, near: Any) -> None:
    monkeypatch.chdir(tmp_path)
    Volume.from_array(ARRAY, unit="nm").to_zarr("a.zarr/x", progress=False)


GIVEN = {
    "from_array": lambda unit: Volume.from_array(ARRAY, unit=unit),
    "open_volume": lambda unit: dbw.open_volume("a.zarr/x", unit=unit),
    "open_levels": lambda unit: dbw.open_levels("a.zarr/x", unit=unit)[0],
    "create_volume": lambda unit: create_volume("b.zarr/x", shape=(4, 4), dtype="u1", unit=unit),
    "command": lambda unit: main(["info", "a.zarr/x", "--unit", unit]),
}


@pytest.mark.parametrize("given", GIVEN)
def test_a_unit_that_nobody_knows_is_refused(given: str, capsys: Any) -> None:
    with pytest.raises((ValueError, SystemExit)) as caught:
        GIVEN[given]("foo")
    told = capsys.readouterr().err + str(caught.value)
    assert "No unit is called 'foo'" in told
    assert all(known in told for known in ("nanometer", "micrometer", "angstrom", "second", "nm"))
    assert not Path("b.zarr").exists()


@pytest.mark.parametrize("given", [name for name in GIVEN if name != "command"])
@pytest.mark.parametrize(
    ("unit", "known"),
    [
        *(("um", "micrometer"), ("Nanometres", "nanometer"), ("\u00b5m", "micrometer")),
        *(("\u00c5", "angstrom"), ("pixel", "pixel"), ("1/3 nanometer", "1/3 nanometer"), ("", "")),
    ],
    ids=["um", "spelled", "micro sign", "angstrom sign", "pixel", "a part", "none"],
)
def test_any_usual_spelling_of_one_is_known(given: str, unit: str, known: str) -> None:
    made = GIVEN[given](unit)
    assert made.unit == known or (unit == "" and given.startswith("open"))


def test_what_is_likely_meant_is_named() -> None:
    with pytest.raises(ValueError, match="did you mean micrometer"):
        Volume.from_array(ARRAY, unit="micrometr")
    with pytest.raises(ValueError, match="No unit is called 'bar'"):
        Volume.from_array(ARRAY, unit=["nm", "bar"])
    with pytest.raises(TypeError, match="A unit is text such as 'nanometer', got 4"):
        Volume.from_array(ARRAY, unit=[4, "nm"])


def test_a_file_may_have_any_unit() -> None:
    xarray = pytest.importorskip("xarray")
    along = {name: (name, np.arange(4.0), {"units": "degrees"}) for name in "yx"}
    made = Volume.from_xarray(xarray.DataArray(ARRAY, along, ("y", "x")))
    assert made.unit == "degrees"
