"""The rows of the table of speed: which command measures what, and where its figure is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from shutil import which

__all__ = ["ROWS", "Row"]

_HERE = Path(__file__).parent
_NUMBER = r"(\d+\.?\d*)"


@dataclass(frozen=True)
class Row:
    """One row: a ratio of one run of a command."""

    work: str
    against: str
    target: str
    # A file of this folder, and what it is given.
    command: str
    # Where its output has the figure, as a pattern with one group; the last match counts.
    figure: str
    # Modules of rivals.
    needs: tuple[str, ...] = ()
    on_gpu: bool = False

    @property
    def file(self) -> Path:
        """What is run."""
        return _HERE / self.command.split()[0]

    @property
    def lacks(self) -> str:
        """Why it can't be run here; empty where it can."""
        if not self.file.exists():
            return "no command yet"
        if self.on_gpu and not which("nvidia-smi"):
            return "no GPU here"
        missing = [name for name in self.needs if find_spec(name) is None]
        return f"{', '.join(missing)} not installed" if missing else ""

    def found_in(self, output: str) -> str:
        """The figure."""
        found = re.findall(self.figure, output)
        return str(found[-1]) if found else "the command failed"


def _stage(title: str, rival: str) -> str:
    """The figure beside a rival in the output of stages.py, below the stage's title."""
    beside = rf"{_NUMBER} times as fast as {re.escape(rival)} \("
    return rf"(?m:^){re.escape(title)}: .*(?:\n    .*)*?\n +{beside}"


ROWS = (
    Row(
        "97,336 blocks that do nothing, two processes",
        "daisy 2.0 (Rust)",
        "5",
        "engine.py",
        rf"a block costs daisy 2.0 {_NUMBER} times .* \(free\)",
        needs=("daisy",),
    ),
    Row(
        "threshold 512^3 float32, chunks of 128, zarr to zarr",
        "two bare processes: read, compare, write",
        "0.95",
        "stages.py",
        _stage("threshold", "two bare processes"),
    ),
    Row(
        "gaussian, sigma 2, halo 8, then threshold, the same",
        "dask.array.map_overlap to zarr",
        "2",
        "stages.py",
        _stage("gaussian with a halo of 8, then threshold", "dask.array.map_overlap"),
    ),
    Row(
        "gaussian, sigma 2, halo 8, then threshold, the same",
        "two bare processes without a halo",
        "0.75",
        "stages.py",
        _stage("gaussian with a halo of 8, then threshold", "two bare processes without a halo"),
    ),
    Row(
        "argmax 8 x 256^3 float32 in memory, one core",
        "numpy.argmax",
        "4.9",
        "argmax.py",
        rf"{_NUMBER} times as fast as numpy.argmax",
    ),
    Row(
        "argmax 8 x 256^3 float32, zarr to zarr",
        "two bare numpy processes",
        "1.5",
        "stages.py",
        _stage("argmax of 8 channels", "two bare processes"),
    ),
    Row(
        'predict 8 blocks of 128^3 with the U-Net of fib25, `device="fastest"`',
        "two bare processes of one thread: forwards alone",
        "2.5",
        "prediction.py",
        rf"{_NUMBER} times as fast as two bare processes",
    ),
    Row(
        "predict 512^3 with the U-Net of fib25, on a GPU, four threads",
        "a bare loop: copy, forward, quantise, copy",
        "0.95",
        "gpu.py --threads 4",
        rf"{_NUMBER} of the bare loop's rate",
        on_gpu=True,
    ),
    Row(
        "mutex watershed, stitch, solve, relabel, fib25, blocks of 50 x 64 x 64",
        "its fragments with a halo of 16, stored: times as long",
        "at most 1.05",
        "seams.py --time",
        rf'match="mutex" +{_NUMBER} times',
    ),
    Row(
        "the same",
        "mwatershed alone, of the same boxes in memory, two processes",
        "0.95",
        "seams.py --time",
        rf'match="mutex" is {_NUMBER} times as fast',
    ),
    Row(
        "labels 512^3, uint32 to uint64, zarr to zarr",
        "two bare processes",
        "0.85",
        "stages.py",
        _stage("labels to 64 bits", "two bare processes"),
    ),
    Row(
        "relabel pass 512^3, uint32 to uint64",
        "read-write copy",
        "0.85",
        "relabel_pass.py",
        rf"relabel: .*, {_NUMBER} times the copy's rate",
    ),
    Row(
        "connected components 512^3, exact",
        "cc3d on the whole volume, one thread",
        "1",
        "components.py",
        rf"{_NUMBER} times as fast as cc3d",
    ),
    Row(
        "mean agglomeration, 2x10^6 pairs, seconds of a core",
        "bioimage-cpp",
        "3",
        "many_fragments.py 1000000 --method mean --rival",
        rf"bioimage-cpp works {_NUMBER} times as long",
    ),
    Row(
        "stages on two workers",
        "the same on one",
        "near 1",
        "scaling.py",
        rf"at least {_NUMBER} as efficient",
    ),
    Row(
        "reading from a store of 30 ms and 200 MB/s",
        "its bandwidth",
        "0.9",
        "object_store.py",
        rf"{_NUMBER} of 200 MB/s",
    ),
    Row(
        "memory of a worker, each stage, 128^3 and 256^3",
        "plan()",
        "at most 1.2",
        "worker_memory.py",
        rf"at most {_NUMBER} of what was promised",
    ),
    Row(
        "plan(measured=) of six volumes of up to 2048 x 512 x 512, by a run over a quarter of each",
        "what workers then took: off by %, where most",
        "at most 20",
        "foretold.py",
        rf"foretold within {_NUMBER} %",
    ),
    Row(
        "import dask_blockwise",
        "import dask.array, zarr, distributed",
        "at most 1.15",
        "imports.py",
        rf"import dask_blockwise: .* s, {_NUMBER} times that",
    ),
    Row(
        "import dask_blockwise and its open_volume",
        "import dask.array, zarr, distributed",
        "at most 1.2",
        "imports.py",
        rf"open_volume: .* s, {_NUMBER} times that",
    ),
)
