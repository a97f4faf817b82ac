"""What is said of an output without running anything, and what is done again from its record."""

from __future__ import annotations

import getpass
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from scipy.ndimage import gaussian_filter

import dask_blockwise as dbw
from dask_blockwise import Volume
from dask_blockwise.cli import main
from dask_blockwise.storage.claims import Claim

SHAPE, CHUNKS = (16, 16), (8, 8)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def raw() -> Any:
    values = np.random.default_rng(0).integers(0, 200, SHAPE).astype(np.uint8)
    return zarr.create_array("in.zarr/raw", data=values, chunks=CHUNKS)


def above(level: float = 100, sigma: float = 1) -> Volume:
    raw = dbw.open_volume("in.zarr/raw")
    smooth = dbw.map_overlap(gaussian_filter, raw, halo=4, boundary="reflect", sigma=sigma)
    return dbw.threshold(smooth, level)


@pytest.fixture
def stored(raw: Any, client: Any) -> Any:
    above().to_zarr("out.zarr/above", client=client, progress=False, notes={"by": "hand"})
    return raw


def test_an_unchanged_output_is_current(stored, capsys):
    found = dbw.status("out.zarr/above")
    assert found
    assert found.is_current
    assert (found.blocks, found.done, found.missing, found.altered) == (4, 4, 0, 0)
    main(["status", "out.zarr/above"])
    assert "4 of 4 blocks are done" in capsys.readouterr().out


def test_what_changed_is_told_without_running(stored, capsys):
    stored[0, 0] += 1
    Path("out.zarr/above/s0/c/1/1").unlink()
    zarr.open_array("out.zarr/above/s0")[0:8, 8:16] = 3
    found = dbw.status("out.zarr/above")
    assert not found
    assert (found.missing, found.altered) == (1, 1)
    assert found.changes == ("input in.zarr/raw: 1 of 4 chunks changed",)
    with pytest.raises(SystemExit) as ended:
        main(["status", "out.zarr/above"])
    assert ended.value.code == 1
    told = capsys.readouterr().out
    assert "1 of 4 blocks lack files" in told
    assert "1 of 4 chunks changed" in told


def test_of_a_volume_that_is_about_to_be_stored_there(stored):
    assert dbw.status("out.zarr/above", above()).is_current
    assert dbw.status("out.zarr/above", above(120)).changes == ("threshold 100 -> 120",)
    assert dbw.status("out.zarr/above", above(sigma=2)).changes == ("sigma 1 -> 2",)


def test_a_path_without_a_record(raw):
    for path in ("in.zarr/raw", "nowhere.zarr/x"):
        said = "there is no such file" if "nowhere" in path else "has no record of a computation"
        with pytest.raises(FileNotFoundError, match=said):
            dbw.status(path)


def test_of_a_container_it_is_said_of_all_that_was_stored_in_it(stored, client, capsys):
    with pytest.raises(FileNotFoundError, match=r"What is stored below it is out\.zarr/above"):
        dbw.status("out.zarr")
    above(90).to_zarr("out.zarr/more/low", client=client, progress=False, pyramid=1)
    main(["status", "out.zarr"])
    told = capsys.readouterr().out
    assert re.findall(r"^(\S+): 4 of 4 blocks", told, re.MULTILINE) == [
        "out.zarr/above",
        "out.zarr/more/low",
    ]
    stored[0, 0] += 1
    with pytest.raises(SystemExit, match="1"):
        main(["status", "out.zarr"])


@pytest.mark.parametrize("left", [b"", b'{"tiling": ["val', b"[]"], ids=["empty", "cut", "other"])
def test_a_damaged_header_of_marks_is_named_and_no_matter(left, stored, client, capsys):
    Path("out.zarr/above/s0/.dask_blockwise/task.json").write_bytes(left)
    with pytest.raises(SystemExit, match="1"):
        main(["status", "out.zarr/above"])
    told = capsys.readouterr().out
    assert "nothing is known to be done" in told
    assert "/task.json is damaged or not there: the same call" in told
    summary = above().to_zarr("out.zarr/above", client=client, progress=False)
    assert summary
    assert dbw.status("out.zarr/above")


def test_the_record_says_what_it_was_made_by_and_from(stored):
    found = dbw.provenance("out.zarr/above")
    assert [stage["stage"] for stage in found.stages] == [
        "open",
        "map_overlap",
        "threshold",
    ]
    assert "sigma" in json.dumps(found.stages[1]["parameters"])
    assert found.inputs[0]["path"] == "in.zarr/raw"
    assert found.inputs[0]["parts"] == 4
    assert (found.host, found.user) == (socket.gethostname(), getpass.getuser())
    assert found.packages["numpy"] == np.__version__
    assert found.begin <= found.end
    assert found.notes == {"by": "hand"}
    kept = json.loads(Path("out.zarr/above/zarr.json").read_text())["attributes"]
    assert kept["dask_blockwise"]["digest"] == found.digest
    assert "ome" in kept


def test_it_is_computed_again_from_its_record(stored, client):
    before = dbw.open_volume("out.zarr/above")[:]
    again = dbw.rerun("out.zarr/above", to="out.zarr/again", client=client, progress=False)
    assert again["again"].completed == 4
    assert np.array_equal(dbw.open_volume("out.zarr/again")[:], before)
    Path("out.zarr/above/s0/c/0/0").unlink()
    assert dbw.rerun("out.zarr/above", client=client, progress=False)["above"].completed == 1
    assert np.array_equal(dbw.open_volume("out.zarr/above")[:], before)


def test_in_a_process_that_never_made_the_volume(stored):
    code = (
        "import dask_blockwise as dbw\n"
        "if __name__ == '__main__':\n"
        "    assert dbw.status('out.zarr/above').is_current\n"
        "    dbw.rerun('out.zarr/above', to='out.zarr/again', progress=False)\n"
    )
    Path("again.py").write_text(code)
    done = subprocess.run([sys.executable, "again.py"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    one, other = (dbw.open_volume(f"out.zarr/{name}")[:] for name in ("above", "again"))
    assert np.array_equal(one, other)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="gives files to another user")
def test_code_of_somebody_else_is_not_run_unasked(stored, client):
    os.chown("out.zarr/above/s0/.dask_blockwise/volume.pickle", 12345, -1)
    assert "belongs to somebody else" in dbw.status("out.zarr/above").unknown[0]
    with pytest.raises(PermissionError, match="trust=True"):
        dbw.rerun("out.zarr/above", client=client, progress=False)
    assert dbw.rerun("out.zarr/above", client=client, progress=False, trust=True)


def test_arrays_in_memory_are_not_kept(client, monkeypatch):
    monkeypatch.setattr("dask_blockwise.volumes.kept_volume._LARGEST", 100)
    Volume.from_array(np.eye(16)).to_zarr("out.zarr/eye", client=client, progress=False)
    assert "in memory" in dbw.status("out.zarr/eye").unknown[0]
    with pytest.raises(ValueError, match="was not kept: it holds an array"):
        dbw.rerun("out.zarr/eye", client=client, progress=False)


def test_an_output_that_another_run_writes_is_left_alone(stored, client):
    before = dbw.open_volume("out.zarr/above")[:]
    with Claim("out.zarr/above/s0/.dask_blockwise"):
        for options in ({}, {"overwrite": True}, {"on_change": "redo"}):
            with pytest.raises(BlockingIOError, match=rf"since .*process {os.getpid()}.*Wait for"):
                above(90).to_zarr("out.zarr/above", client=client, progress=False, **options)
    assert np.array_equal(dbw.open_volume("out.zarr/above")[:], before)
    above().to_zarr("out.zarr/above", client=client, progress=False)
    assert not list(Path("out.zarr/above/s0/.dask_blockwise").glob("run*"))


def test_it_looks_through_checkpoints(raw, client):
    def cells() -> Volume:
        kept = above().checkpoint("out.zarr/mask")
        return dbw.relabel(dbw.connected_components(kept))

    cells().to_zarr("out.zarr/cells", client=client, progress=False)
    assert dbw.status("out.zarr/cells").is_current
    assert [found["path"] for found in dbw.provenance("out.zarr/mask").inputs] == ["in.zarr/raw"]
    assert dbw.provenance("out.zarr/cells").checkpoints == [f"{Path.cwd()}/out.zarr/mask"]
    raw[0, 0] += 1
    (told,) = dbw.status("out.zarr/cells").changes
    assert told.endswith("out.zarr/mask: input in.zarr/raw: 1 of 4 chunks changed")
    Path("out.zarr/mask/s0/c/1/1").unlink()
    assert len(dbw.status("out.zarr/cells").changes) == 2


def test_of_a_script_it_is_not_known_whether_its_functions_changed(raw):
    code = (
        "import dask_blockwise as dbw\n"
        "def twice(array):\n"
        "    return array * 2.0\n"
        "if __name__ == '__main__':\n"
        "    raw = dbw.open_volume('in.zarr/raw')\n"
        "    dbw.map_overlap(twice, raw).to_zarr('out.zarr/twice', progress=False)\n"
    )
    Path("script.py").write_text(code)
    subprocess.run([sys.executable, "script.py"], check=True)
    found = dbw.status("out.zarr/twice")
    assert not found.is_current
    (why,) = found.unknown
    assert re.match("whether twice changed, as only the script", why)
    assert "4 of 4 blocks are done" in str(found)
    assert str(found).splitlines()[2] == "All that could be looked at holds."
    # What isn't current goes before what isn't known.
    for code in "3", "1":
        with pytest.raises(SystemExit, match=code):
            main(["status", "out.zarr/twice"])
        Path("out.zarr/twice/s0/c/0/0").unlink(missing_ok=True)
    assert "All that could be" not in str(dbw.status("out.zarr/twice"))


def test_equal_thresholds_are_the_same(stored, client):
    again = above(100.0).to_zarr("out.zarr/above", client=client, progress=False)
    assert again["above"].completed == 0


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        ({"verify": "contents"}, ValueError, "verify must be one of stamps, content, none"),
        ({"on_change": "again"}, ValueError, "on_change must be one of ask, redo"),
        ({"roi": (slice(0, 8), slice(0, 8))}, TypeError, "roi must be a Roi"),
    ],
    ids=["verify", "on_change", "roi"],
)
def test_mistakes_are_told_before_any_work(raw, client, options, error, told):
    with pytest.raises(error, match=told):
        above().to_zarr("out.zarr/above", client=client, progress=False, **options)
    assert not Path("out.zarr").exists()


def test_what_was_recorded_otherwise_is_not_compared(stored, client):
    with pytest.raises(FileExistsError, match=r'recorded by verify="stamps"') as refused:
        above().to_zarr("out.zarr/above", client=client, progress=False, verify="content")
    assert "chunks changed" not in str(refused.value)


def test_an_output_whose_marks_were_deleted_is_known_again_once_stored(stored, client):
    shutil.rmtree("out.zarr/above/s0/.dask_blockwise")
    above().to_zarr("out.zarr/above", client=client, progress=False)
    assert dbw.status("out.zarr/above")
    assert dbw.rerun("out.zarr/above", client=client, progress=False)
