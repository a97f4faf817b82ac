"""Pipelines in files: what is written is read back as the same, what is wrong is told by line."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from distributed import Client
from scipy import special
from scipy.ndimage import gaussian_filter, label
from torch import nn

import dask_blockwise as dbw
from dask_blockwise.cli import main
from dask_blockwise.pipelines.making import made_of
from dask_blockwise.volumes.in_yaml import read_file

REGION = dbw.Roi((0, 0, 0), (52400, 64000, 64000))

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")

OFFSETS = [(-1, 0, 0), (0, -1, 0), (0, 0, -1), (0, -3, 0), (0, 0, -3)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, near: Client) -> Path:
    """With a volume, affinities, a mask, a network and a segment function."""
    path = tmp_path_factory.mktemp("pipelines")
    smooth = gaussian_filter(np.random.default_rng(0).random((24, 32, 32)), 2)
    raw = (255 * (smooth - smooth.min()) / np.ptp(smooth)).astype(np.uint8)
    where: dict[str, Any] = {"voxel_size": (5.24, 4, 4), "unit": "nanometer"}
    store = {"progress": False, "client": near}
    dbw.Volume.from_array(raw, **where, chunks=(12, 16, 16)).to_zarr(path / "in.zarr/raw", **store)
    affinities = np.stack([np.roll((raw > 90) * raw, n, 2) for n in range(len(OFFSETS))])
    dbw.Volume.from_array(
        affinities, **where, axes="czyx", chunks=(5, 12, 16, 16), stands_for=(0, 1)
    ).to_zarr(path / "in.zarr/affinities", **store)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.script(nn.Conv3d(1, 3, 3, padding=1)).save(str(path / "net.pt"))
    (path / "cells.py").write_text(
        "from scipy.ndimage import label\n\n"
        "def segment_function(array, block, least, sizes=()):\n    return label(array > least)[0]\n"
    )
    return path


@pytest.fixture(autouse=True)
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


def raw() -> dbw.Volume:
    return dbw.open_volume("in.zarr/raw")


def affinities() -> dbw.Volume:
    return dbw.open_volume(Path("in.zarr/affinities"))


def fragments(**more: Any) -> dbw.Volume:
    return dbw.watershed(affinities(), offsets=OFFSETS, bias=0.4, **more)


def mask() -> dbw.Volume:
    return dbw.threshold(raw(), 128)


SAID: dict[str, Callable[[], dbw.Volume]] = {
    "open": raw,
    "open, all options": lambda: dbw.open_volume(
        "in.zarr/raw", level=0, voxel_size=(2, 0.5, 0.5), unit="micrometer", on_missing="raise"
    ),
    "predict": lambda: dbw.predict(
        raw(), "net.pt", normalize=(128, 64), activation="sigmoid", device="cpu"
    ),
    "argmax": lambda: dbw.argmax(affinities()),
    "threshold, whole": mask,
    "threshold, float": lambda: dbw.threshold(raw(), np.float32(90.5)),
    "watershed": fragments,
    "watershed with a mask": lambda: fragments(mask=mask(), halo=(4, 4, 4), strides=(1, 2, 2)),
    "segment by a file": lambda: dbw.segment(raw(), "cells.py", halo=(2, 4, 4), least=9),
    "segment with a tuple": lambda: dbw.segment(
        raw(), "cells.py", halo=1, least=1, sizes=((1, 2), [3, (4,)])
    ),
    "segment by a function": lambda: dbw.segment(mask(), components, halo=1, roi=mask().roi),
    "components": lambda: dbw.connected_components(mask(), connectivity=2),
    "relabel, mutex": lambda: dbw.relabel(fragments(), min_size=3),
    "relabel, iou": lambda: dbw.relabel(fragments(), match="iou", min_iou=0.7),
    "relabel after a checkpoint": lambda: dbw.relabel(
        dbw.segment(mask().checkpoint("out.zarr/mask", compressor="zstd:9"), components, halo=1)
    ),
    "agglomerate": lambda: dbw.agglomerate(
        fragments(), affinities(), offsets=np.array(OFFSETS), method="mean", threshold=0.6
    ),
    "renumber": lambda: dbw.renumber(mask(), min_size=2),
    "map_overlap": lambda: dbw.map_overlap(
        gaussian_filter, raw(), halo=4, dtype=np.float32, boundary="reflect", sigma=1.5
    ),
    "map_overlap of two": lambda: dbw.map_overlap(np.add, raw(), mask(), dtype=np.dtype("u2")),
    "masked": lambda: raw().masked(mask(), fill=3),
    "masked by a region": lambda: raw().masked(REGION),
    "masked by regions": lambda: raw().masked([REGION, dbw.Roi((0, 0, 0), (16, 16, 16))]),
    "a checkpoint of what a mask has": lambda: (
        raw().checkpoint("out.zarr/some", mask=mask()).downsample(2)
    ),
    "a checkpoint of what regions have": lambda: (
        raw().checkpoint("out.zarr/some", mask=[REGION]).downsample(2)
    ),
    "a checkpoint within a mask": lambda: dbw.threshold(
        raw().masked(mask()).checkpoint("out.zarr/masked", skip_if=0), 0.5
    ),
    "predict, blended": lambda: dbw.predict(
        raw(), "net.pt", normalize=(128, 64), device="cpu", blend="linear", input_shape=(16,) * 3
    ),
    "an expression": lambda: dbw.connected_components(raw() > 90),
    "an expression of several": lambda: (0.5 * (raw() - 1.5) / np.sqrt(raw() + 1)).astype("f4"),
    "an expression of masks": lambda: ~mask().astype(bool) | (raw() < 30),
    "one volume twice": lambda: dbw.map_overlap(np.add, (one := raw()), one, dtype="uint16"),
    "views": lambda: (
        raw()
        .crop(dbw.Roi((0, 0, 8000), (125760, 64000, 64000)))
        .isel(z=slice(2, 20))
        .downsample((1, 2, 2))
        .transpose("x", "y", "z")
        .astype("float32")
        .rechunk((8, 8, 8))
    ),
}


def components(array: Any) -> Any:
    return label(array)[0]


@pytest.mark.parametrize("said", SAID)
def test_what_is_read_back_is_the_same(said: str) -> None:
    volume = SAID[said]()
    text = volume.to_yaml("written.yaml", store="out.zarr/it")
    assert Path("written.yaml").read_text() == text
    read = read_file(text, "written.yaml")
    (name,) = read.stored
    again = made_of(read)[name]
    assert again.token == volume.token
    assert (again.roi, again.dtype, again.block_shape) == (
        volume.roi,
        volume.dtype,
        volume.block_shape,
    )
    assert again.to_yaml(store="out.zarr/it") == text


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "a lambda": (lambda: dbw.map_overlap(lambda a: a, raw()), "function of map_overlap can't be"),
    "a network": (
        lambda: dbw.predict(raw(), nn.Conv3d(1, 1, 1), device="cpu"),
        "model of predict can't be said in a file: it is an object of Conv3d",
    ),
    "an array": (
        lambda: dbw.threshold(dbw.Volume.from_array(np.eye(4)), 0.5),
        r"<ArrayVolume .* can't be said in a file: .* Store it, and open what is stored",
    ),
    "a function beside numpy's": (
        lambda: special.expit(raw()),
        "function of numpy can't be said in a file: it is an object of ufunc",
    ),
    "a number of numpy's": (lambda: raw() + np.uint8(1), "what is read back is another computat"),
}


@pytest.mark.parametrize("given", ["volume", "region"])
def test_a_mask_of_what_is_stored_is_said_as_a_volume(given: str) -> None:
    store = {"path": "out.zarr/it", "mask": mask() if given == "volume" else REGION}
    with pytest.raises(ValueError, match=r"mask of store can.t be said|store has no mask"):
        raw().to_yaml(store=store)


@pytest.mark.parametrize("what", REFUSED)
def test_what_no_file_can_say_is_refused_in_words(what: str) -> None:
    made, words = REFUSED[what]
    with pytest.raises(ValueError, match=words):
        made().to_yaml()


WHOLE = """
volumes:
  raw: {open: in.zarr/raw}
  mask:
    threshold: raw
    value: 128
  cells:
    relabel: pieces
    min_size: 5
  pieces: {connected_components: mask}
store:
  mask: out.zarr/mask
  cells: {path: out.zarr/cells, pyramid: 1}
"""


@pytest.mark.parametrize(
    "old, new, said",
    [
        ("volumes:", "volume:", "p.yaml:1: a pipeline has volumes"),
        (WHOLE, "", "p.yaml:1: a pipeline has volumes"),
        (WHOLE, "- 3", "p.yaml:1: a pipeline has volumes"),
        (
            "threshold: raw",
            "treshold: raw",
            "p.yaml:3: volumes.mask: has no stage, got treshold, value: .* Did you mean threshold",
        ),
        ("value: 128", "value: high", "p.yaml:5: volumes.mask.value: needs a number, got 'high'"),
        ("value: 128", "min: 128", "p.yaml:5: volumes.mask.min: threshold has no min"),
        ("    value: 128\n", "", "p.yaml:3: volumes.mask: threshold needs value"),
        ("min_size: 5", "min_sise: 5", "p.yaml:8: .*min_sise; .* Did you mean min_size"),
        ("min_size: 5", "min_size: -5", "p.yaml:6: volumes.cells: min_size must be .* got -5"),
        ("min_size: 5", "match: best", "p.yaml:8: volumes.cells.match: .*'touch'.*, got 'best'"),
        ("relabel: pieces", "relabel: piece", "p.yaml:7: .*volumes has no piece; .*mean pieces"),
        ("threshold: raw", "threshold: cells", "is made of itself: mask < cells < pieces < mask"),
        ("in.zarr/raw", "in.zarr/row", "p.yaml:2: volumes.raw: No array at in.zarr/row"),
        ("raw: {", "raw: 3 #", "p.yaml:2: volumes.raw: a volume is its stage and what that"),
        ("  raw: {open", "  mask: {open", "p.yaml:3: mask is there twice, first in line 2"),
        ("pyramid: 1", "pyramids: 1", "p.yaml:12: store.cells.pyramids: .*Did you mean pyramid"),
        ("  mask: out", "  musk: out", "p.yaml:11: store.musk: volumes has no musk"),
        ("mask: out.zarr/mask", "mask: 3", "p.yaml:11: store.mask.path: needs a text, got 3"),
        (
            "mask: out.zarr/mask",
            "mask: 12:30:00",
            "needs a text, got 45000. Put it in quotes: YAML",
        ),
        ("store:", "stores:", "p.yaml:10: stores: a pipeline has no stores; .*mean store"),
        ("store:", "cluster: {workers: two}\nstore:", "p.yaml:10: cluster.workers: .*got 'two'"),
        ("store:", "cluster: {workers: 2}\nstore:", "p.yaml:10: cluster: cluster needs system"),
        ("value: 128", "value: !!python/object/apply:os.getcwd []", "isn't plain YAML"),
        ("value: 128", "value: &a [*a]", "p.yaml:5: volumes.mask.value"),
        ("value: 128", "value: [", "p.yaml:.*isn't plain YAML.*brackets and quotes are closed"),
        ("value: 128", "value: '128'", "needs a number, got '128'. Numbers stand without quotes"),
        ("zarr/raw}", "zarr/raw, unit: [1]}", "p.yaml:2: volumes.raw.unit: needs a text, got .1."),
        ("zarr/raw}", "zarr/raw, offset: '8,8,8'}", "offset: needs a list, .* such as .2, 0.5"),
        ("out.zarr/cells", "out.zarr/mask", "12: store.cells: Two volumes .* at .*out.zarr/mask"),
        ("out.zarr/cells", "in.zarr/raw", "12: store.cells: .* is what this volume is computed"),
        ("out.zarr/cells", "cells.tif", "12: store.cells: .* Choose a path such as out.zarr/name"),
        ("open: in", "open:in", "has no stage, got open:in.zarr/raw: .* with a space, and its"),
        (
            "connected_components: mask",
            "map_overlap: mask, function: numpy.sqrt, halo: 0",
            "p.yaml:9: volumes.pieces.function: .* got 'numpy.sqrt'. Did you mean numpy:sqrt.\n$",
        ),
        ("min_size: 5", "5: 5", "p.yaml:.*keys are names"),
    ],
    ids=range(34),
)
def test_what_is_wrong_is_told_with_line_and_key(
    old: str, new: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert WHOLE.count(old) == 1 or old in ("value: 128",)
    Path("p.yaml").write_text(WHOLE.replace(old, new, 1).lstrip("\n"))
    for command in ("run", "plan"):
        with pytest.raises(SystemExit, match="2"):
            main([command, "p.yaml"])
        error = capsys.readouterr().err
        assert re.search(said, error), error
        assert "Traceback" not in error
    assert not Path("out.zarr").exists()


def test_after_a_change_the_command_says_its_own_options(
    near: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "volumes:\n  raw: {open: in.zarr/raw}\n  mask: {threshold: raw, value: %s}\nstore:\n"
    where = "  mask: {path: changed.zarr/mask%s}\n"
    quiet = ["run", "changed.yaml", "--no-progress"]
    for value in (100, 120):
        Path("changed.yaml").write_text(text % value + where % "")
        if value == 100:
            main(quiet)
    with pytest.raises(SystemExit, match="2"):
        main(quiet)
    told = " ".join(capsys.readouterr().err.split())
    assert "threshold 100 -> 120" in told
    assert "pass --on-change redo" in told
    assert "--overwrite;" in told
    main([*quiet, "--on-change", "redo"])
    np.testing.assert_array_equal(dbw.open_volume("changed.zarr/mask")[:], raw()[:] > 120)
    # What the file says goes before.
    Path("changed.yaml").write_text(text % 140 + where % ", on_change: ask")
    with pytest.raises(SystemExit, match="2"):
        main([*quiet, "--on-change", "redo"])
    Path("changed.yaml").write_text(text % 140 + where % "")
    main([*quiet, "--overwrite"])
    np.testing.assert_array_equal(dbw.open_volume("changed.zarr/mask")[:], raw()[:] > 140)


def test_a_file_is_run_and_goes_on(near: Client, capsys: pytest.CaptureFixture[str]) -> None:
    Path("whole.yaml").write_text(WHOLE.replace("out.zarr", "ran.zarr"))
    main(["plan", "whole.yaml"])
    planned = capsys.readouterr().out
    assert not Path("ran.zarr").exists()
    assert "cells, to be stored at ran.zarr/cells:" in planned
    main(["run", "whole.yaml", "--no-progress"])
    expected, count = label(raw()[:] > 128)
    found = dbw.open_volume("ran.zarr/cells")[:]
    sizes = np.bincount(expected.ravel())[1:]
    assert found.max() == (sizes >= 5).sum()
    assert count
    assert len(dbw.open_levels("ran.zarr/cells")) == 2
    capsys.readouterr()
    main(["run", "whole.yaml", "--no-progress"])
    rows = [row.split() for row in capsys.readouterr().out.splitlines() if row.startswith("mask ")]
    assert rows[0][2:4] == ["0", "8"]


def test_what_is_worth_it_is_stored_on_the_way(
    near: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    smooth = raw()
    for _ in range(2):
        smooth = dbw.map_overlap(gaussian_filter, smooth, halo=4, sigma=1)
    smooth.to_yaml("auto.yaml", store={"path": "auto.zarr/smooth", "checkpoint": "auto"})
    main(["plan", "auto.yaml"])
    assert "result-gaussian_filter" in capsys.readouterr().out
    main(["run", "auto.yaml", "--no-progress"])
    assert Path("auto.zarr/smooth-gaussian_filter").is_dir()
    np.testing.assert_array_equal(dbw.open_volume("auto.zarr/smooth")[:], smooth[:])


def test_an_expression_is_worded_by_numpy() -> None:
    (raw() > 90).to_yaml("mask.yaml")
    words = "numpy: [raw, 90]\n    function: numpy:greater"
    assert words in Path("mask.yaml").read_text()
    for wrong, said in (
        ("numpy: [1, 2], function: numpy:greater", "at least one volume"),
        ("numpy: [raw, 2], function: numpy:sum", "voxel by voxel"),
        ("numpy: [row, 2], function: numpy:greater", "volumes has no row"),
        ("numpy: [raw], function: numpy:greater", "volumes.m: greater.*takes from 2"),
    ):
        with pytest.raises(ValueError, match=said):
            made_of(read_file(f"volumes: {{raw: {{open: in.zarr/raw}}, m: {{{wrong}}}}}", "m"))


def test_precomputed_data_are_stored(near: Client, capsys: pytest.CaptureFixture[str]) -> None:
    text = raw().to_yaml("pre.yaml", store={"path": "pre", "to": "precomputed", "encoding": "png"})
    main(["plan", "pre.yaml"])
    assert "result: 8_8" in capsys.readouterr().out
    main(["run", "pre.yaml", "--no-progress"])
    assert np.array_equal(dbw.open_volume("pre")[:], raw()[:])
    for old, new, said in (
        ("precomputed", "precomputd", "to has no precomputd; .*mean precomputed"),
        ("encoding", "compressor", "store has no compressor"),
    ):
        with pytest.raises(ValueError, match=said):
            read_file(text.replace(old, new), "pre.yaml")


def test_a_file_that_stores_nothing_says_how() -> None:
    Path("none.yaml").write_text("volumes: {raw: {open: in.zarr/raw}}")
    with pytest.raises(SystemExit, match="2"):
        main(["run", "none.yaml"])


def test_values_stay_what_they_are_over_many_aliases() -> None:
    laughs = "\n".join(f"  a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60))
    with pytest.raises(ValueError, match="a volume is its stage"):
        read_file(f"volumes:\n  a0: &a0 [x]\n{laughs}", "laughs.yaml")
