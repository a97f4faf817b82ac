"""What labels objects: watershed, functions of one's own, connected components."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from ..pipelines.named_functions import function_or_file
from ..relabelling.relabel import relabel
from ..segmentation.segment import connected_components as components_of
from ..segmentation.segment import segment as segments_of
from ..segmentation.segment import watershed as watershed_of
from ..volumes.opening import open_volume
from ..volumes.volume import Volume
from .options import Flag
from .storing import Stage
from .words import Count, Halo, Named, Numbers, Offsets, Whole, named_values

__all__ = ["connected_components", "segment", "watershed"]


def watershed(
    affinities: str,
    output: str,
    /,
    *,
    offsets: Offsets | None = None,
    bias: Numbers = 0.5,
    halo: Halo = 16,
    mask: str | None = None,
    seeds: Literal["distance"] | None = None,
    parameter: Named = (),
    min_size: Whole = 0,
    fragments: Flag = False,
    how: Stage = Stage(),
) -> None:
    r"""Segment affinities by mutex watershed; or a mask or map from seeds at its distances.

    Objects are those of the whole volume, with one id each.

    ```bash
    dask-blockwise watershed fib25.zarr/affinities fib25.zarr/segments \
        --offsets "-1,0,0 0,-1,0 0,0,-1 -4,0,0 0,-4,0 0,0,-4" --bias 0.5
    dask-blockwise watershed scan.zarr/mask scan.zarr/cells --seeds distance --parameter sigma=1.5
    ```

    Parameters
    ----------
    affinities
        One channel an offset; with --seeds distance, a mask whose objects touch, or the probability
        to be inside an object.
    output
        Where the segments are stored.
    offsets
        One step in voxels for each channel, with spaces between.
    bias
        Above it an affinity joins: one number, or one a channel (0.5 unless given).
    halo
        Voxels that a block sees around it (16 unless given); objects of affinities are
        the same with any.
    mask
        Path of a volume that is 0 where nothing is to be segmented.
    seeds
        Flood from maxima of the distance to boundaries instead, as of a mask.
    parameter
        Any other of the watershed, such as sigma=2.0, or fill=false, by which seeds leave what is
        at most the bias background; may be given several times.
    min_size
        Objects of fewer voxels become background.
    fragments
        Leave the labels of single blocks as they are, for relabel or agglomerate.
    """
    labels = watershed_of(
        how.open(affinities),
        offsets=offsets,
        bias=bias,
        halo=halo,
        mask=_mask(mask),
        **_without_none(seeds=seeds),
        **named_values(parameter),
    )
    how.store(_joined(labels, fragments, min_size), output)


def segment(
    volume: str,
    output: str,
    /,
    *,
    function: str,
    halo: Halo,
    mask: str | None = None,
    parameter: Named = (),
    parameters: Path | None = None,
    min_size: Whole = 0,
    fragments: Flag = False,
    how: Stage = Stage(),
) -> None:
    """Label objects by a function of your own, and join them across blocks.


    ```bash
    dask-blockwise segment scan.zarr/raw scan.zarr/cells --function cells.py --halo 16
    ```

    Parameters
    ----------
    volume
        What the function sees, block by block.
    output
        Where the segments are stored.
    function
        A Python file that has segment_function, or package.module:function, also of a module in
        the present folder.
    halo
        Voxels that a block sees around it.
    mask
        Path of a volume that is 0 where nothing is to be segmented.
    parameter
        Of the function, such as sigma=2.0; may be given several times.
    parameters
        A YAML file of them.
    min_size
        Objects of fewer voxels become background.
    fragments
        Leave the labels of single blocks as they are, for relabel or agglomerate.
    """
    labels = segments_of(
        how.open(volume),
        function_or_file(function),
        halo=halo,
        mask=_mask(mask),
        parameters=parameters,
        **named_values(parameter),
    )
    how.store(_joined(labels, fragments, min_size), output)


def connected_components(
    mask: str,
    output: str,
    /,
    *,
    connectivity: Count = 1,
    each_value: Flag = False,
    min_size: Whole = 0,
    fragments: Flag = False,
    how: Stage = Stage(),
) -> None:
    """Label what hangs together, exactly as on the whole volume.


    ```bash
    dask-blockwise connected-components scan.zarr/mask scan.zarr/cells --min-size 50
    ```

    Parameters
    ----------
    mask
        A mask, or labels.
    output
        Where the objects are stored.
    connectivity
        Voxels are neighbours that differ by 1 along at most so many axes (1 unless given).
    each_value
        Touching voxels of different values are different objects.
    min_size
        Objects of fewer voxels become background.
    fragments
        Leave the labels of single blocks as they are, for relabel.
    """
    labels = components_of(how.open(mask), connectivity=connectivity, each_value=each_value)
    how.store(_joined(labels, fragments, min_size), output)


def _joined(labels: Volume, fragments: bool, min_size: int) -> Volume:
    if fragments and min_size:
        raise ValueError(
            "--min-size is of whole objects, but --fragments leaves the parts that single blocks "
            "have: give --min-size to relabel or agglomerate."
        )
    return labels if fragments else relabel(labels, min_size=min_size)


def _mask(path: str | None) -> Volume | None:
    return None if path is None else open_volume(path)


def _without_none(**given: Any) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}
