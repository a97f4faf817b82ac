"""What a person looks at: volumes in a viewer, and scores beside the truth."""

from __future__ import annotations

import sys
from contextlib import suppress
from threading import Event

from ..reports.evaluation import evaluate as scores_of
from ..volumes.opening import open_volume
from ..volumes.viewing import view as open_viewer
from .options import Cluster, Flag

__all__ = ["evaluate", "view"]


def view(path: str, /, *more: str) -> None:
    """Open every volume of a container in Neuroglancer, until Ctrl-C.

    ```bash
    dask-blockwise view fib25.zarr
    ```

    Parameters
    ----------
    path
        Of a container on this machine, or of a single volume anywhere.
    more
        Others, which are shown with it.
    """
    viewer = open_viewer(path, *more)
    sys.stderr.write("Open this URL in a browser; Ctrl-C ends it.\n")
    with suppress(KeyboardInterrupt):
        Event().wait()
    del viewer  # which answers as long as it is there


def evaluate(
    segments: str, truth: str, /, *, ignore_background: Flag = False, cluster: Cluster = Cluster()
) -> None:
    """Print VOI and ARAND of stored labels beside the truth, and the worst objects.

    ```bash
    dask-blockwise evaluate fib25.zarr/segments truth.zarr/neurons
    ```

    Parameters
    ----------
    segments
        Labels with their final ids.
    truth
        Of the same voxels, of all of the region or a part; 0 is unlabelled, and doesn't count.
    ignore_background
        Leave voxels out that the segments have as 0.
    """
    volumes = open_volume(segments), open_volume(truth)
    with cluster.client():
        print(scores_of(*volumes, ignore_background=ignore_background))
