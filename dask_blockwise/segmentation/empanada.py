"""A segment function: empanada's panoptic networks, on the planes of a block along each axis.

It runs the engines, trackers and consensus of the package empanada, which comes with
empanada-napari. That package's own Engine3d needs a window system to be imported, and a process
of its own for each axis, which Dask's workers must not start.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from math import log2
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from ..geometry.blocks import Block

__all__ = ["segment_function"]


_AXES = ("xy", "xz", "yz")


_HOME = Path("~/.empanada")


# What empanada-napari matches objects of neighbouring planes, and of axes, by.
_PLANE_IOU, _PLANE_IOA, _AXES_IOU = 0.25, 0.25, 0.75


def segment_function(
    input_array: NDArray[Any],
    block: Block | None = None,
    *,
    model_config: str | Path | Mapping[str, Any] = "MitoNet_v1",
    use_gpu: bool = True,
    use_quantized: bool = False,
    multigpu: bool = False,
    downsampling: int = 1,
    confidence_thr: float = 0.5,
    center_confidence_thr: float = 0.1,
    min_distance_object_centers: int = 21,
    fine_boundaries: bool = True,
    semantic_only: bool = False,
    median_slices: int = 11,
    min_size: int = 10000,
    min_extent: int = 50,
    maximum_objects_per_class: int = 1000000,
    inference_plane: str = "xy",
    orthoplane: bool = True,
    return_panoptic: bool = False,
    pixel_vote_thr: int = 1,
    allow_one_view: bool = False,
) -> NDArray[np.uint64]:
    """Segment a block with a panoptic network of two axes, by consensus of three directions.

    Parameters
    ----------
    input_array : ndarray, shape (z, y, x), or (c, z, y, x), of which the first channel is taken
        Integers, or floats in [0, 1].
    block : Block, optional
        Not used.
    model_config : str, path or mapping
        Name of a configuration that empanada-napari has or that lies in ``~/.empanada/configs``,
        the path of one, or what it says: ``model`` (TorchScript: a path, or a URL), ``labels``,
        ``thing_list``, ``class_names``, ``norms``, ``padding_factor``.
    use_gpu, use_quantized : bool
    multigpu : bool
        Must be False: a worker process has one GPU, and a cluster has many processes.
    downsampling : int
        1, 2, 4, ...: how much smaller the network sees the planes.
    confidence_thr, center_confidence_thr : float
        Least probability of a class, and of a centre.
    min_distance_object_centers : int
        Voxels between centres of objects in a plane.
    fine_boundaries : bool
        Whether voxels are grouped at full resolution, not at a quarter.
    semantic_only : bool
        Whether to give each class one label instead of one an object.
    median_slices : int, odd
        Planes whose probabilities are smoothed by their median; fewer where there are fewer.
    min_size, min_extent : int
        Objects of fewer voxels, or shorter along an axis, become background.
    maximum_objects_per_class : int
    inference_plane : "xy", "xz" or "yz"
        Which planes are seen when ``orthoplane`` is False.
    orthoplane : bool
        Whether to see planes along all three axes.
    return_panoptic : bool
        Whether labels are ``class * maximum_objects_per_class + object``.
    pixel_vote_thr : int
        Directions that must agree on a voxel.
    allow_one_view : bool
        Whether an object may be seen along one axis alone.

    Returns
    -------
    ndarray of uint64, shape (z, y, x)
        Objects of all classes, none with the label of another.

    Raises
    ------
    ModuleNotFoundError
        If empanada-napari isn't installed.
    ValueError
        If the array isn't of three axes, or a parameter is out of range.
    FileNotFoundError
        If there is no such configuration.

    References
    ----------
    Conrad and Narayan, "Instance segmentation of mitochondria in electron microscopy images with
    a generalist deep learning model", 2023; dacapo/blockwise/empanada_function.py.
    """
    volume = input_array[0] if input_array.ndim == 4 else np.asarray(input_array)
    _check(volume, multigpu, downsampling, median_slices, inference_plane)
    _check_installed()
    config = _config(model_config)
    quantised = config.get("model_quantized") if use_quantized and not use_gpu else None
    engine = _Engine(
        config=config,
        model=str(quantised or config["model"]),
        use_gpu=use_gpu,
        scale=downsampling,
        divisor=int(maximum_objects_per_class),
        things=() if semantic_only else tuple(config["thing_list"]),
        median=median_slices,
        least=(int(min_size), int(min_extent)),
        options={
            "nms_threshold": center_confidence_thr,
            "nms_kernel": min_distance_object_centers,
            "confidence_thr": confidence_thr,
            "coarse_boundaries": not fine_boundaries,
        },
    )
    axes = _AXES if orthoplane else (inference_plane,)
    trackers = {axis: engine.track(volume, axis) for axis in axes}
    labels, first = np.zeros(volume.shape, np.uint64), 0
    for number in config["class_names"]:
        found = engine.consensus(trackers, number, pixel_vote_thr, allow_one_view)
        first = number * engine.divisor if return_panoptic else first
        labels = np.where((labels == 0) & (found > 0), found + np.uint64(first), labels)
        first = int(labels.max(initial=0))
    return labels


@dataclass(frozen=True)
class _Engine:
    """A network with its settings, as empanada takes them."""

    config: Mapping[str, Any]
    model: str
    use_gpu: bool
    scale: int
    # Labels of a class are below so many.
    divisor: int
    # Classes of which there are objects.
    things: tuple[int, ...]
    median: int
    # Voxels, and extent along an axis, that an object has at least.
    least: tuple[int, int]
    options: Mapping[str, Any]

    def track(self, volume: NDArray[Any], axis: str) -> list[Any]:
        """Follow the objects of each class through the planes of an axis, and back."""
        from empanada.inference import patterns, rle
        from empanada.inference.tracker import InstanceTracker

        labels, planes = self.config["labels"], []
        matchers = patterns.create_matchers(self.things, self.divisor, _PLANE_IOU, _PLANE_IOA)
        for plane in self._planes(np.moveaxis(volume, _AXES.index(axis), 0)):
            found = rle.pan_seg_to_rle_seg(
                plane, labels, self.divisor, self.things, force_connected=True
            )
            planes.append(patterns.apply_matchers(found, matchers))
        trackers = [InstanceTracker(n, self.divisor, volume.shape, axis) for n in labels]
        for index, matched in patterns.backward_matching(planes, matchers, len(planes)):
            patterns.update_trackers(matched, index, trackers)
        patterns.finish_tracking(trackers)
        for tracker in trackers:
            self._filter(tracker)
        return trackers

    def consensus(
        self, trackers: Mapping[str, list[Any]], number: int, votes: int, one_view: bool
    ) -> NDArray[np.uint64]:
        """Objects of a class that the axes agree on, numbered from 1."""
        from empanada.inference import patterns

        (tracker, *others) = patterns.get_axis_trackers_by_class(trackers, number)
        if others and number in self.things:
            tracker = patterns.create_instance_consensus(
                [tracker, *others], votes, _AXES_IOU, one_view
            )
            self._filter(tracker)
        elif others:
            tracker = patterns.create_semantic_consensus([tracker, *others], votes)
        filled = np.zeros(tracker.shape3d, np.int64)
        patterns.fill_volume(filled, tracker.instances)
        _, labels = np.unique(np.append(0, filled), return_inverse=True)
        return labels[1:].reshape(filled.shape).astype(np.uint64)

    def _planes(self, stack: NDArray[Any]) -> Iterator[NDArray[np.integer]]:
        """For each plane, labels of its own: class * divisor + object."""
        import torch
        from empanada.data.utils import resize_by_factor
        from empanada.inference.engines import PanopticDeepLabRenderEngine3d

        engine = PanopticDeepLabRenderEngine3d(
            _network(self.model, "cuda" if self.use_gpu and torch.cuda.is_available() else "cpu"),
            thing_list=list(self.things),
            label_divisor=self.divisor,
            padding_factor=self.config["padding_factor"],
            # Its queue loses a plane of a stack that is shorter than the median.
            median_kernel_size=min(self.median, (len(stack) - 1) // 2 * 2 + 1),
            **self.options,
        )
        for plane in stack:
            small = resize_by_factor(np.ascontiguousarray(self._normal(plane)), self.scale)
            found = engine(torch.from_numpy(small)[None, None], plane.shape, self.scale)
            if found is not None:
                yield found.cpu().numpy().reshape(plane.shape)
        for found in engine.end(self.scale):
            yield found.cpu().numpy().reshape(stack.shape[1:])

    def _normal(self, plane: NDArray[Any]) -> NDArray[np.float32]:
        norms = self.config["norms"]
        most = np.iinfo(plane.dtype).max if plane.dtype.kind in "iu" else 1
        values = plane.astype(np.float32) / np.float32(most)
        return (values - np.float32(norms["mean"])) / np.float32(norms["std"])

    def _filter(self, tracker: Any) -> None:
        from empanada.inference import filters

        filters.remove_small_objects(tracker, min_size=self.least[0])
        filters.remove_pancakes(tracker, min_span=self.least[1])


@cache
def _network(model: str, device: str) -> Any:
    """A network, loaded once a process; one that lies on the web is kept in ~/.empanada."""
    import torch

    path = Path(model).expanduser()
    if not path.is_file():
        path = _HOME.expanduser() / Path(model.partition("?")[0]).name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file():
            torch.hub.download_url_to_file(model, str(path), progress=False)
    return torch.jit.load(str(path), map_location=device)


def _config(given: str | Path | Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(given, Mapping):
        return given
    spec = find_spec("empanada_napari")
    folders = [Path(folder, "configs") for folder in spec.submodule_search_locations or ()]  # type: ignore[union-attr]
    named = [folder / f"{given}.yaml" for folder in (*folders, _HOME.expanduser() / "configs")]
    for path in (Path(given).expanduser(), *named):
        if path.is_file():
            loaded: Mapping[str, Any] = yaml.safe_load(path.read_bytes())
            return loaded
    known = sorted(path.stem for folder in folders for path in folder.glob("*.yaml"))
    raise FileNotFoundError(
        f"There is no model configuration {str(given)!r}: give the path of a YAML file, or one of "
        f"{', '.join(known)}."
    )


def _check_installed() -> None:
    missing = [name for name in ("empanada", "empanada_napari") if find_spec(name) is None]
    if missing:
        raise ModuleNotFoundError(
            "empanada_function runs the engine of empanada-napari, which isn't installed: "
            'python -m pip install "dask_blockwise[empanada]"'
        )


def _check(volume: NDArray[Any], multigpu: bool, scale: int, median: int, plane: str) -> None:
    if volume.ndim != 3:
        raise ValueError(f"empanada needs three axes of space, got shape {volume.shape}.")
    if multigpu:
        raise ValueError(
            "multigpu=True would take the GPUs of other workers: start one worker process a GPU "
            "instead, and leave multigpu=False."
        )
    if scale < 1 or not log2(scale).is_integer() or median < 1 or not median % 2:
        raise ValueError(
            f"downsampling must be 1, 2, 4, ... and median_slices odd, got {scale} and {median}."
        )
    if plane not in _AXES:
        raise ValueError(f"inference_plane must be one of {', '.join(_AXES)}, got {plane!r}.")
