"""Renumber: ids 1..n for labels of the whole volume, which stay the objects that they are."""

from __future__ import annotations

from ..labels.ids import check_min_size
from ..pipelines.stages import stage
from ..volumes.grey import check_not_grey
from ..volumes.lineage import is_made_by
from ..volumes.source import LabelSource
from ..volumes.volume import Volume
from .kept import Kept
from .relabelled import relabelled
from .same_id_rule import SameIdRule

__all__ = ["renumber"]


@stage("labels")
def renumber(labels: Volume, *, min_size: int = 0) -> Volume:
    """Ids 1..n for labels of the whole volume, such as another tool has made, lazily.

    Objects stay exactly as they are: voxels of one id are one object, wherever in the volume they
    lie and whether or not they touch. Blocks leave which ids they have, one block numbers them all
    (some 60 bytes for each block that an object is in), and blocks write the new ids. For labels
    that blocks made by themselves, of which several are one object, there is ``relabel``.

    Parameters
    ----------
    labels : Volume of int
        Any ids up to 2 ** 64 - 1; 0 is background. Stored, or computed from what is.
    min_size : int
        Objects of fewer voxels, over the whole volume, become background.

    Returns
    -------
    Volume of uint64
        Ids 1..n without gaps. First come the objects of the first block in raster order, in the
        order of their ids in ``labels``; then those that the second block has on top, and so on:
        the same for any number of workers. An id is one object at all time points, so what was
        tracked stays tracked. A region is numbered by itself, as if it were the volume's one
        block.

    Raises
    ------
    ValueError
        If these aren't labels, or each block makes them by itself; or if ``min_size`` is negative.

    Examples
    --------
    >>> import numpy as np
    >>> from dask_blockwise import open_volume
    >>> labels = Volume.from_array(np.array([[70, 70, 50, 50, 70, 9]]), chunks=(1, 3))
    >>> _ = renumber(labels).to_zarr("renumbered.zarr/ids", progress=False)
    >>> open_volume("renumbered.zarr/ids")[:]
    array([[2, 2, 1, 1, 2, 3]], dtype=uint64)
    """
    if labels.dtype.kind not in "iu" or "c" in labels.axes:
        raise ValueError(
            f"renumber needs labels: integers without channels, got {labels!r}. Segment it first."
        )
    check_not_grey(labels, "renumber", stacklevel=4)
    # Ids are then those of a block that is labelled on the way.
    if is_made_by(labels, LabelSource | Kept):
        raise ValueError(
            f"renumber takes labels of the whole volume, and of {labels!r} each block makes its "
            "own, under ids that say nothing of those of other blocks: relabel(labels, ...) finds "
            "which are one object, and numbers these 1..n."
        )
    check_min_size(min_size)
    return relabelled(labels, None, SameIdRule(min_size))
