"""Skeletons of objects, as Neuroglancer's precomputed data have them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from math import inf
from numbers import Real
from typing import ClassVar

import numpy as np
from distributed import Client
from numpy.typing import NDArray

from ..engine.progress import RunSummary
from ..pipelines.given_volumes import check_volumes
from ..volumes.volume import Volume
from .by_object import HowRun, by_object

__all__ = ["skeletons"]

_INFO = {
    "@type": "neuroglancer_skeletons",
    "transform": [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0],
    "vertex_attributes": [{"id": "radius", "data_type": "float32", "num_components": 1}],
}


@dataclass(frozen=True)
class _Skeleton:
    """Center lines, by TEASAR."""

    scale: float
    # In nanometers.
    const: float

    name = "skeletons"
    library = "kimimaro"
    info: ClassVar = _INFO

    def __post_init__(self) -> None:
        for name, value in (("scale", self.scale), ("const", self.const)):
            if not isinstance(value, Real) or not 0 <= value < inf:
                raise ValueError(f"{name} must be a finite number from 0 on, got {value!r}.")

    def files(
        self, mask: NDArray[np.bool_], voxel: tuple[float, ...], at: tuple[float, ...], number: int
    ) -> dict[str, bytes]:
        """See `Shape`."""
        from kimimaro import skeletonize

        found = skeletonize(
            mask.astype(np.uint8),
            teasar_params={"scale": self.scale, "const": self.const},
            anisotropy=voxel,
            dust_threshold=0,
            progress=False,
            parallel=1,
            fix_borders=False,
        )
        if 1 not in found:
            return {}
        skeleton = found[1]
        # Its vertices are voxels; the middle of one is half a voxel from its position.
        skeleton.vertices = (skeleton.vertices + np.array(at) + np.array(voxel) / 2).astype(
            np.float32
        )
        skeleton.extra_attributes = _INFO["vertex_attributes"]
        return {str(number): skeleton.to_precomputed()}


def skeletons(
    segments: Volume,
    path: str | os.PathLike[str],
    *,
    ids: Iterable[int] | None = None,
    scale: float = 1.5,
    const: float = 300,
    client: Client | None = None,
    progress: bool = True,
    num_workers: int | None = None,
    max_retries: int = 2,
    timeout: float | None = None,
    workers_timeout: float | str | None = None,
) -> RunSummary:
    """Make a skeleton of each object, one object after the other on the cluster.

    Parameters
    ----------
    segments, path, ids, client, progress, num_workers, max_retries, timeout, workers_timeout
        As for ``meshes``; the folder is one of Neuroglancer's skeletons, with the radius of each
        vertex.
    scale, const : float
        How far around a path no other begins: ``scale`` times the radius, and ``const`` nanometers.

    Returns
    -------
    RunSummary

    Raises
    ------
    ImportError
        If kimimaro isn't installed: it comes with ``dask_blockwise[shapes]``.
    TypeError, ValueError
        If these aren't stored labels in three dimensions, there is no such object, or a number is
        out of range.
    BlocksFailed
        If objects failed for good, after all others are done.

    References
    ----------
    Sato et al., "TEASAR: tree-structure extraction algorithm for accurate and robust skeletons",
    2000, by kimimaro.

    Examples
    --------
    >>> segments = open_volume("out.zarr/segments")  # doctest: +SKIP
    >>> skeletons(segments, "out.pre/skeletons")  # doctest: +SKIP
    """
    check_volumes("skeletons", segments=segments)
    how = HowRun(
        client=client,
        progress=progress,
        num_workers=num_workers,
        max_retries=max_retries,
        timeout=timeout,
        workers_timeout=workers_timeout,
    )
    return by_object(segments, path, _Skeleton(scale, const), ids, how)
