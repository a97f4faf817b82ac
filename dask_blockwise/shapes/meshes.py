"""Meshes of objects, as Neuroglancer's precomputed data have them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Integral, Real
from typing import ClassVar

import numpy as np
from distributed import Client
from numpy.typing import NDArray

from ..engine.progress import RunSummary
from ..pipelines.given_volumes import check_volumes
from ..volumes.volume import Volume
from .by_object import HowRun, by_object

__all__ = ["meshes"]


@dataclass(frozen=True)
class _Mesh:
    """A surface by marching cubes, with fewer triangles where that changes little."""

    reduction: int
    # In nanometers.
    max_error: float | None

    name = "meshes"
    library = "zmesh"
    info: ClassVar = {"@type": "neuroglancer_legacy_mesh"}

    def __post_init__(self) -> None:
        if not isinstance(self.reduction, Integral) or self.reduction < 0:
            raise ValueError(
                f"reduction must be a whole number from 0 on, got {self.reduction!r}: 100 for a "
                "hundredth of the triangles, 0 for all."
            )
        error = self.max_error
        if error is not None and not (isinstance(error, Real) and error >= 0):
            raise ValueError(
                f"max_error must be a number of nanometers from 0 on, or None for a voxel, got "
                f"{error!r}."
            )

    def files(
        self, mask: NDArray[np.bool_], voxel: tuple[float, ...], at: tuple[float, ...], number: int
    ) -> dict[str, bytes]:
        """See `Shape`."""
        from zmesh import Mesher

        mesher = Mesher(voxel)
        mesher.mesh(mask)
        options = {"reduction_factor": self.reduction, "max_error": self.max_error}
        # A voxel spans from its position to the next one's.
        mesh = mesher.get(1, voxel_centered=True, **options)
        mesh.vertices = (mesh.vertices + np.array(at)).astype(np.float32)
        manifest = json.dumps({"fragments": [f"{number}.mesh"]}).encode()
        return {f"{number}.mesh": mesh.to_precomputed(), f"{number}:0": manifest}


def meshes(
    segments: Volume,
    path: str | os.PathLike[str],
    *,
    ids: Iterable[int] | None = None,
    reduction: int = 100,
    max_error: float | None = None,
    client: Client | None = None,
    progress: bool = True,
    num_workers: int | None = None,
    max_retries: int = 2,
    timeout: float | None = None,
    workers_timeout: float | str | None = None,
) -> RunSummary:
    """Make a mesh of each object, one object after the other on the cluster.

    Parameters
    ----------
    segments : Volume of int
        Stored, along z, y and x. An object whose box has more than 2^27 voxels is taken from the
        finest level of the image's pyramid in which it has not.
    path : path or URL
        Of a folder of Neuroglancer's legacy meshes, in nanometers (or voxel sizes without a unit):
        within precomputed data ``"out.pre/mesh"``, of which ``info`` must name it; meshes that are
        there are replaced.
    ids : iterable of int, optional
        Of which objects; all unless given.
    reduction : int
        By how much triangles are made fewer, as far as ``max_error`` allows; 0 for all.
    max_error : float, optional
        How far the surface may move for that, in nanometers; a voxel unless given.
    client, progress, num_workers, max_retries, workers_timeout
        As for ``to_zarr``.
    timeout : float, optional
        Seconds that 16 objects may take.

    Returns
    -------
    RunSummary

    Raises
    ------
    ImportError
        If zmesh isn't installed: it comes with ``dask_blockwise[shapes]``.
    TypeError, ValueError
        If these aren't stored labels in three dimensions, there is no such object, or a number is
        out of range.
    BlocksFailed
        If objects failed for good, after all others are done.

    References
    ----------
    Lorensen and Cline, "Marching cubes", 1987, by zmesh.

    Examples
    --------
    >>> segments = open_volume("out.zarr/segments")  # doctest: +SKIP
    >>> meshes(segments, "out.pre/mesh", ids=[3, 7])  # doctest: +SKIP
    """
    check_volumes("meshes", segments=segments)
    how = HowRun(
        client=client,
        progress=progress,
        num_workers=num_workers,
        max_retries=max_retries,
        timeout=timeout,
        workers_timeout=workers_timeout,
    )
    return by_object(segments, path, _Mesh(reduction, max_error), ids, how)
