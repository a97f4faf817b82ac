"""empanada's engine on a small panoptic network; what needs the package skips without it."""

import importlib.util
import sys
import types
from functools import partial

import numpy as np
import pytest
import torch
import yaml
from torch.nn import functional

from dask_blockwise import Roi, create_volume, empanada_function, open_volume, segment_blockwise
from dask_blockwise.segmentation import empanada
from dask_blockwise.segmentation.empanada import segment_function

# empanada compiles TorchScript when it is imported, and its trackers divide by nothing.
pytestmark = pytest.mark.filterwarnings("ignore")

needs_empanada = pytest.mark.skipif(
    importlib.util.find_spec("empanada") is None,
    reason='python -m pip install "dask_blockwise[empanada]"',
)

CENTRES = np.array([(14, 14, 12), (14, 14, 30), (30, 30, 20)])
GRID = np.stack(np.meshgrid(*[np.arange(44)] * 3, indexing="ij"), -1)
DISTANCES = np.stack([np.linalg.norm(GRID - c, axis=-1) for c in CENTRES])
# Three balls, one of another brightness.
TRUTH = np.where(DISTANCES.min(0) < 7.5, DISTANCES.argmin(0) + 1, 0)
IMAGE = np.select([TRUTH == 3, TRUTH > 0], [250, 180]).astype(np.uint8)
SMALL = {"min_size": 30, "min_extent": 3, "median_slices": 3, "min_distance_object_centers": 7}


class Panoptic(torch.nn.Module):
    """Classes by brightness; centres where most is bright around; no offsets."""

    def __init__(self, classes: int):
        super().__init__()
        self.classes = classes
        self.scale = torch.nn.Parameter(torch.ones(1))

    def forward(self, image: torch.Tensor, render_steps: int, interpolate_ins: bool):
        bright = (image > 0.4).float()
        very = (image > 0.85).float()
        if self.classes == 1:
            semantic = 20 * bright - 10
        else:
            semantic = 20 * torch.cat([1 - bright, bright - very, very], 1)
        heat = functional.avg_pool2d(bright, 9, 1, 4) * bright
        ramp = torch.arange(heat.numel(), device=heat.device).view(heat.shape)
        heat = (heat - 1e-6 * ramp / heat.numel()) * self.scale
        offsets = torch.zeros(image.size(0), 2, image.size(2), image.size(3))
        if not interpolate_ins:
            heat = functional.max_pool2d(heat, 4)
            offsets = functional.avg_pool2d(offsets, 4)
        semantic = functional.interpolate(semantic, scale_factor=float(2 ** (render_steps - 2)))
        return {"sem_logits": semantic, "ctr_hmp": heat, "offsets": offsets}


def config(tmp_path, classes=1):
    path = tmp_path / f"panoptic{classes}.pth"
    torch.jit.script(Panoptic(classes)).save(str(path))
    labels = list(range(1, classes + 1))
    return {
        "model": str(path), "labels": labels, "thing_list": labels[:1] if classes > 1 else labels,
        "class_names": {n: f"class {n}" for n in labels}, "padding_factor": 16,
        "norms": {"mean": 0.0, "std": 1.0},
    }  # fmt: skip


def best_overlap(labels, truth):
    """For each true object, the largest IoU with a label."""
    pairs = np.stack([truth.ravel(), labels.ravel()]).astype(int)
    table = np.zeros(pairs.max(1) + 1)
    np.add.at(table, tuple(pairs), 1)
    union = table.sum(0)[None] + table.sum(1)[:, None] - table
    return (table / np.maximum(union, 1))[1:, 1:].max(1)


@needs_empanada
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"orthoplane": False},
        {"orthoplane": False, "inference_plane": "yz"},
        {"pixel_vote_thr": 2},
        {"median_slices": 101},
    ],
    ids=str,
)
def test_balls_are_found(options, tmp_path):
    labels = segment_function(IMAGE, model_config=config(tmp_path), **SMALL | options)
    assert labels.dtype == np.uint64
    assert labels.max() == 3
    assert (best_overlap(labels, TRUTH) > 0.85).all()


@pytest.fixture
def inference(monkeypatch):
    """empanada-napari's own engine, without its windows: of napari it takes a decorator alone."""
    package = importlib.util.module_from_spec(importlib.util.find_spec("empanada_napari"))
    threads = types.ModuleType("napari.qt.threading")
    threads.thread_worker = lambda function: function
    for module in (package, threads, types.ModuleType("napari"), types.ModuleType("napari.qt")):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return importlib.import_module("empanada_napari.inference")


@needs_empanada
@pytest.mark.parametrize(
    "options, classes",
    [
        ({}, 1),
        ({"orthoplane": False}, 1),
        ({"orthoplane": False, "inference_plane": "yz"}, 2),
        ({"pixel_vote_thr": 2, "downsampling": 2}, 1),
        ({"allow_one_view": True, "fine_boundaries": False}, 1),
        ({"semantic_only": True}, 2),
    ],
    ids=str,
)
def test_labels_are_those_of_engine3d(inference, options, classes, tmp_path):
    chosen = config(tmp_path, classes)
    ours = segment_function(IMAGE, model_config=chosen, **SMALL | options)
    theirs = by_engine3d(inference, chosen, **options)
    pairs = np.unique(np.stack([ours.ravel(), theirs.ravel()]).astype(np.int64), axis=1)
    assert ours.any()
    assert all(len(np.unique(side)) == pairs.shape[1] for side in pairs)


def by_engine3d(
    inference, chosen, orthoplane=True, inference_plane="xy", downsampling=1, fine_boundaries=True,
    semantic_only=False, **consensus,
):  # fmt: skip
    """What the plugin's window would do with the same settings."""
    least = {"min_size": 30, "min_extent": 3, "label_divisor": 1000000}
    engine = inference.Engine3d(
        chosen, downsampling, median_kernel_size=3, nms_threshold=0.1, nms_kernel=7,
        confidence_thr=0.5, fine_boundaries=fine_boundaries, semantic_only=semantic_only,
        use_gpu=False, **least,
    )  # fmt: skip
    axes = ("xy", "xz", "yz") if orthoplane else (inference_plane,)
    trackers = {axis: engine.infer_on_axis(IMAGE, axis)[1] for axis in axes}
    finish = inference.stack_postprocessing
    if orthoplane:
        finish = partial(inference.tracker_consensus, **{"pixel_vote_thr": 1} | consensus)
    labels = np.zeros(IMAGE.shape, np.int64)
    for number, (found, _, _) in enumerate(finish(trackers, None, chosen, **least)):
        labels = np.where((labels == 0) & (found > 0), found + 1000000000 * number, labels)
    return labels


@needs_empanada
@pytest.mark.parametrize("options", [{"downsampling": 2}, {"fine_boundaries": False}], ids=str)
def test_coarser_is_near(options, tmp_path):
    options = SMALL | {"min_distance_object_centers": 5} | options
    labels = segment_function(IMAGE, model_config=config(tmp_path), **options)
    assert (best_overlap(labels > 0, TRUTH > 0) > 0.75).all()
    assert labels.max() >= 2


@needs_empanada
def test_small_and_flat_objects_are_removed(tmp_path):
    image = IMAGE.copy()
    image[20:22] = image[:, :, 20:22] = 0
    image[TRUTH == 0] = 0
    image[40, 5:20, 25:40] = 180
    found = {
        name: segment_function(image, model_config=config(tmp_path), **SMALL | {name: value}).max()
        for name, value in {"min_size": 3000, "min_extent": 12}.items()
    }
    assert segment_function(image, model_config=config(tmp_path), **SMALL).max() > 0
    assert found["min_size"] == 0
    assert not segment_function(image, model_config=config(tmp_path), **SMALL)[40].any()


@needs_empanada
def test_several_classes_have_labels_of_their_own(tmp_path):
    options = {"model_config": config(tmp_path, 2)} | SMALL
    labels = segment_function(IMAGE, **options)
    assert (best_overlap(labels, TRUTH) > 0.8).all()
    panoptic = segment_function(IMAGE, return_panoptic=True, **options)
    assert set(np.unique(panoptic[TRUTH == 3] // 1000000)) - {0} == {2}
    assert set(np.unique(panoptic[(TRUTH > 0) & (TRUTH < 3)] // 1000000)) - {0} == {1}
    classes = segment_function(IMAGE, semantic_only=True, **options)
    assert set(np.unique(classes)) == {0, 1, 2}


@needs_empanada
def test_blockwise_with_a_configuration_file(tmp_path, threads):
    settings = tmp_path / "parameters.yaml"
    settings.write_text(yaml.dump(SMALL | {"model_config": config(tmp_path)}))
    raw = create_volume(
        f"{tmp_path}/a.zarr/raw", shape=IMAGE.shape, dtype="uint8", block_shape=(44,) * 3
    )
    raw[raw.roi] = IMAGE
    write = Roi((0, 0, 0), (44, 44, 22))
    with threads.as_current():
        assert segment_blockwise(
            empanada_function.__file__, (0, 0, 18), raw.roi, write, write,
            input_path=raw.path, output_path=f"{tmp_path}/a.zarr/objects", parameters=settings,
        )  # fmt: skip
    labels = open_volume(f"{tmp_path}/a.zarr/objects")[:]
    assert labels.max() == 3
    assert (best_overlap(labels, TRUTH) > 0.8).all()


@needs_empanada
def test_a_configuration_by_name_or_a_clear_error():
    assert empanada_function._config("MitoNet_v1")["class_names"] == {1: "mito"}
    with pytest.raises(FileNotFoundError, match=r"'MitoNet_v0': give .* MitoNet_v1"):
        segment_function(IMAGE, model_config="MitoNet_v0")


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setattr(empanada, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install \"dask_blockwise\[empanada\]\""):
        segment_function(IMAGE)


@pytest.mark.parametrize(
    "array, parameters, message",
    [
        (IMAGE[0], {}, "three axes of space, got shape"),
        (IMAGE, {"multigpu": True}, "one worker process a GPU"),
        (IMAGE, {"downsampling": 3}, "downsampling must be 1, 2, 4"),
        (IMAGE, {"median_slices": 4}, "median_slices odd"),
        (IMAGE, {"inference_plane": "zy"}, "one of xy, xz, yz, got 'zy'"),
    ],
)
def test_mistakes_are_explained(array, parameters, message):
    with pytest.raises(ValueError, match=message):
        segment_function(array, **parameters)
