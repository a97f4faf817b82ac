"""A plan says what a run then does."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from distributed import Client, LocalCluster
from scipy.ndimage import label
from torch import nn

import dask_blockwise as dbw
from dask_blockwise.volumes.volume import Volume


@pytest.fixture
def raw() -> Volume:
    values = np.random.default_rng(0).integers(0, 255, (40, 40, 30)).astype(np.uint8)
    return Volume.from_array(values, voxel_size=(4, 2, 2), chunks=(16, 16, 16))


def two_channels(array):
    return np.stack([array, array]).astype(np.float32)


def objects(array):
    return label(array[0] > 200)[0]


def written(array, folder):
    (folder / uuid4().hex).write_text(str(array.size))
    return array


def test_rows_are_the_tasks_of_the_run(raw, tmp_path, threads):
    stored = dbw.map_overlap(two_channels, raw, channels=2, halo=3).checkpoint(
        tmp_path / "a.zarr/x"
    )
    segments = dbw.relabel(dbw.segment(stored, objects, halo=4))
    plan = segments.plan()
    summary = segments.to_zarr(tmp_path / "a.zarr/result", client=threads, progress=False)
    rows = {stage.name: stage.blocks for stage in plan.stages}
    # The last task only removes scratch arrays.
    assert rows == {task.name: task.blocks for task in summary.tasks[:-1]}
    assert (plan.blocks, plan.tasks) == (18, 18 * 4 + 1)
    sizes = [40 * 40 * 30 * n for n in (2 * 4, 8)]
    frames = 18 * 24**3 * 4
    assert plan.write_bytes == sum(sizes) + frames
    assert str(plan).splitlines()[2].split()[:6] == ["x", "16", "x", "16", "x", "16"]
    assert ">result: segment</td>" in plan._repr_html_()


def test_what_two_stages_read_is_stored_once(raw, tmp_path):
    stored = dbw.map_overlap(np.copy, raw).checkpoint(tmp_path / "a.zarr/x")
    both = dbw.map_overlap(np.add, stored, dbw.map_overlap(np.copy, stored, halo=2))
    assert [stage.name for stage in both.plan().stages] == ["x", "result"]
    assert both.plan().stages[1].read_bytes > 2 * raw.data.size
    assert both.plan().stages[0].read_bytes == raw.data.size


@pytest.mark.parametrize(
    "net",
    [nn.Conv3d(1, 2, 5, padding=2), nn.Conv3d(1, 2, 2, 2), nn.ConvTranspose3d(1, 2, 2, 2)],
    ids=["same", "coarser", "finer"],
)
def test_a_prediction_reads_what_is_planned(net, raw, tmp_path, threads):
    folder = tmp_path / "reads"
    folder.mkdir()
    counted = dbw.map_overlap(written, raw, dtype=np.uint8, folder=folder)
    prediction = dbw.predict(counted, net, boundary="reflect", activation="sigmoid")
    plan = prediction.plan(block_shape=(16, 16, 16))
    before = {path.name for path in folder.iterdir()}
    prediction.to_zarr(
        tmp_path / "a.zarr/x", client=threads, progress=False, block_shape=(16, 16, 16)
    )
    read = sum(int(path.read_text()) for path in folder.iterdir() if path.name not in before)
    assert plan.read_bytes == read


def test_a_worker_holds_what_is_planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DASK_BLOCKWISE_CACHE_MB", "1")
    noise = np.random.default_rng(0).random((192, 192, 192), np.float32)
    source = Volume.from_array(noise, chunks=(64, 64, 64))
    source.to_zarr(tmp_path / "a.zarr/raw", progress=False)
    raw = dbw.open_volume(tmp_path / "a.zarr/raw")
    channels = dbw.map_overlap(fourfold, raw, halo=8, channels=4, dtype=np.float32)
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        peaks, plans = [], []
        for size in 64, 192:
            options = {"block_shape": (size,) * 3}
            path = tmp_path / f"a.zarr/{size}"
            summary = channels.to_zarr(path, client=client, progress=False, **options)
            peaks.append(summary.tasks[0].peak_memory)
            plans.append(channels.plan(**options).worker_bytes)
    more = plans[1] - plans[0]
    assert more > 200e6
    assert peaks[1] - peaks[0] == pytest.approx(more, rel=0.35)


def fourfold(array):
    return np.stack([array] * 4)
