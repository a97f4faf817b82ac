"""What makes objects of fragments: relabel, agglomerate, renumber."""

from __future__ import annotations

from typing import Literal

from ..relabelling.agglomerate import agglomerate as agglomerated
from ..relabelling.relabel import relabel as relabelled
from ..relabelling.renumber import renumber as renumbered
from ..volumes.volume import Volume
from .options import Flag, Opening, OpeningAffinities
from .storing import Stage
from .words import Count, Numbers, Offsets, Whole

__all__ = ["agglomerate", "relabel", "renumber"]

_OF_SCRATCH = ".scratch"


def relabel(
    fragments: str,
    output: str,
    /,
    *,
    match: Literal["mutex", "iou", "fraction", "touch"] | None = None,
    min_iou: float | None = None,
    min_fraction: float | None = None,
    connectivity: Count | None = None,
    min_size: Whole = 0,
    keep_scratch: Flag = False,
    how: Stage = Stage(),
) -> None:
    """Join the segments of single blocks across blocks: ids 1..N over the whole volume.

    What segment, watershed and connected-components store is joined already, unless they were given
    --fragments.

    ```bash
    dask-blockwise relabel scan.zarr/fragments scan.zarr/cells --match touch --min-size 50
    ```

    Parameters
    ----------
    fragments
        Labels of single blocks; or the scratch that an earlier call has kept, a path that ends in
        .scratch.
    output
        Where the objects are stored.
    match
        When labels of neighbouring blocks are one object.
    min_iou
        For iou: the least intersection over union.
    min_fraction
        For fraction: the least part of the smaller label that both share.
    connectivity
        Blocks are neighbours across faces (1), edges (2), corners (3).
    min_size
        Objects of fewer voxels become background.
    keep_scratch
        Keep what other rules can start from, beside the output.
    """
    objects = relabelled(
        _fragments(fragments, how),
        match=match,
        min_iou=min_iou,
        min_fraction=min_fraction,
        connectivity=connectivity,
        min_size=min_size,
        keep_scratch=keep_scratch,
    )
    how.store(objects, output)


def renumber(
    labels: str,
    output: str,
    /,
    *,
    min_size: Whole = 0,
    how: Stage = Stage(),
) -> None:
    """Give the labels of a whole volume, such as another tool's, ids 1..N.


    ```bash
    dask-blockwise renumber other.zarr/labels mine.zarr/labels --min-size 50
    ```

    Parameters
    ----------
    labels
        Labels that are the objects already.
    output
        Where they are stored.
    min_size
        Objects of fewer voxels become background.
    """
    objects = renumbered(how.open(labels), min_size=min_size)
    how.store(objects, output)


def agglomerate(
    fragments: str,
    affinities: str,
    output: str,
    /,
    *,
    offsets: Offsets | None = None,
    method: Literal["mean", "mutex", "multicut"] = "mean",
    threshold: Numbers = 0.5,
    min_size: Whole = 0,
    clip: Flag = False,
    keep_scratch: Flag = False,
    opening_of_affinities: OpeningAffinities = Opening(),
    how: Stage = Stage(),
) -> None:
    r"""Join fragments of the whole volume by the affinities between them.


    ```bash
    dask-blockwise agglomerate a.zarr/fragments a.zarr/affinities a.zarr/segments \
        --offsets "-1,0,0 0,-1,0 0,0,-1" --threshold 0.6
    ```

    Parameters
    ----------
    fragments
        What watershed stored with --fragments.
    affinities
        Of which they are, opened by options as those of the fragments, such as --affinities.isel
        c=0:3.
    output
        Where the objects are stored.
    offsets
        One step in voxels for each channel, with spaces between.
    method
        By the highest mean affinity first, by exclusions, or by the best sum.
    threshold
        Above it an affinity joins: one number, or one a channel (0.5 unless given).
    min_size
        Objects of fewer voxels become background.
    clip
        Take affinities beyond [0, 1] as 0 and 1.
    keep_scratch
        Keep what other thresholds can start from, beside the output.
    """
    objects = agglomerated(
        _fragments(fragments, how),
        opening_of_affinities.open(affinities, "affinities"),
        offsets=offsets,
        method=method,
        threshold=threshold,
        min_size=min_size,
        clip=clip,
        keep_scratch=keep_scratch,
    )
    how.store(objects, output)


def _fragments(path: str, how: Stage) -> Volume | str:
    """A volume; what a scratch holds is found by its path."""
    return path if path.rstrip("/").endswith(_OF_SCRATCH) else how.open(path)
