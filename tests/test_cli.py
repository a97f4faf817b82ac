import dataclasses
import functools
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from distributed import Client
from matplotlib.image import imread

from dask_blockwise import cli, open_volume
from dask_blockwise.commands.demo import report
from dask_blockwise.demo import run as demo
from dask_blockwise.demo import samples
from dask_blockwise.demo.samples import Sample
from dask_blockwise.geometry.blocks import Roi
from dask_blockwise.volumes.volume import Volume

COMMANDS = [
    *("predict", "activate", "argmax", "threshold", "watershed", "segment", "connected-components"),
    *("relabel", "agglomerate", "renumber", "objects", "seams", "pyramid", "status", "info"),
    *("rerun", "convert", "meshes", "skeletons", "demo", "run", "plan"),
]


def cropped(load: Callable[[], Sample], roi: Roi) -> Sample:
    """A small part, so that the test is quick."""
    whole = load()

    def part(volume: Volume) -> Volume:
        return Volume.from_array(volume[roi], volume.voxel_size, roi.begin, unit=volume.unit)

    network = dataclasses.replace(whole.network, block_shape=(48, 32, 48))
    return Sample(part(whole.raw), part(whole.truth), network, whole.unseen.intersect(roi))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Demos of a few small blocks."""
    parts = {
        "mni152": (samples.mni152, Roi((-24, -50, 0), (48, 64, 48)), (slice(None), 40)),
        "fib25": (samples.fib25, Roi((1440, 0, 0), (480, 640, 480)), (40,)),
    }
    for name, (load, roi, section) in parts.items():
        loaded = functools.partial(cropped, load, roi)
        part = dataclasses.replace(demo.DEMOS[name], load=loaded, section=section)
        monkeypatch.setitem(demo.DEMOS, name, part)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["--version"])
    assert capsys.readouterr().out.strip() == version("dask_blockwise")


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["demmo"], 'Did you mean "demo"?'),
        (["demo", "--sample", "mouse"], 'Choose from: "mni152", "fib25"'),
        (["demo", "--workers", "two"], "--workers: it takes a whole number of at least 1, got 't"),
        (["demo", "--workers", "0"], "--workers: it takes a whole number of at least 1, got '0'"),
        (["demo", "--workers", "-1"], "--workers: it takes a whole number of at least 1, got '-1'"),
        (["demo", "--sampel", "fib25"], "Did you mean --sample"),
        (["demo", "too", "many"], "demo takes options alone, and was also given 'too', 'many'."),
        (["threshold"], "threshold needs VOLUME."),
        (["info", "a", "b"], "info takes PATH alone, and was also given 'b'."),
        (["threshold", "a.zarr/a", "a.zarr/b"], "threshold needs --value."),
        (["threshold", "a", "b", "--valeu", "2"], "Unknown option: --valeu. Did you mean --value?"),
        (["watershed", "a", "--sigma", "2"], "Unknown option: --sigma. What its function takes"),
        (
            ["argmax", "a", "b", "--isel", "c=x:2"],
            "--isel: it takes an axis and an index",
        ),
        (["threshold", "a", "b", "--value", "x"], 'convert "x" into float'),
        (["segment", "a", "b", "--function", "f", "--halo", "8;8"], "--halo: it takes whole num"),
        (["watershed", "a", "b", "--offsets", "-1,0 0,y"], "--offsets: it takes offsets with"),
        (["argmax", "a", "b", "--roi", "0:8,8:8"], "--roi: it takes begin:end for each axis"),
        (["argmax", "a", "b", "--workers", "0"], "leave it out for one process a core, got '0'"),
        (["argmax", "a", "b", "--workers", "1:2:3"], "or two such as 0:50"),
        (["objects", "a", "--mean", "raw"], "--mean: it takes a name and a value"),
        (["predict", "a", "b", "--model", "m", "--output-range", "1"], "it takes two numbers"),
    ],
    ids=str,
)
def test_wrong_arguments_are_named(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli.main(arguments)
    said = capsys.readouterr().err
    assert message in said
    known = arguments[0] != "demmo"
    assert f"See dask-blockwise {arguments[0] + ' ' if known else ''}--help." in said
    assert "Traceback" not in said


@pytest.mark.parametrize("command", [None, *COMMANDS], ids=str)
def test_help_says_what_to_type(command: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main([*([command] if command else []), "--help"])
    said = capsys.readouterr().out
    assert f"Usage: dask-blockwise {command or 'COMMAND'}" in said
    if command is None:
        assert all(re.search(rf"│ {name} +[A-Z]", said) for name in COMMANDS), "nothing told"
    else:
        assert re.search(rf"^ *dask-blockwise {command} ", said, re.MULTILINE), "no example"


def test_examples_in_help_are_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    app = cli.app()
    for command in COMMANDS:
        text = app[command].help.replace("\\\n", " ")
        lines = re.findall(r"^ *dask-blockwise (.+)$", text, re.MULTILINE)
        assert lines, command
        for line in lines:
            app.parse_args(shlex.split(line), exit_on_error=False, print_error=False)


def test_its_version_is_told_without_importing_what_commands_need() -> None:
    code = "import sys; from dask_blockwise.cli import main; main(['--version'])\n"
    code += "print('dask' in sys.modules, 'numpy' in sys.modules)"
    command = [sys.executable, "-c", code]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.split() == [version("dask_blockwise"), "False", "False"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_commands_and_options(shell: str) -> None:
    script = cli.app().generate_completion(shell=shell)
    assert all(word in script for word in ("watershed", "on-change", "max-retries", "slurm"))


def test_what_a_user_can_mend_ends_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def offline() -> Sample:
        raise FileNotFoundError("The sample could not be fetched.")

    monkeypatch.setitem(demo.DEMOS, "fib25", dataclasses.replace(demo.DEMOS["fib25"], load=offline))
    with pytest.raises(SystemExit, match="2"):
        cli.main(["demo", "--sample", "fib25", "--output", str(tmp_path), "--workers", "1"])
    assert "dask-blockwise: The sample could not be fetched.\n" in capsys.readouterr().err


def test_what_another_computation_left_is_neither_overwritten_nor_a_traceback(
    small: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = Volume.from_array(np.zeros((4, 4, 4), np.uint8))
    other.to_zarr(tmp_path / "demo-mni152.zarr/raw", progress=False)
    with pytest.raises(SystemExit, match="2"):
        cli.main(["demo", "--output", str(tmp_path), "--workers", "1"])
    assert re.search("dask-blockwise: .*raw has 1 finished block,", capsys.readouterr().err)
    assert open_volume(tmp_path / "demo-mni152.zarr/raw").shape == (4, 4, 4)


@pytest.mark.parametrize(
    "name, scores", [("mni152", {"Dice": (0.7, 1)}), ("fib25", {"VOI": (0, 2), "Rand": (0, 0.5)})]
)
def test_demo_stores_scores_pictures_and_goes_on(
    name: str,
    scores: dict[str, tuple[float, float]],
    small: None,
    client: Client,
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    result = demo.run_demo(name, tmp_path, client)
    report(result)
    raw, prediction, segments = (
        open_volume(result.container / path) for path in ("raw", "prediction", "segments")
    )
    assert prediction.roi == segments.roi == raw.roi
    assert segments.unit == raw.unit
    found = np.unique(segments[:])
    assert np.array_equal(found, np.arange(found.size))
    assert imread(result.picture)[..., :3].std() > 0.1
    for score, value in result.scores.items():
        least, most = next(limits for part, limits in scores.items() if part in score)
        assert least <= value <= most, score
    shown = capsys.readouterr().out
    assert re.search(r"^stage +blocks +seconds +Mvoxel/s +peak MB$", shown, re.MULTILINE)
    assert all(f"\n{stage} " in shown for stage in ("raw", "prediction", "segments: segment"))
    assert str(result.picture) in shown
    again = demo.run_demo(name, tmp_path, client)
    assert not any(task.completed for run in again.runs for task in run.tasks)
    assert again.scores == result.scores
