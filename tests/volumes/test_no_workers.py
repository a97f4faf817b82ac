"""A run that has no worker ends when it has waited for as long as it may; what is done is kept."""

import time

import numpy as np
import pytest
import yaml
from distributed import Client, LocalCluster

import dask_blockwise as dbw
from dask_blockwise.cli import main
from dask_blockwise.engine import crew
from dask_blockwise.engine.stopping import NoWorkers

CUBE = dbw.Volume.from_array(np.ones((4, 4, 4), np.uint8), unit="nm")
EYE = dbw.Volume.from_array(np.eye(8, dtype=np.uint16), chunks=(4, 4))


@pytest.fixture(scope="module")
def empty():
    """A cluster without any worker, which can be reached from elsewhere."""
    with (
        LocalCluster(n_workers=0, dashboard_address=":0", silence_logs=50) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


@pytest.fixture(autouse=True)
def looks_often(monkeypatch):
    monkeypatch.setattr(crew, "_LOOK_SECONDS", 0.1)


@pytest.fixture
def stored(tmp_path, near):
    """Objects, of which one block of four is missing."""
    EYE.to_zarr(tmp_path / "out.zarr/x", client=near, progress=False)
    (tmp_path / "out.zarr/x/s0/c/0/0").unlink()
    return str(tmp_path / "out.zarr/x")


RUNS = {
    "to_zarr": lambda path, **how: EYE.to_zarr(path, **how),
    "to_precomputed": lambda path, **how: CUBE.to_precomputed(f"{path}.precomputed", **how),
    "pyramid": lambda path, **how: dbw.pyramid(path, 1, **how),
    "meshes": lambda path, **how: dbw.meshes(CUBE, f"{path}.mesh", **how),
    "skeletons": lambda path, **how: dbw.skeletons(CUBE, f"{path}.skeletons", **how),
    "rerun": lambda path, **how: dbw.rerun(path, **how),
    "objects": lambda path, **how: EYE.objects(path=f"{path}.objects", **how),
}


@pytest.mark.parametrize("what", RUNS)
def test_it_ends_when_it_has_waited_long_enough(what, empty, stored, near):
    if what == "pyramid":
        EYE.to_zarr(stored, client=near, progress=False)
    begun = time.monotonic()
    with pytest.raises(NoWorkers, match=r"There was no worker for 0\.6 seconds\. Blocks in"):
        RUNS[what](stored, client=empty, progress=False, workers_timeout="600 ms")
    assert time.monotonic() - begun < 60


@pytest.mark.parametrize("what", [name for name in RUNS if name != "rerun"])
@pytest.mark.parametrize("limit", ["soon", 0, True], ids=repr)
def test_a_limit_that_makes_no_sense_is_refused_before_any_work(what, limit, tmp_path):
    with pytest.raises((TypeError, ValueError), match="workers_timeout must be a positive number"):
        RUNS[what](tmp_path / "x", workers_timeout=limit)
    assert list(tmp_path.iterdir()) == []


def test_what_is_done_is_kept_and_gone_on_with(empty, stored, near):
    with pytest.raises(NoWorkers):
        EYE.to_zarr(stored, client=empty, progress=False, workers_timeout=0.5)
    assert EYE.to_zarr(stored, client=near, progress=False).tasks[0].completed == 1
    assert np.array_equal(dbw.open_volume(stored)[:], np.eye(8))


def test_commands_and_files_of_pipelines_have_it_too(empty, stored, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    scheduler = ["--scheduler", empty.scheduler.address, "--no-progress"]
    command = ["threshold", "out.zarr/x", "out.zarr/y", "--value", "0"]
    told = {"volumes": {"x": {"open": "out.zarr/x"}, "y": {"threshold": "x", "value": 0}}}
    told["store"] = {"y": {"path": "out.zarr/y", "workers_timeout": "500 ms"}}
    (tmp_path / "file.yaml").write_text(yaml.safe_dump(told))
    del told["store"]["y"]["workers_timeout"]
    (tmp_path / "endless.yaml").write_text(yaml.safe_dump(told))
    limit = ["--workers-timeout", "500ms"]
    for line in (
        [*command, *limit],
        ["run", "file.yaml"],
        ["run", "endless.yaml", *limit],
        ["rerun", "out.zarr/x", *limit],
    ):
        with pytest.raises(SystemExit) as ended:
            main([*line, *scheduler])
        assert ended.value.code == 75
        assert "There was no worker for" in capsys.readouterr().err
