"""Volumes as files of pipelines: written, read back, and seen to be the same."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from inspect import signature
from typing import TYPE_CHECKING, Any

from ..engine.any_cluster import cluster
from ..engine.limits import seconds_to_wait
from ..engine.run_document import check_report_path
from ..storage.files_beside import file_to_write
from ..storage.location import location_of
from .kinds import AnyVoxels, Checkpoint
from .options import StoreOptions
from .seen.at_once import under
from .source import Voxels
from .storing import checkpoint, to_zarr
from .tasks import check_not_in_place, check_path
from .to_precomputed import to_precomputed
from .wiring import token_of

# pydantic, which reads and writes files, is imported when one is read or written.
if TYPE_CHECKING:
    from ..pipelines.reading import PipelineFile

__all__ = ["WRITERS", "check_places", "read_file", "to_yaml"]

# What stores a volume, by what a file says under ``to``.
WRITERS: Mapping[str, Callable[..., Any]] = {"ome-zarr": to_zarr, "precomputed": to_precomputed}
# Options of what is run and told, and others that make a checkpoint alike by either writer.
_OF_RUNS = ("roi", "notes", "report", "workers_timeout")
_CHECKPOINTS = set(signature(checkpoint).parameters) | set(_OF_RUNS)
_SHARED = {"ome-zarr": _CHECKPOINTS, "precomputed": _CHECKPOINTS - {"pyramid", "block_shape"}}


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
        file_to_write(file, "the pipeline").write_text(text, "utf-8")
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


def check_places(file: PipelineFile, volumes: Mapping[str, Any]) -> None:
    """Refuse places and ways in which a file's volumes can't be stored, before any of them is.

    Parameters
    ----------
    file : PipelineFile
    volumes : mapping of Volume
        Made of it, by name.

    Raises
    ------
    ValueError
        If something else lies there, it is what a volume is computed from, or two would lie there;
        or an option makes no sense.
    """
    from ..pipelines.making import called
    from ..pipelines.reading import Part

    taken: dict[str, str] = {}
    for name, output in file.stored.items():
        place = Part({"path": output.arguments["path"]}, output.place)
        called(_check_place, place, volumes[name], taken=taken)
        given = {key: value for key, value in output.arguments.items() if key in _SHARED[output.to]}
        called(_check_options, Part({"given": given}, output.place), volumes[name])


def _check_place(volume: Voxels, path: str, taken: dict[str, str]) -> None:
    location = location_of(path)
    check_path(volume, location)
    places = [(location, volume.token)]
    stages = (one.source for one in under(volume))
    for below in (stage for stage in stages if isinstance(stage, Checkpoint)):
        check_not_in_place(below.made, below.path)
        places.append((below.path, below.made.token))
    for place, token in places:
        if taken.setdefault(place, token) != token:
            raise ValueError(
                f"Two volumes of the file would be stored at {place}: give each a path of its own."
            )


def _check_options(volume: AnyVoxels, given: Mapping[str, Any]) -> None:
    """Refuse what a writer would, by what makes a checkpoint of the volume, and runs nothing."""
    seconds_to_wait(given.get("workers_timeout"))
    if given.get("report") is not None:
        check_report_path(given["report"])
    StoreOptions(**{name: given[name] for name in ("roi", "notes") if name in given})
    checkpoint(volume, **{name: given[name] for name in given if name not in _OF_RUNS})
