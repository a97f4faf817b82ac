"""Doctests run in an empty folder, on a cluster of threads in this process."""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import dask
import pytest
from distributed import Client

# There it may stop a process for good. A run ends it; tests also compute without one.
if sys.version_info < (3, 12):
    dask.config.set({"distributed.worker.profile.enabled": False})


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores, since many tests wait for processes, jobs and timeouts."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that have a time limit of their own, which are long, don't come last, on one core."""
    items.sort(key=lambda item: item.get_closest_marker("timeout") is None)


# Dask's own choice of a port for the dashboard.
_USUAL_PORT = 8787


@pytest.fixture(scope="session", autouse=True)
def _usual_port_is_taken() -> Iterator[None]:
    """As where somebody else has a cluster: what counts on the port fails everywhere, not there."""
    with socket.socket() as taken:
        with suppress(OSError):  # it is
            taken.bind(("127.0.0.1", _USUAL_PORT))
            taken.listen()
        yield


@pytest.fixture(autouse=True)
def _same_networks() -> None:
    """Untrained networks have the same weights in every run."""
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)


@pytest.fixture(scope="session")
def threads() -> Iterator[Client]:
    """A client that isn't the present one until it is made so."""
    with Client(
        processes=False,
        n_workers=1,
        threads_per_worker=2,
        dashboard_address=":0",
        set_as_default=False,
    ) as client:
        yield client


@pytest.fixture(autouse=True)
def _doctest_scene(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    if not isinstance(request.node, pytest.DoctestItem):
        yield
        return
    monkeypatch.chdir(tmp_path)
    with request.getfixturevalue("threads").as_current():
        yield
