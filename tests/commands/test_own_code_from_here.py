"""Networks and functions of modules that lie in the present folder, and what is wrong with them."""

import sys
from pathlib import Path

import numpy as np
import pytest

import dask_blockwise as dbw
from dask_blockwise.cli import main

NETWORK = """
import torch

class Net(torch.nn.Conv3d):
    def __init__(self, channels=2):
        super().__init__(1, channels, 3, padding=1)
"""
PIPELINE = """
volumes:
  raw: {open: in.zarr/raw}
  seen: {predict: raw, model: "own_network_here:Net", activation: sigmoid}
store: {seen: out.zarr/seen}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [part for part in sys.path if part])
    grey = np.random.default_rng(0).integers(0, 255, (12, 16, 16), np.uint8)
    dbw.Volume.from_array(grey, (8, 8, 8), unit="nm").to_zarr("in.zarr/raw", progress=False)
    return tmp_path


def ends(command):
    with pytest.raises(SystemExit) as ended:
        main(command.split())
    return ended.value.code


def test_a_network_may_lie_in_the_present_folder(folder, capsys):
    Path("own_network_here.py").write_text(NETWORK)
    Path("pipeline.yaml").write_text(PIPELINE)
    options = "--model own_network_here:Net --activation sigmoid --plan"
    main(f"predict in.zarr/raw out.zarr/seen {options}".split())
    main(["plan", "pipeline.yaml"])
    assert capsys.readouterr().out.count("recompute factor") == 2


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("predict in.zarr/raw out.zarr/a --model not_here:Net", "lies in the present folder"),
        (
            "segment in.zarr/raw out.zarr/a --function own.py --halo 4",
            "own.py does not define segment_function: it needs segment_function(input_array",
        ),
        (
            "segment in.zarr/raw out.zarr/a --function broken.py --halo 4",
            "broken.py can't be run, NameError in line 2: name 'halo' is not defined. It needs",
        ),
        (
            "segment in.zarr/raw out.zarr/a --function unclosed.py --halo 4",
            "unclosed.py can't be run, SyntaxError in line 1: ",
        ),
        ("segment in.zarr/raw out.zarr/a --function a.bin --halo 4", "a.bin is no text: give a"),
        ("segment in.zarr/raw out.zarr/a --function own.blobs --halo 4", "mean own:blobs?"),
        (
            "segment in.zarr/raw out.zarr/a --function own.py:blobs --halo 4",
            "Its module has no .py in it, such as own:blobs",
        ),
    ],
)
def test_what_is_not_there_is_said_without_a_traceback(command, said, folder, capsys):
    Path("own.py").write_text("def blobs(block):\n    return block > 3\n")
    Path("broken.py").write_text("\nhalo\n")
    Path("unclosed.py").write_text("halo = (\n")
    Path("a.bin").write_bytes(b"\xff\xfe\x00")
    assert ends(command) == 2
    told = capsys.readouterr().err
    assert said in told
    assert "Traceback" not in told
    assert not Path("out.zarr").exists()
