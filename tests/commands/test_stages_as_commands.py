"""Each command gives what its function gives, or numpy and scipy."""

from __future__ import annotations

import json
import math
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from distributed import Client
from scipy.ndimage import gaussian_filter, label

import dask_blockwise as dbw
from dask_blockwise.cli import main

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

OFFSETS = [(-1, 0, 0), (0, -1, 0), (0, 0, -1), (0, -3, 0), (0, 0, -3)]
WRITTEN = " ".join(",".join(map(str, offset)) for offset in OFFSETS)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, near: Client) -> Path:
    """The present one, with a volume, affinities, a network and a function."""
    monkeypatch.chdir(tmp_path)
    smooth = gaussian_filter(np.random.default_rng(0).random((24, 32, 32)), 2)
    raw = (255 * (smooth - smooth.min()) / np.ptp(smooth)).astype(np.uint8)
    where = {"voxel_size": (40, 4, 4), "unit": "nanometer"}
    volume = dbw.Volume.from_array(raw, **where, chunks=(12, 16, 16))
    volume.to_zarr("in.zarr/raw", progress=False)
    labels = dbw.Volume.from_array(raw // 50 * 10, **where, chunks=(12, 16, 16))
    labels.to_zarr("in.zarr/labels", progress=False)
    affinities = np.stack([np.roll((raw > 90) * raw, n, 2) for n in range(len(OFFSETS))])
    dbw.Volume.from_array(
        affinities, **where, axes="czyx", chunks=(5, 12, 16, 16), stands_for=(0, 1)
    ).to_zarr("in.zarr/affinities", progress=False)
    logits = np.random.default_rng(1).normal(size=(3, 4, 8, 8)).astype(np.float32)
    dbw.Volume.from_array(logits, axes="czyx").to_zarr("in.zarr/logits", progress=False)
    torch.manual_seed(0)
    torch.jit.script(torch.nn.Conv3d(1, 3, 3, padding=1)).save("net.pt")
    Path("cells.py").write_text(
        "from scipy.ndimage import label\n\n"
        "def segment_function(array, block, least):\n    return label(array > least)[0]\n"
    )
    return tmp_path


def raw() -> dbw.Volume:
    return dbw.open_volume("in.zarr/raw")


def affinities() -> dbw.Volume:
    return dbw.open_volume("in.zarr/affinities")


def logits() -> dbw.Volume:
    return dbw.open_volume("in.zarr/logits")


Made = Callable[[], dbw.Volume]
STAGES: dict[str, tuple[str, Made]] = {
    "predict": (
        "in.zarr/raw OUT --model net.pt --activation sigmoid --normalize 128,64 --device cpu",
        lambda: dbw.predict(
            raw(), "net.pt", activation="sigmoid", normalize=(128, 64), device="cpu"
        ),
    ),
    "threshold": ("in.zarr/raw OUT --value 128", lambda: dbw.threshold(raw(), 128)),
    "activate": (
        "in.zarr/logits OUT --activation sigmoid --isel c=1:3",
        lambda: dbw.activate(logits().isel(c=slice(1, 3)), "sigmoid"),
    ),
    "argmax": ("in.zarr/affinities OUT", lambda: dbw.argmax(affinities())),
    "watershed": (
        f'in.zarr/affinities OUT --offsets "{WRITTEN}" --bias 0.4 --min-size 3',
        lambda: dbw.relabel(dbw.watershed(affinities(), offsets=OFFSETS, bias=0.4), min_size=3),
    ),
    "segment": (
        "in.zarr/raw OUT --function cells.py --halo 2,4,4 --parameter least=120",
        lambda: dbw.relabel(dbw.segment(raw(), "cells.py", halo=(2, 4, 4), least=120)),
    ),
    "renumber": (
        "in.zarr/labels OUT --min-size 9",
        lambda: dbw.renumber(dbw.open_volume("in.zarr/labels"), min_size=9),
    ),
}


@pytest.mark.parametrize("command", STAGES)
def test_a_command_stores_what_its_function_makes(command: str, folder: Path) -> None:
    line, made = STAGES[command]
    main([command, *shlex.split(line.replace("OUT", "out.zarr/it")), "--no-progress"])
    stored = dbw.open_volume("out.zarr/it")
    made().to_zarr("out.zarr/other", progress=False)
    other = dbw.open_volume("out.zarr/other")
    assert np.array_equal(stored[:], other[:])
    assert stored[:].any()
    assert (stored.roi, stored.dtype, stored.unit) == (other.roi, other.dtype, other.unit)


def test_components_are_those_of_scipy(folder: Path) -> None:
    quiet = ["--no-progress"]
    main(["threshold", "in.zarr/raw", "out.zarr/mask", "--value", "140", *quiet])
    main(["connected-components", "out.zarr/mask", "out.zarr/cells", *quiet])
    expected, count = label(raw()[:] > 140)
    found = dbw.open_volume("out.zarr/cells")[:]
    assert len(np.unique(np.stack([found.ravel(), expected.ravel()]), axis=1).T) == count + 1


def test_touching_objects_of_a_mask_are_split(folder: Path) -> None:
    y, x = np.mgrid[:40, :60]
    balls = [(y - 20) ** 2 + (x - at) ** 2 < 12**2 for at in (20, 40)]
    mask = (balls[0] | balls[1]).astype(np.uint8)
    dbw.Volume.from_array(mask, chunks=(20, 20)).to_zarr("in.zarr/balls", progress=False)
    call = "watershed in.zarr/balls out.zarr/cells --seeds distance --halo 20 --no-progress"
    main([*call.split(), "--parameter", "sigma=1.0"])
    found = dbw.open_volume("out.zarr/cells")[:]
    assert np.array_equal(found > 0, mask > 0)
    assert len(np.unique(found)) == 3
    for ball, middle in zip(balls, (20, 40), strict=True):
        assert (found[ball & (abs(x - middle) < 8)] == found[20, middle]).all()


def test_fragments_are_joined_by_a_further_command(folder: Path) -> None:
    quiet = ["--no-progress"]
    ws = ["watershed", "in.zarr/affinities", "out.zarr/fragments", "--offsets", WRITTEN]
    main([*ws, "--fragments", *quiet])
    inputs = ["out.zarr/fragments", "in.zarr/affinities"]
    main(["agglomerate", *inputs, "out.zarr/a", "--offsets", WRITTEN, "--keep-scratch", *quiet])
    main(
        ["agglomerate", "out.zarr/a.scratch", inputs[1], "out.zarr/b", *quiet, "--offsets", WRITTEN]
    )
    main(["relabel", "out.zarr/fragments", "out.zarr/c", "--match", "touch", *quiet])
    fragments = dbw.open_volume("out.zarr/fragments")
    few = shlex.split(f'--offsets "{" ".join(WRITTEN.split()[:3])}" --affinities.isel c=0:3')
    main(["agglomerate", *inputs, "out.zarr/f", *few, *quiet])
    direct = affinities().isel(c=slice(0, 3))
    dbw.agglomerate(fragments, direct, offsets=OFFSETS[:3]).to_zarr("out.zarr/g", progress=False)
    merged = dbw.agglomerate(fragments, affinities(), offsets=OFFSETS)
    merged.to_zarr("out.zarr/d", progress=False)
    dbw.relabel(fragments, match="touch").to_zarr("out.zarr/e", progress=False)
    a, b, c, d, e, f, g = (dbw.open_volume(f"out.zarr/{name}")[:] for name in "abcdefg")
    assert np.array_equal(a, d)
    assert np.array_equal(b, d)
    assert np.array_equal(c, e)
    assert np.array_equal(f, g)


def test_options_of_input_and_output_are_heeded(folder: Path) -> None:
    opened = ["--voxel-size", "2,0.5,0.5", "--unit", "micrometer"]
    stored = ["--block-shape", "24,16,16", "--pyramid", "--zarr-format", "2", "--notes", "why"]
    main(["convert", "in.zarr/raw", "out.zarr/raw", *opened, *stored, "--no-progress"])
    levels = dbw.open_levels("out.zarr/raw")
    assert len(levels) > 1
    assert levels[0].block_shape == (24, 16, 16)
    assert levels[0].placement.written_size == (2, 0.5, 0.5)
    assert dbw.provenance("out.zarr/raw").notes == "why"
    assert np.array_equal(levels[0][:], raw()[:])


def test_what_is_outside_of_a_mask_is_left_out_and_a_page_tells_of_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inside = np.zeros((24, 32, 32), np.uint8)
    inside[2:9, 3:14, 4:15] = 1
    where = {"voxel_size": (40, 4, 4), "unit": "nanometer"}
    dbw.Volume.from_array(inside, **where).to_zarr("in.zarr/inside", progress=False)
    call = ["threshold", "in.zarr/raw", "out.zarr/mask", "--value", "128"]
    call += ["--within", "in.zarr/inside", "--skip-if", "0"]
    main([*call, "--plan"])
    assert re.search(r"12 x 16 x 16 +8 +7 ", capsys.readouterr().out)
    main([*call, "--report", "run.json", "--no-progress"])
    assert np.array_equal(dbw.open_volume("out.zarr/mask")[:], (raw()[:] > 128) & (inside > 0))
    (task,) = json.loads(Path("run.json").read_text())["tasks"]
    assert (task["completed"], task["empty"]) == (1, 7)


def test_a_region_alone_is_computed_again(folder: Path) -> None:
    call = ["threshold", "in.zarr/raw", "out.zarr/mask", "--value", "128", "--no-progress"]
    main(call)
    stored = dbw.open_volume("out.zarr/mask")
    whole = stored[:]
    for chunk in Path("out.zarr/mask/s0/c/1").rglob("*"):
        if chunk.is_file():
            chunk.unlink()
    main([*call, "--roi", "0:480,0:128,0:128", "--on-change", "redo"])
    assert not dbw.open_volume("out.zarr/mask")[12:].any()
    main(call)
    assert np.array_equal(dbw.open_volume("out.zarr/mask")[:], whole)


def test_a_plan_goes_by_the_type_that_is_stored(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for dtype in ("uint8", "uint32"):
        call = ["threshold", "in.zarr/raw", "out.zarr/mask", "--value", "128", "--dtype", dtype]
        main([*call, "--plan"])
        size = math.prod(raw().shape) * np.dtype(dtype).itemsize
        assert f" {size / 1024:.2f} kiB " in capsys.readouterr().out
    with pytest.raises(SystemExit, match="2"):
        main([*call[:-1], "uint4", "--plan"])
    assert "can't be stored as uint4" in capsys.readouterr().err


def test_a_plan_runs_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["threshold", "in.zarr/raw", "out.zarr/mask", "--value", "128", "--plan"])
    assert "12 x 16 x 16       8" in capsys.readouterr().out
    assert not Path("out.zarr").exists()


def test_precomputed_data_is_what_cloud_volume_reads(folder: Path) -> None:
    main(["convert", "in.zarr/raw", "pre", "--to", "precomputed", "--no-progress"])
    assert np.array_equal(dbw.open_volume("pre")[:], raw()[:])
    assert Path("pre/info").is_file()


def test_any_stage_is_stored_as_precomputed_data(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inside = np.zeros((2, 2, 2), np.uint8)
    inside[0, 0, 0] = 1
    within = dbw.Volume.from_array(inside, voxel_size=(480, 64, 64), unit="nanometer")
    within.to_zarr("in.zarr/inside", progress=False)
    call = shlex.split("threshold in.zarr/raw pre --value 128 --to precomputed --encoding png")
    main([*call, "--within", "in.zarr/inside", "--plan"])
    assert re.search(r"result: 8_8_40 +12 x 16 x 16 ", capsys.readouterr().out)
    assert not Path("pre").exists()
    main([*call, "--within", "in.zarr/inside", "--report", "run.json", "--no-progress"])
    expected = raw()[:] > 128
    expected[12:], expected[:, 16:], expected[:, :, 16:] = 0, 0, 0
    assert np.array_equal(dbw.open_volume("pre")[:], expected)
    assert json.loads(Path("pre/info").read_text())["scales"][0]["encoding"] == "png"
    first, *_ = json.loads(Path("run.json").read_text())["tasks"]
    assert (first["completed"], first["empty"]) == (1, 7)


@pytest.mark.parametrize(
    "line, said",
    [
        (
            "threshold in.zarr/row o.zarr/m --value 1",
            "in.zarr/row: there is no such file",
        ),
        ("relabel in.zarr/labels o.zarr/m --min-iou 3", "--min-iou must be in (0, 1], got 3"),
        ("argmax in.zarr/affinities o.zarr/m --cluster slurm", "--cluster slurm needs --workers"),
        ("watershed in.zarr/raw o.zarr/m", "Or give --seeds distance where this is a mask"),
        ("watershed in.zarr/raw o.zarr/m --parameter seed=1", "watershed has no parameter 'seed'"),
        (
            "activate in.zarr/logits o.zarr/m --activation softmax --isel c=0:1",
            "has one alone, which would be 1 everywhere",
        ),
        ("convert in.zarr/raw o.zarr/m --encoding png", "--encoding can't be chosen of OME-Zarr"),
        ("convert in.zarr/raw o --to precomputed --dtype uint8", "--dtype can't be chosen of prec"),
        ("convert in.zarr/raw o --to precomputed --pyramid", "--pyramid can't be chosen"),
        (
            "argmax in.zarr/affinities o.zarr/m --no-segmentation",
            "--segmentation can't be chosen",
        ),
        (
            "segment in.zarr/raw o.zarr/m --function no.where:f --halo 1",
            "no.where:f can't be imp",
        ),
        ("segment in.zarr/raw o.zarr/m --function cells.py --halo 1", "needs"),
        (
            "connected-components in.zarr/labels o.zarr/m --fragments --min-size 3",
            "--min-size is of whole objects",
        ),
        ("predict in.zarr/raw o.zarr/m --model net.pt --normalize mean", "--normalize takes dtype"),
        (
            "argmax in.zarr/affinities o.zarr/m --scheduler tcp://127.0.0.1:1 --workers 2",
            "--scheduler names a cluster that runs, of which --workers can't be chosen",
        ),
        ("argmax in.zarr/affinities o.zarr/m --workers 1 --walltime 3h", "walltime"),
        ("argmax in.zarr/affinities o.zarr/m --scheduler no.json", "There is no scheduler file no"),
        ("argmax in.zarr/affinities o.zarr/m --roi 0:8", "has 1 axes, and the volume 3"),
        ("threshold in.zarr/raw o.zarr/m --value nan", "threshold got NaN as value"),
        ("objects in.zarr/raw --mean path=in.zarr/raw", "--mean can't call a volume 'path'"),
        ("threshold in.zarr/raw o.zarr/m --value 1 --timeout 0", ": --timeout must be a positive"),
        ("threshold in.zarr/raw o.zarr/m --value 1 --workers 5:2", ": --workers must be the least"),
        (
            "threshold in.zarr/raw o.zarr/m --value 1 --queue short",
            ": --queue says nothing of",
        ),
        (
            "watershed in.zarr/affinities o.zarr/m --offsets [[-1,0,0]]",
            "Invalid value for --offsets: it takes offsets with spaces between",
        ),
        ("convert in.zarr/raw o.zarr/m --voxel-size 2 1 1", "have commas between and no spaces"),
        ("pyramid in.zarr/raw --levels 0", "--levels: it takes a whole number of at least 1"),
        ("run nowhere.yaml", "There is no file nowhere.yaml: give a pipeline"),
        ("run net.pt", "net.pt is no text"),
    ],
    ids=str,
)
def test_a_mistake_is_told_in_the_words_of_the_command_line(
    line: str, said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(shlex.split(line))
    assert said in capsys.readouterr().err
    assert not Path("o.zarr").exists()


def test_what_has_changed_is_asked_about_as_an_option(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["threshold", "in.zarr/raw", "out.zarr/mask", "--no-progress", "--value"]
    main([*call, "128"])
    with pytest.raises(SystemExit, match="2"):
        main([*call, "90"])
    assert "pass --on-change redo; to replace all of it, --overwrite" in capsys.readouterr().err
    main([*call, "90", "--on-change", "redo"])
    assert np.array_equal(dbw.open_volume("out.zarr/mask")[:], raw()[:] > 90)
