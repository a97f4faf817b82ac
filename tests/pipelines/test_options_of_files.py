"""What is wrong with options of a file is told before anything is stored, with line and key."""

import numpy as np
import pytest
import zarr

import dask_blockwise as dbw
from dask_blockwise.cli import main

FILE = """
volumes:
  raw: {open: in.zarr/raw}
  one: {checkpoint: raw, path: out.zarr/one}
  mask: {threshold: one, value: 3}
  both:
    numpy: [raw, 90]
    function: numpy:greater
store:
  one: out.zarr/first
  mask: {path: out.zarr/mask}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    grey = np.random.default_rng(0).integers(0, 255, (8, 8, 8), np.uint8)
    zarr.create_array("in.zarr/raw", data=grey)
    return tmp_path


def said(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main([command, "a.yaml", *["--no-progress"] * (command == "run")])
    assert ended.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("command", ["plan", "run"])
@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("zarr_format: 4", "zarr_format must be 2 or 3, got 4"),
        ("on_change: never", "on_change"),
        ("max_retries: -1", "max_retries"),
        ("workers_timeout: soon", "soon"),
        ("skip_if: word", "skip_if"),
        ("report: no/such/run.html", "no/such"),
        ("block_shape: [4, 4]", "block_shape must be 3"),
        ("pyramid: often", "A pyramid has True"),
        ("dtype: byte9", "dtype"),
        ("notes: .nan", "notes are texts"),
        ("to: precomputed, max_retries: -1", "max_retries"),
    ],
)
def test_an_option_of_a_later_volume_is_refused_before_the_first_is_stored(
    folder, capsys, command, option, words
):
    (folder / "a.yaml").write_text(FILE.replace("path: out.zarr/mask", f"path: m, {option}"))
    told = said(command, capsys)
    assert told.startswith("dask-blockwise: a.yaml:11: store.mask")
    assert words in told
    assert not (folder / "out.zarr").exists()


@pytest.mark.parametrize("command", ["plan", "run"])
def test_a_checkpoint_is_not_stored_over_what_it_is_computed_from(folder, capsys, command):
    (folder / "a.yaml").write_text(
        FILE.replace("path: out.zarr/one", "path: in.zarr/raw").replace("one: out.zarr/first", "")
    )
    before = dbw.open_volume("in.zarr/raw")[:]
    assert "is what this volume is computed from" in said(command, capsys)
    np.testing.assert_array_equal(dbw.open_volume("in.zarr/raw")[:], before)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            ("{threshold: one, value: 3}", "{watershed: one, seeds: distance, mask: roww}"),
            "a.yaml:5: volumes.mask.mask: volumes has no roww",
        ),
        (("threshold: one", "threshold: onne"), "a.yaml:5: volumes.mask.threshold: volumes has no"),
        (("[raw, 90]", "[raw, rwa]"), "a.yaml:7: volumes.both.numpy: volumes has no rwa"),
        (
            ("{threshold: one, value: 3}", "{predict: raw, model: a.pt, normalize: [1]}"),
            "a.yaml:5: volumes.mask.normalize: needs a text or a list of other length, got [1]",
        ),
    ],
)
def test_the_key_is_named_in_which_something_is_wrong(folder, capsys, change, told):
    (folder / "a.yaml").write_text(FILE.replace(*change))
    found = said("plan", capsys)
    assert told in found
    assert "needs normalize" not in found


@pytest.mark.parametrize("strides", [2, (1, 2), (0, 1, 1), (1, 1, 1.5)])
def test_strides_are_one_number_an_axis(strides):
    affinities = dbw.Volume.from_array(np.zeros((1, 4, 4, 4), np.float32))
    with pytest.raises(ValueError, match="strides must be a positive integer for each of the 3"):
        dbw.watershed(affinities, offsets=[(-1, 0, 0)], strides=strides)
