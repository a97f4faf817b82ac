"""Volumes in Neuroglancer: at their place in the world, read or computed where one looks."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..frame import Frame
from ..lineage import place_of
from ..source import Voxels
from .annotations import scales_of
from .served import Looked, served
from .shaders import shader_of

__all__ = ["open_viewer", "view"]

# A volume, or a layer as Neuroglancer's JSON has it.
_Layer = Voxels | Mapping[str, Any]


def view(volume: Voxels, /, *others: Voxels, **named: _Layer) -> Any:
    """Open volumes in Neuroglancer, in this process; lazy ones are computed where one looks.

    Each is a layer at its place in the world: labels as a segmentation, the first three of several
    channels in colours. Of an image of several levels the coarse ones are shown from afar.

    Parameters
    ----------
    *others, **named : Volume
        More layers; unless named, they are called by their paths. Named ones may be Neuroglancer's
        own, as JSON has them, such as the ``annotations()`` of a report on seams.

    Returns
    -------
    neuroglancer.Viewer
        Whose URL is printed; it answers as long as this process is there. Its state is changed in
        ``with viewer.txn() as state``, as Neuroglancer documents it.

    Raises
    ------
    ImportError
        If Neuroglancer isn't installed: it comes with ``dask_blockwise[view]``.
    TypeError, ValueError
        If another layer is no volume, or one has no name that is its own.

    Notes
    -----
    It answers on this machine alone. From another one: ``ssh -L 9999:localhost:PORT machine``,
    with the port of the URL, and the same URL with 9999 there.
    """
    for one in others:
        if not hasattr(one, "frame"):
            raise TypeError(
                f"view takes more volumes, each a layer, got {one!r}: to look at a part, "
                "volume.crop(roi).view()."
            )
    return open_viewer([(_name(one), one) for one in (volume, *others)] + [*named.items()])


def open_viewer(layers: Iterable[tuple[str, _Layer]]) -> Any:
    """Open a viewer with a layer for each volume, and print its URL."""
    neuroglancer = _library()
    shown = _by_name(layers)
    first = next(one for one in shown.values() if not isinstance(one, Mapping)).frame
    viewer = neuroglancer.Viewer()
    with viewer.txn() as state:
        for name, volume in shown.items():
            state.layers[name] = _layer(neuroglancer, volume)
        _look_at_middle(neuroglancer, state, first)
    sys.stdout.write(f"{viewer}\n")
    return viewer


def _library() -> Any:
    try:
        import neuroglancer
    except ImportError as error:
        raise ImportError(
            "volume.view and dbw.view show volumes in Neuroglancer, which isn't installed: "
            'pip install "dask_blockwise[view]".'
        ) from error
    return neuroglancer


def _name(volume: Voxels) -> str:
    path = place_of(volume)
    return path.removesuffix("/s0").rpartition("/")[2] if path else volume.source.title


def _by_name(layers: Iterable[tuple[str, _Layer]]) -> dict[str, _Layer]:
    """Those called alike are numbered."""
    shown: dict[str, _Layer] = {}
    for name, volume in layers:
        alike = sum(other == name or other.startswith(f"{name} (") for other in shown)
        shown[f"{name} ({alike + 1})" if alike else name] = volume
    return shown


def _look_at_middle(neuroglancer: Any, state: Any, frame: Frame) -> None:
    """Where a person begins to look: at the middle, a voxel a pixel, x to the right."""
    names = [axis for axis in reversed(frame.placement.block_axes) if axis != "t"]
    names += [axis for axis in frame.placement.block_axes if axis == "t"]
    order = [frame.placement.block_axes.index(name) for name in names]
    scales, units = scales_of(frame.placement)
    state.dimensions = neuroglancer.CoordinateSpace(
        names=names, units=[units[n] for n in order], scales=[scales[n] for n in order]
    )
    state.display_dimensions = [name for name in names if name != "t"]
    begins = [float(begin / size) for begin, size in zip(frame.offset, frame.voxel_size)]
    state.position = [begins[n] + frame.extent[n] // 2 + 0.5 for n in order]
    state.layout = "4panel" if len(frame.space) > 2 else "xy"
    # Sections through all of a volume would be computed for the view in 3-D.
    state.show_slices = False


def _layer(neuroglancer: Any, volume: _Layer) -> Any:
    if isinstance(volume, Mapping):
        return neuroglancer.viewer_state.make_layer(dict(volume))
    frame = volume.frame
    is_labels = frame.may_be_names and frame.dtype.kind in "iu" and frame.channels is None
    scales, units = scales_of(frame.placement)
    offset = [float(begin / size) for begin, size in zip(frame.offset, frame.voxel_size)]
    if "c" in frame.axes:
        at = frame.axes.index("c")
        scales.insert(at, 1.0)
        units.insert(at, "")
        offset.insert(at, 0.0)
    names = ["c^" if axis == "c" else axis for axis in frame.axes]
    dimensions = neuroglancer.CoordinateSpace(names=names, units=units, scales=scales)
    kind = "segmentation" if is_labels else "image"
    source = neuroglancer.LayerDataSource(
        url=served(volume, dimensions, kind),
        transform=neuroglancer.CoordinateSpaceTransform(
            output_dimensions=dimensions,
            matrix=np.column_stack([np.eye(frame.ndim), offset]),
        ),
    )
    if is_labels:
        return neuroglancer.SegmentationLayer(source=source)
    shader = shader_of(volume, Looked(volume).dtype)
    return neuroglancer.ImageLayer(source=source, shader=shader)
