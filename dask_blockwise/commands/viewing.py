"""Looking at what is stored."""

from __future__ import annotations

import threading
import webbrowser
from contextlib import suppress

from ..volumes.viewing import view as open_view

__all__ = ["view"]


def view(path: str, /, *others: str, browser: bool = True) -> None:
    """Open every volume of a container in Neuroglancer, until Ctrl-C.

    ```bash
    dask-blockwise view fib25.zarr
    ```

    Parameters
    ----------
    path
        A container anywhere but on a web server, or a single volume there too.
    others
        More of them.
    browser
        Open the page in a browser here; the URL is printed in any case.
    """
    # Ctrl-C may come as soon as the URL is printed.
    with suppress(KeyboardInterrupt):
        viewer = open_view(path, *others)
        if browser:
            webbrowser.open(str(viewer))
        threading.Event().wait()
