"""What several test modules need: the real data, and a cluster of processes."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import Client, LocalCluster
from hypothesis import HealthCheck, settings

# A busy machine is no fault of the code.
settings.register_profile("any-speed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-speed")


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real volumes and networks; tests that need it skip without."""
    folder = os.environ.get("DASK_BLOCKWISE_DATA")
    if not folder:
        pytest.skip("DASK_BLOCKWISE_DATA is not set: it names the folder of the test data")
    return Path(folder)


@pytest.fixture(scope="session")
def client() -> Iterator[Client]:
    """Two worker processes of one thread each."""
    with (
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address=":0",
            silence_logs=logging.ERROR,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client
