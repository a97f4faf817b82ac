"""All volumes of a container in Neuroglancer."""

from __future__ import annotations

import os
import warnings
from typing import Any

from ..storage.level_paths import images_below
from ..storage.location import given_as
from ..storage.what_is_there import what_is_there
from .opening import open_volume
from .seen.viewer import open_viewer
from .volume import Volume

__all__ = ["view", "volumes_in"]


def view(path: str | os.PathLike[str], *others: str | os.PathLike[str]) -> Any:
    """Open every volume of a container in Neuroglancer, each at its place in the world.

    Parameters
    ----------
    path, *others : path or URL
        Of containers, but of none on a web server; or of single volumes anywhere.

    Returns
    -------
    neuroglancer.Viewer
        As of ``volume.view()``: its URL is printed, and answers as long as this process is there.

    Raises
    ------
    FileNotFoundError
        If there is no volume.
    ImportError
        If Neuroglancer isn't installed: it comes with ``dask_blockwise[view]``.
    """
    found = [pair for one in (path, *others) for pair in volumes_in(one).items()]
    return open_viewer(found)


def volumes_in(path: str | os.PathLike[str]) -> dict[str, Volume]:
    """The volumes of a container by their paths in it, images before labels; or the one at a path.

    Arrays that can't be opened as volumes are left out, with a warning.

    Raises
    ------
    FileNotFoundError
        If there is none.

    Examples
    --------
    >>> import numpy as np
    >>> for name in "cells", "raw":
    ...     volume = Volume.from_array(np.zeros((4, 4), np.uint32 if name == "cells" else np.uint8))
    ...     _ = volume.to_zarr(f"a.zarr/{name}", progress=False, pyramid=1)
    >>> {name: volume.path for name, volume in volumes_in("a.zarr").items()}
    {'raw': 'a.zarr/raw/s0', 'cells': 'a.zarr/cells/s0'}
    """
    given = given_as(path).rstrip("/")
    names = images_below(given)
    if names in ([], [""], ["."]):
        return {given.rpartition("/")[2]: open_volume(given)}
    opened = {name: _opened(f"{given}/{name}") for name in names}
    found = {name: volume for name, volume in opened.items() if volume is not None}
    if not found:
        raise FileNotFoundError(what_is_there(given))
    return dict(sorted(found.items(), key=lambda item: item[1].frame.may_be_names))


def _opened(path: str) -> Volume | None:
    try:
        return open_volume(path)
    except (OSError, ValueError) as error:
        warnings.warn(f"{path} isn't shown: {error}", stacklevel=4)
        return None
