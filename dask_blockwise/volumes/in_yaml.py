"""Volumes as files of pipelines: written, read back, and seen to be the same."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..engine.any_cluster import cluster
from .storing import to_zarr
from .to_precomputed import to_precomputed
from .wiring import token_of

# pydantic, which reads and writes files, is imported when one is read or written.
if TYPE_CHECKING:
    from ..pipelines.reading import PipelineFile

__all__ = ["WRITERS", "read_file", "to_yaml"]

# What stores a volume, by what a file says under ``to``.
WRITERS: Mapping[str, Callable[..., Any]] = {"ome-zarr": to_zarr, "precomputed": to_precomputed}


def to_yaml(
    volume: Any,
    /,
    file: str | os.PathLike[str] | None = None,
    *,
    store: str | os.PathLike[str] | Mapping[str, Any] | None = None,
) -> str:
    """The pipeline that makes this volume, as ``dask-blockwise run`` takes it.

    Parameters
    ----------
    file : path, optional
        Where to write it, too.
    store : path, or mapping, optional
        Where the volume is to be stored, or that as ``path`` beside other keywords of ``to_zarr``;
        or of ``to_precomputed``, with ``{"to": "precomputed"}``.

    Returns
    -------
    str
        YAML. What is read back from it has this volume's token, which is seen before it is
        returned.

    Raises
    ------
    ValueError
        If something can't be said in a file: a lambda, a network or an array in memory, an
        expression. It says what, and how to mend it.

    Examples
    --------
    >>> import numpy as np
    >>> from dask_blockwise import Volume, open_volume, threshold
    >>> _ = Volume.from_array(np.eye(4)).to_zarr("in.zarr/raw", progress=False)
    >>> mask = threshold(open_volume("in.zarr/raw"), 0.5)
    >>> print(mask.to_yaml(store="out.zarr/mask"))
    volumes:
      raw: {open: in.zarr/raw}
      mask: {threshold: raw, value: 0.5}
    store: {mask: out.zarr/mask}
    """
    from ..pipelines.making import made_of
    from ..pipelines.writing import written

    chosen = {"path": store} if isinstance(store, str | os.PathLike) else store
    if chosen is not None:
        chosen = {name: os.fspath(v) if name == "path" else v for name, v in chosen.items()}
    text, name = written(volume, chosen)
    again = made_of(read_file(text, "the file"))[name]
    if token_of(again) != token_of(volume):
        raise ValueError(
            f"{volume!r} can't be said in a file: what is read back is another computation. Values "
            "that YAML has no word for, such as tuples given to functions of your own, are read as "
            "others: give lists."
        )
    if file is not None:
        Path(file).expanduser().write_text(text)
    return text


def read_file(text: str, name: str) -> PipelineFile:
    """What a file says, checked.

    Raises
    ------
    ValueError
        With all that is wrong, each with its line and key.
    """
    from ..pipelines.reading import read_pipeline

    return read_pipeline(text, name, WRITERS, cluster)
