"""Shapes of stored objects, for Neuroglancer."""

from __future__ import annotations

from ..shapes.meshes import meshes as meshes_of
from ..shapes.skeletons import skeletons as skeletons_of
from .described import tell_absent
from .options import Cluster, Opening, Trying
from .words import Ids, Whole

__all__ = ["meshes", "skeletons"]


def meshes(
    segments: str,
    output: str,
    /,
    *,
    ids: Ids | None = None,
    reduction: Whole = 100,
    max_error: float | None = None,
    opening: Opening = Opening(),
    trying: Trying = Trying(),
    cluster: Cluster = Cluster(),
) -> None:
    """Make a mesh of each object, one object after the other.

    Takes the extra shapes.

    ```bash
    dask-blockwise meshes scan.zarr/cells cells.pre/mesh --ids 3,7
    ```

    Parameters
    ----------
    segments
        Labels with their final ids.
    output
        A folder of Neuroglancer's legacy meshes.
    ids
        Of which objects; all unless given.
    reduction
        By how much triangles are made fewer, as far as --max-error allows; 0 for all.
    max_error
        How far the surface may move for that, in nanometers; a voxel unless given.
    """
    volume, how = opening.open(segments), trying.keywords
    with cluster.when_needed():
        print(
            meshes_of(
                volume,
                output,
                ids=ids,
                reduction=reduction,
                max_error=max_error,
                **how,
            )
        )
    print(f"Meshes are in {output}")
    tell_absent(volume)


def skeletons(
    segments: str,
    output: str,
    /,
    *,
    ids: Ids | None = None,
    scale: float = 1.5,
    const: float = 300,
    opening: Opening = Opening(),
    trying: Trying = Trying(),
    cluster: Cluster = Cluster(),
) -> None:
    """Make a skeleton of each object, one object after the other.

    Takes the extra shapes.

    ```bash
    dask-blockwise skeletons scan.zarr/cells cells.pre/skeletons
    ```

    Parameters
    ----------
    segments
        Labels with their final ids.
    output
        A folder of Neuroglancer's skeletons.
    ids
        Of which objects; all unless given.
    scale
        How far around a path no other begins, in radii ...
    const
        ... and in nanometers beside.
    """
    volume, how = opening.open(segments), trying.keywords
    with cluster.when_needed():
        print(skeletons_of(volume, output, ids=ids, scale=scale, const=const, **how))
    print(f"Skeletons are in {output}")
    tell_absent(volume)
