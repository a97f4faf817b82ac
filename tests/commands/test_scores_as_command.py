"""The command that scores stored labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from distributed import Client

import dask_blockwise as dbw
from dask_blockwise.cli import main


@pytest.fixture(autouse=True)
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, near: Client) -> None:
    monkeypatch.chdir(tmp_path)
    truth = np.kron([[1, 2], [3, 4]], np.ones((4, 4), int))
    for name, array in ("truth", truth), ("found", np.minimum(truth, 3)):
        dbw.Volume.from_array(array).to_zarr(f"a.zarr/{name}", client=near, progress=False)


def test_scores_are_those_of_the_function(capsys: pytest.CaptureFixture[str]) -> None:
    main(["evaluate", "a.zarr/found", "a.zarr/truth"])
    found = dbw.evaluate(dbw.open_volume("a.zarr/found"), dbw.open_volume("a.zarr/truth"))
    assert found.voi_merge == 0.5
    assert capsys.readouterr().out.strip() == str(found).strip()


def test_each_of_both_is_opened_as_its_options_say(
    capsys: pytest.CaptureFixture[str], near: Client
) -> None:
    """A part of the truth, in a file that knows nothing of its place, and labels in a channel."""
    found = dbw.open_volume("a.zarr/found")[:]
    several = np.stack([found * 0 + 1, found])
    dbw.Volume.from_array(several, axes="cyx").to_zarr("b.zarr", client=near, progress=False)
    np.save("part.npy", dbw.open_volume("a.zarr/truth")[2:8, 1:7])
    with pytest.raises(SystemExit):
        main(["evaluate", "b.zarr", "part.npy", "--isel", "c=1", "--truth.offset=9,9"])
    said = " ".join(capsys.readouterr().err.split())
    assert "--truth.voxel-size, --truth.offset, --truth.unit" in said
    given = ("--isel", "c=1", "--voxel-size", "8,8", "--unit", "nm")
    truth = ("--truth.voxel-size", "8,8", "--truth.offset", "16,8", "--truth.unit", "nm")
    main(["evaluate", "b.zarr", "part.npy", *given, *truth])
    part = dbw.Volume.from_array(np.load("part.npy"), offset=(2, 1))
    expected = dbw.evaluate(dbw.Volume.from_array(found), part)
    assert expected.voi_merge > 0
    assert capsys.readouterr().out.strip() == str(expected).strip()


def test_what_isnt_there_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", "nowhere.zarr", "a.zarr/truth"])
    assert ended.value.code == 2
    assert "nowhere.zarr" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--truth.voxel-size 0,8", "--truth.axes zyx"])
def test_what_is_wrong_is_said_of_the_volume_that_it_is_of(
    capsys: pytest.CaptureFixture[str], option: str
) -> None:
    name, value = option.split()
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", "a.zarr/found", "a.zarr/truth", name, value])
    assert ended.value.code == 2
    assert name in capsys.readouterr().err
