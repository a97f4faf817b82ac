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


def test_what_isnt_there_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", "nowhere.zarr", "a.zarr/truth"])
    assert ended.value.code == 2
    assert "nowhere.zarr" in capsys.readouterr().err
