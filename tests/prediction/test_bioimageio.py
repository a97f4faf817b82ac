"""Folders of bioimage.io models."""

import numpy as np
import pytest
import torch
import yaml

from dask_blockwise import Volume, predict
from dask_blockwise.prediction.bioimageio import Description


@pytest.mark.parametrize("block", [(512, 512), (256, 512), (200, 176)], ids=str)
def test_a_folder_gives_its_test_output_in_any_blocks(data, block):
    folder = data / "models/unet2d_nuclei_broad"
    with np.load(folder / "test_io.npz") as arrays:
        given, expected = (arrays[name] for name in sorted(arrays, key=lambda n: "out" in n))
    volume = Volume.from_array(given.reshape(512, 512), chunks=block)
    prediction = predict(volume, folder, output_dtype="float32", halo=96)
    values = prediction.data.compute(scheduler="synchronous")
    np.testing.assert_allclose(values, expected.reshape(1, 512, 512), atol=1e-3)


def described(folder, **content):
    tensors = {"inputs": [{}], "outputs": [{}], "weights": {"torchscript": {"source": "w.pt"}}}
    (folder / "rdf.yaml").write_text(yaml.safe_dump(tensors | content))
    return Description.of(folder)


def test_steps_of_older_descriptions_have_names(tmp_path):
    steps = [{"name": "scale_linear", "kwargs": {"gain": 2}}]
    after = [{"postprocessing": [{"name": "sigmoid"}]}]
    found = described(tmp_path, inputs=[{"preprocessing": steps}], outputs=after)
    assert found.preprocessing == ("scale_linear", {"gain": 2})
    assert found.activation == "sigmoid"
    assert found.weights == tmp_path / "w.pt"


def test_a_folder_that_declares_nothing(tmp_path):
    found = described(tmp_path)
    assert (found.preprocessing, found.activation) == (None, None)


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        ({"outputs": [{"postprocessing": [{"id": "zscore"}]}]}, "activation", "with activation="),
        (
            {"inputs": [{"preprocessing": [{"id": "clip"}, {"id": "scale_range"}]}]},
            "preprocessing",
            r"steps \['clip', 'scale_range'\]",
        ),
        ({"inputs": [{}, {}]}, "preprocessing", "declares 2 inputs"),
        ({"weights": {"keras_hdf5": {}}}, "weights", "torchscript or onnx is needed"),
    ],
)
def test_what_cannot_be_done_is_refused(tmp_path, content, name, message):
    found = described(tmp_path, **content)
    with pytest.raises(ValueError, match=message):
        getattr(found, name)


# As folders of bioimage.io hold it.
@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_a_folder_below_the_home_folder_declares_the_same(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    described(
        tmp_path,
        inputs=[{"preprocessing": [{"name": "scale_linear", "kwargs": {"gain": 3}}]}],
        outputs=[{"postprocessing": [{"name": "sigmoid"}]}],
    )
    torch.jit.trace(torch.nn.Identity(), torch.zeros(1, 1, 4, 4)).save(tmp_path / "w.pt")
    volume = Volume.from_array(np.linspace(-1, 1, 64, dtype=np.float32).reshape(8, 8))
    for folder in tmp_path, "~", f"~/../{tmp_path.name}/":
        values = predict(volume, folder, output_dtype="float32", halo=0)[:]
        np.testing.assert_allclose(values[0], 1 / (1 + np.exp(-3 * volume[:])), atol=1e-6)


@pytest.mark.parametrize(
    ("axes", "fits"),
    [
        ("bczyx", True),
        ("bcyx", True),
        ([{"type": "batch"}, {"type": "channel"}, *({"type": "space", "id": a} for a in "zyx")], 1),
        ("bcxyz", False),
        ("bzyxc", False),
        ("bcxy", False),
        ([{"type": "batch"}, *({"type": "space", "id": a} for a in "yx"), {"type": "channel"}], 0),
    ],
    ids=["bczyx", "bcyx", "0.5", "bcxyz", "bzyxc", "bcxy", "0.5, channels last"],
)
def test_axes_in_another_order_are_refused(tmp_path, axes, fits):
    found = described(tmp_path, inputs=[{"axes": axes}])
    if fits:
        found.check_axes("zyx")
    else:
        with pytest.raises(ValueError, match="declares an input of the axes b"):
            found.check_axes("zyx")
    described(tmp_path, inputs=[{"axes": "bcxyz"}]).check_axes("xyz")


# As folders of bioimage.io hold it.
@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_a_network_whose_axes_are_turned_is_not_run(tmp_path):
    described(tmp_path, inputs=[{"axes": "bcxyz"}])
    torch.jit.trace(torch.nn.Identity(), torch.zeros(1, 1, 4, 4, 4)).save(tmp_path / "w.pt")
    volume = Volume.from_array(np.zeros((4, 6, 8), np.uint8))
    with pytest.raises(ValueError, match=r"volume\.transpose\('x', 'y', 'z'\)"):
        predict(volume, tmp_path)
    assert predict(volume.transpose("x", "y", "z"), tmp_path).shape == (1, 8, 6, 4)


def test_softmax_of_other_axes_is_refused(tmp_path):
    after = {"id": "softmax", "kwargs": {"axis": "x"}}
    with pytest.raises(ValueError, match="softmax along 'x'"):
        _ = described(tmp_path, outputs=[{"postprocessing": [after]}]).activation
    after["kwargs"]["axis"] = "channel"
    assert described(tmp_path, outputs=[{"postprocessing": [after]}]).activation == "softmax"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (": : [", "is no YAML"),
        ("hello", "describes no model"),
        ("weights: {torchscript: {}}", "describes no model"),
        ("{weights: , inputs: [{}], outputs: [{}]}", "describes no model"),
        ("{weights: {}, inputs: [], outputs: [{}]}", "describes no model"),
        ("{weights: {torchscript: }, inputs: [{}], outputs: [{}]}", "or onnx is needed"),
    ],
)
def test_a_folder_that_describes_nothing_is_told_of(tmp_path, text, message):
    (tmp_path / "rdf.yaml").write_text(text)
    with pytest.raises(ValueError, match=message):
        _ = Description.of(tmp_path).weights


def test_a_folder_of_something_else(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no rdf\.yaml"):
        Description.of(tmp_path)
