import functools
import gzip
import http.server
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import imageio.v3
import numpy as np
import pytest
import torch

from dask_blockwise import open_volume
from dask_blockwise.demo import samples
from dask_blockwise.demo.unet import UNet

SECTIONS = [f"grayscale_maps/iso.{number}.png" for number in range(2600, 2604)]


@pytest.fixture
def no_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DASK_BLOCKWISE_DATA", raising=False)
    monkeypatch.setenv("DASK_BLOCKWISE_CACHE", str(tmp_path / "cache"))


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def repository(tmp_path: Path, no_data: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A web server in the place of the public repository, with a few small sections."""
    folder = tmp_path / "repository"
    (folder / "grayscale_maps").mkdir(parents=True)
    for level, section in enumerate(SECTIONS):
        imageio.v3.imwrite(folder / section, np.full((6, 5), level, np.uint8))
    with h5py.File(folder / "groundtruth.h5", "w") as file:
        file["stack"] = np.arange(8 * 6 * 5).reshape(8, 6, 5)
        file["transforms"] = [[piece, 1000 + piece // 30] for piece in range(240)]
    packed = gzip.compress((folder / "groundtruth.h5").read_bytes())
    (folder / "groundtruth.h5.gz").write_bytes(packed)
    handler = functools.partial(QuietHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        monkeypatch.setattr(samples, "_FIB25_URL", f"http://127.0.0.1:{server.server_port}/")
        monkeypatch.setattr(samples, "_FIB25_SECTIONS", SECTIONS)
        yield folder
        server.shutdown()


def test_fib25_is_fetched_once(repository: Path) -> None:
    first = samples._fetch_fib25()
    for path in [*repository.rglob("*.png"), *repository.glob("*.gz")]:
        path.unlink()
    raw, neurons = samples._fetch_fib25()
    assert np.array_equal(raw, np.broadcast_to(np.arange(4)[:, None, None], (4, 6, 5)))
    assert np.array_equal(neurons, raw.astype(int) + 1000)
    assert np.array_equal(raw, first[0])


def test_threads_that_fetch_do_not_all_make_the_folder(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pooch looks whether it is there and then makes it, with others in between."""
    make = os.makedirs

    def late(*args: Any, **options: Any) -> None:
        time.sleep(0.2)
        make(*args, **options)

    monkeypatch.setattr("pooch.core.os.makedirs", late)
    raw, _ = samples._fetch_fib25()
    assert raw.shape == (4, 6, 5)


def test_offline_the_error_says_both_ways(no_data: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "_FIB25_URL", "http://127.0.0.1:9/")
    monkeypatch.setattr(samples, "_OVULE_URL", "http://127.0.0.1:9/")
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    for sample in (samples.fib25, samples.ovule):
        with pytest.raises(FileNotFoundError, match=r"DASK_BLOCKWISE_DATA.*connect this machine"):
            sample()


def test_fib25_is_read_from_the_data_folder(data: Path) -> None:
    volume = samples.fib25()
    assert volume.raw.shape == volume.truth.shape == (200, 250, 250)
    assert volume.raw.voxel_size == (10, 10, 10)
    assert volume.unseen.begin == (1600, 0, 0)
    assert volume.unseen.end == volume.raw.roi.end
    assert len(np.unique(volume.truth[volume.unseen])) > 50


def test_the_ovule_is_read_from_the_data_folder(data: Path) -> None:
    raw, label = (open_volume(f"{samples.ovule()}/{name}") for name in ("raw", "label"))
    assert raw.shape == label.shape == (100, 100, 100)
    assert len(np.unique(label[:])) == 33


def test_the_ovule_is_fetched_once_and_known_by_its_hash(
    repository: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(samples, "_OVULE_URL", samples._FIB25_URL)
    served = repository / samples._OVULE_FILE
    served.write_bytes((data / "fluorescence/ovule_nuclei_1136_100.h5").read_bytes())
    path = samples.ovule()
    served.unlink()
    assert samples.ovule() == path
    path.write_bytes(b"")
    with pytest.raises(FileNotFoundError, match=r"ovule_nuclei_1136_100.*connect this machine"):
        samples.ovule()


def test_mni152_has_tissues_where_the_image_is_bright() -> None:
    brain = samples.mni152()
    raw, truth = (volume[volume.roi] for volume in (brain.raw, brain.truth))
    means = [raw[truth == tissue].mean() for tissue in range(3)]
    assert means == sorted(means)
    assert brain.unseen.shape == (189, 117, 197)
    assert brain.unseen.end == brain.raw.roi.end


def test_a_missing_package_is_named_with_its_extra() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"needs no_such_package.*dask_blockwise\[demo\]"):
        samples._need("no_such_package")


@pytest.mark.parametrize("network", [samples.MNI152, samples.FIB25])
def test_weights_fit_the_network(network: samples.Network) -> None:
    weights = torch.load(network.weights, weights_only=True)
    net = UNet(1, len(network.channels), network.features)
    net.load_state_dict(weights)
    assert all(torch.isfinite(weight).all() for weight in weights.values())


def test_offsets_are_nearest_neighbours_first() -> None:
    lengths = [max(map(abs, offset)) for offset in samples.FIB25.channels]
    assert lengths == [1] * 3 + [3] * 3 + [9] * 3
