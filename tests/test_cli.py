import dataclasses
from pathlib import Path

import pytest

from dask_blockwise import cli, demo, sample
from dask_blockwise.geometry import Roi
from dask_blockwise.sample import Sample
from dask_blockwise.volume import Volume


def cropped(whole: Sample, roi: Roi) -> Sample:
    """A small part, so that the test is quick."""

    def part(volume: Volume) -> Volume:
        return Volume.from_array(
            volume[roi], volume.voxel_size, roi.begin, unit=volume.unit, chunks=(32, 64, 64)
        )

    unseen = whole.unseen.intersect(roi)
    return Sample(part(whole.raw), part(whole.truth), whole.network, unseen)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Demos of small parts; sections and halos are those of the real ones."""
    parts = {
        "mni152": (sample.mni152, Roi((-72, -58, -30), (64, 80, 60))),
        "fib25": (sample.fib25, Roi((1400, 0, 0), (480, 600, 600))),
    }
    for name, (load, roi) in parts.items():
        part = dataclasses.replace(
            demo.DEMOS[name], load=lambda load=load, roi=roi: cropped(load(), roi), section=40
        )
        monkeypatch.setitem(demo.DEMOS, name, part)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        cli.main(["--version"])
    assert capsys.readouterr().out.strip() == "0.1.0"


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([], "required: COMMAND"),
        (["demo", "--sample", "mouse"], "invalid choice: 'mouse'"),
        (["demo", "--workers", "two"], "invalid int value"),
    ],
)
def test_wrong_arguments_are_named(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli.main(arguments)
    assert message in capsys.readouterr().err


def test_what_a_user_can_mend_ends_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def offline() -> Sample:
        raise FileNotFoundError("The sample could not be fetched.")

    monkeypatch.setitem(demo.DEMOS, "fib25", dataclasses.replace(demo.DEMOS["fib25"], load=offline))
    with pytest.raises(SystemExit, match=r"^dask-blockwise: The sample could not be fetched\.$"):
        cli.main(["demo", "--sample", "fib25", "--output", str(tmp_path), "--workers", "1"])
