"""The pages of docs/recipes run where the tool of each, and weights that it needs, are there."""

from __future__ import annotations

import json
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter, label

import dask_blockwise as dbw
from dask_blockwise import Volume

PAGES = Path(__file__).parents[1] / "docs/recipes"
SHAPE = (24, 40, 40)
NOISE = gaussian_filter(np.random.default_rng(0).random(SHAPE), 2)
RAW = (255 * (NOISE - NOISE.min()) / np.ptp(NOISE)).astype(np.uint8)
torch.set_num_threads(1)
# Of the tools' own.
pytestmark = pytest.mark.filterwarnings("ignore")


def run(page: str) -> dict[str, Any]:
    """What the code of a page defines, run in the present folder; its files are written there."""
    blocks = re.findall(r"```python\n(.*?)```", (PAGES / page).read_text(), re.DOTALL)
    names: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks:
        if file := re.match(r"# (\w+\.py)\n", block):
            Path(file[1]).write_text(block)
        else:
            exec(block, names)
    return names


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, near: Any) -> Path:
    """A folder with raw data, in blocks; runs go to a cluster in this process."""
    monkeypatch.chdir(tmp_path)
    Volume.from_array(RAW, chunks=(12, 20, 20)).to_zarr("in.zarr/raw", progress=False)
    return tmp_path


def stored(name: str) -> np.ndarray:
    return dbw.open_volume(f"out.zarr/{name}")[:]


def test_every_page_is_listed_and_told_of_here() -> None:
    listed = (PAGES / "README.md").read_text()
    pages = {path.name for path in PAGES.glob("*.md")} - {"README.md"}
    assert all(f"({page})" in listed for page in pages)
    assert pages == {*re.findall(r'run\("(\w+\.md)"\)', Path(__file__).read_text())}


def test_parts_of_any_tool_are_one_segmentation(folder: Path) -> None:
    bright = RAW > 140
    (folder / "parts").mkdir()
    random = np.random.default_rng(1)
    begins = [(z, y, x) for z in (0, 12) for y in (0, 20) for x in (0, 20)]
    for number, begin in enumerate(begins):
        box = tuple(
            slice(max(0, b - 8), min(n, b + s + 8))
            for b, s, n in zip(begin, (12, 20, 20), SHAPE, strict=True)
        )
        labels, count = label(bright[box])
        ids = np.concatenate([[0], 1 + random.permutation(1000)[:count]])
        np.save(folder / f"parts/{number}.npy", ids[labels])
    names = run("assemble.md")
    found = stored("objects")
    np.testing.assert_array_equal(found > 0, bright)
    assert names["parts"].plan().blocks == len(begins)
    assert "block" in str(names["report"])
    # What fits into the overlap is as in the whole volume.
    whole, count = label(bright)
    whole_of = np.unique(np.stack([found.ravel(), whole.ravel()]), axis=1)
    small = np.bincount(whole.ravel()) < 8**3
    for number in np.flatnonzero(small):
        assert (whole_of[1] == number).sum() == 1


def test_networks_of_monai(folder: Path) -> None:
    pytest.importorskip("monai")
    names = run("monai.md")
    assert stored("tissue").shape == SHAPE
    from monai.inferers import sliding_window_inference

    image = torch.from_numpy(RAW[None, None].astype(np.float32) / 255)
    network = names["network"].eval()
    with torch.inference_mode():
        probabilities = sliding_window_inference(
            image,
            (16, 16, 16),
            1,
            lambda tile: torch.softmax(network(tile), 1),
            overlap=0.25,
            mode="gaussian",
            sigma_scale=0.125,
        )
    found = dbw.predict(
        names["raw"], network, input_shape=(16, 16, 16), blend="gaussian", overlap=0.25,
        activation="softmax", output_dtype="float32",
    )  # fmt: skip
    # Where tiles are weighted alike: MONAI has a floor of 0.1 % under weights, that is at corners.
    for line in np.s_[:, 7, 7, :], np.s_[:, 7, :, 7], np.s_[:, 16, 32, :]:
        np.testing.assert_allclose(found[:][line], probabilities[0].numpy()[line], atol=2e-3)
    assert (stored("blended") == found[:].argmax(0)).mean() > 0.999


def trained(folder: Path) -> None:
    """A folder as nnU-Net leaves it, of a small network that wasn't trained."""
    import pydoc

    layers = {"conv_op": "torch.nn.modules.conv.Conv3d", "nonlin": "torch.nn.LeakyReLU"}
    layers |= {"norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d"}
    sizes = {"n_stages": 2, "features_per_stage": [4, 8], "n_conv_per_stage": [1, 1]}
    sizes |= {"kernel_sizes": [[3] * 3] * 2, "strides": [[1] * 3, [2] * 3]}
    sizes |= {"n_conv_per_stage_decoder": [1], "conv_bias": True}
    others = {"norm_op_kwargs": {"eps": 1e-5, "affine": True}, "nonlin_kwargs": {"inplace": True}}
    others |= {"dropout_op": None, "dropout_op_kwargs": None}
    name = "dynamic_network_architectures.architectures.unet.PlainConvUNet"
    architecture = {
        "network_class_name": name,
        "arch_kwargs": sizes | layers | others,
        "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
    }
    configuration = {"patch_size": [16] * 3, "spacing": [1.0] * 3, "batch_size": 2}
    configuration |= {"architecture": architecture, "use_mask_for_norm": [False]}
    configuration |= {"normalization_schemes": ["ZScoreNormalization"]}
    plans = {"dataset_name": "D", "plans_name": "P", "configurations": {"3d": configuration}}
    plans |= {"transpose_forward": [0, 1, 2], "transpose_backward": [0, 1, 2]}
    dataset = {"channel_names": {"0": "EM"}, "labels": {"background": 0, "cell": 1}}
    made = {key: pydoc.locate(value) for key, value in layers.items()}
    torch.manual_seed(0)
    network = pydoc.locate(name)(
        1, num_classes=2, deep_supervision=False, **sizes, **others, **made
    )
    checkpoint = {"trainer_name": "nnUNetTrainer", "network_weights": network.state_dict()}
    checkpoint |= {"init_args": {"configuration": "3d"}}
    checkpoint |= {"inference_allowed_mirroring_axes": (0, 1, 2)}
    (folder / "fold_0").mkdir(parents=True)
    (folder / "plans.json").write_text(json.dumps(plans))
    (folder / "dataset.json").write_text(json.dumps(dataset))
    torch.save(checkpoint, folder / "fold_0/checkpoint_final.pth")


def test_what_nnunet_trained_predicts_as_it_does_there(folder: Path) -> None:
    pytest.importorskip("nnunetv2")
    trained(folder / "nnunet")
    names = run("nnunet.md")
    # In nnU-Net's own tiles and weights, all in memory.
    image = torch.from_numpy(((RAW[None] - RAW.mean()) / RAW.std()).astype(np.float32))
    expected = names["predictor"].predict_logits_from_preprocessed_data(image).float().numpy()
    # Its weights have 16 bits, and are 0 at the volume's corners.
    inner = np.s_[:, 2:-2, 2:-2, 2:-2]
    apart = np.abs(names["logits"][:] - expected)[inner]
    assert apart.mean() < 5e-3 * np.abs(expected).max()
    assert (stored("classes") == expected.argmax(0)).mean() > 0.98


def test_objects_of_stardist(folder: Path) -> None:
    models = pytest.importorskip("stardist.models")
    models.StarDist3D(models.Config3D(n_rays=16), name="nuclei", basedir="models")
    run("stardist.md")
    assert stored("nuclei").shape == SHAPE


class Bright(torch.nn.Module):
    """In place of Cellpose's network: cells are bright, and flow to where it is brighter still."""

    dtype, device = torch.float32, torch.device("cpu")

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        blurred = torch.nn.functional.avg_pool2d(images[:, :1].float(), 9, 1, 4)
        flows = torch.cat(torch.gradient(blurred, dim=(2, 3)), 1)
        flows = 5 * flows / (flows.norm(dim=1, keepdim=True) + 1e-6)
        return torch.cat([flows, 10 * (blurred - 0.5)], 1), torch.zeros(len(images), 256)


def test_objects_of_cellpose(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its own weights, where they are; else its own way with another network."""
    models = pytest.importorskip("cellpose.models")
    if [*Path("~/.cellpose/models").expanduser().glob("cp*")]:
        run("cellpose.md")
        assert stored("cells").shape == SHAPE
        return

    def made(model: Any, gpu: bool = False) -> None:
        model.device, model.gpu, model.backbone = Bright.device, False, "sam_vitl"
        model.net, model.pretrained_model = Bright(), ""

    monkeypatch.setattr(models.CellposeModel, "__init__", made)
    middles = np.array([[12, 10, 10], [12, 30, 30], [11, 11, 29]])
    away = np.indices(SHAPE)[:, None] - middles.T[..., None, None, None]
    balls = (away**2).sum(0) < 49
    raw = Volume.from_array((200 * balls.any(0)).astype(np.uint8), chunks=(24, 20, 40))
    raw.to_zarr("in.zarr/raw", progress=False, overwrite=True)
    run("cellpose.md")
    cells = stored("cells")
    assert cells.max() == len(balls)
    for ball in balls:
        (number,) = np.unique(cells[ball & (cells > 0)])
        found = cells == number
        assert 2 * (found & ball).sum() / (found.sum() + ball.sum()) > 0.8


def test_objects_of_micro_sam(folder: Path) -> None:
    util = pytest.importorskip("micro_sam.util")
    if not any(Path(util.get_cache_directory(), "models").glob("*")):
        pytest.skip("micro-sam has no weights on this machine")
    run("micro_sam.md")
    assert stored("instances").shape == SHAPE


def test_objects_of_plantseg(folder: Path) -> None:
    pytest.importorskip("plantseg")
    boundaries = Volume.from_array(RAW.astype(np.float32) / 255, chunks=(12, 20, 20))
    boundaries.to_zarr("in.zarr/boundaries", progress=False)
    run("plantseg.md")
    assert stored("cells").max() > 1


def test_objects_of_empanada(folder: Path) -> None:
    if find_spec("empanada_napari") is None:
        pytest.skip("empanada-napari isn't installed")
    if not [*Path("~/.empanada").expanduser().glob("*MitoNet*")]:
        pytest.skip("empanada has no weights on this machine")
    run("empanada.md")
    assert stored("mitochondria").shape == SHAPE
