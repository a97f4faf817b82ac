"""Tutorials on real volumes skip where these aren't at hand; others run anywhere."""

import os

import pytest

ON_REAL_VOLUMES = {"em_instances.ipynb", "light_microscopy.ipynb"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("DASK_BLOCKWISE_DATA"):
        return
    reason = "DASK_BLOCKWISE_DATA is not set: it names the folder of the test data"
    for item in items:
        if item.path.name in ON_REAL_VOLUMES:
            item.add_marker(pytest.mark.skip(reason=reason))
