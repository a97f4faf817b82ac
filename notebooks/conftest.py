"""Tutorials run whole, and on a busy machine for minutes; some need real volumes."""

import os
from functools import partial

import pytest
from nbclient import NotebookClient
from nbmake import nb_run

# A kernel that takes over a minute to start is no fault of a notebook; nbmake can't be told.
nb_run.NotebookClient = partial(NotebookClient, startup_timeout=480)

ON_REAL_VOLUMES = {"em_instances.ipynb", "light_microscopy.ipynb"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = [item for item in items if item.path.suffix == ".ipynb"]
    for item in here:
        item.add_marker(pytest.mark.timeout(500))
    if os.environ.get("DASK_BLOCKWISE_DATA"):
        return
    reason = "DASK_BLOCKWISE_DATA is not set: it names the folder of the test data"
    for item in here:
        if item.path.name in ON_REAL_VOLUMES:
            item.add_marker(pytest.mark.skip(reason=reason))
