"""Storing: the same whatever the blocks, workers and accidents; each voxel written once."""

import logging
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from distributed import Client, LocalCluster
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import uniform_filter

import dask_blockwise as dbw
from dask_blockwise import Roi, Volume
from dask_blockwise.storage.stored_array import StoredArray
from dask_blockwise.volumes.lineage import prepared

SHAPE = (20, 30, 25)
MEAN = {"halo": 1, "boundary": "reflect", "size": 3, "dtype": float}


@pytest.fixture
def array():
    return np.random.default_rng(0).integers(0, 255, SHAPE).astype(np.uint8)


@pytest.fixture
def volume(array):
    return Volume.from_array(array, chunks=(8, 16, 16))


def smooth(array, size):
    return uniform_filter(array.astype(float), size)


def counted(array, folder):
    """Leave a file for each call."""
    (Path(folder) / os.urandom(8).hex()).write_text(str(array.size))
    return array


def slept(array, seconds=0.01):
    """Take a while, so that blocks that don't wait find nothing."""
    time.sleep(seconds)
    return array


def kill_once(array, folder):
    """Kill the process at the first block that finds no mark of an earlier death."""
    try:
        (Path(folder) / "killed").touch(exist_ok=False)
        os.kill(os.getpid(), signal.SIGKILL)
    except FileExistsError:
        pass
    return array + 1


def test_two_stages_on_one_checkpoint_store_it_once(volume, array, tmp_path, client):
    (tmp_path / "calls").mkdir()
    base = dbw.map_overlap(counted, volume, dtype=np.uint8, folder=str(tmp_path / "calls"))
    base = base.checkpoint(tmp_path / "a.zarr/base")
    mean = dbw.map_overlap(smooth, base, **MEAN)
    both = dbw.map_overlap(np.subtract, mean, dbw.map_overlap(np.copy, base, dtype=np.uint8))
    summary = both.to_zarr(tmp_path / "a.zarr/both", client=client, progress=False)
    assert [task.completed for task in summary.tasks] == [12, 12]
    assert len(list((tmp_path / "calls").iterdir())) == 12
    np.testing.assert_allclose(
        dbw.open_volume(tmp_path / "a.zarr/both")[:], smooth(array, 3) - array, atol=1e-9
    )


def test_two_checkpoints_at_one_path_are_refused(volume, tmp_path):
    one, other = (dbw.threshold(volume, t).checkpoint(tmp_path / "a.zarr/x") for t in (1, 2))
    both = dbw.map_overlap(np.add, one, other)
    with pytest.raises(ValueError, match="Two different checkpoints"):
        both.to_zarr(tmp_path / "a.zarr/both", progress=False)


@settings(max_examples=12)
@given(block=st.tuples(*(st.integers(5, n) for n in SHAPE)), zarr_format=st.sampled_from([2, 3]))
def test_any_block_shape_gives_the_same_and_writes_voxels_once(
    tmp_path_factory, threads, block, zarr_format
):
    array = np.random.default_rng(0).random(SHAPE)
    path, times, write = (
        tmp_path_factory.mktemp("any") / "a.zarr/x",
        np.zeros(SHAPE),
        StoredArray.write,
    )

    def counting(self, region, values):
        times[region] += 1
        write(self, region, values)

    mapped = dbw.map_overlap(smooth, Volume.from_array(array, chunks=(7, 8, 9)), **MEAN)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StoredArray, "write", counting)
        options = {"block_shape": block, "zarr_format": zarr_format, "progress": False}
        mapped.to_zarr(path, client=threads, **options)
    np.testing.assert_allclose(dbw.open_volume(path)[:], smooth(array, 3), rtol=1e-12)
    assert (times == 1).all()


def test_a_killed_worker_changes_nothing(volume, array, tmp_path, client):
    killer = dbw.map_overlap(kill_once, volume, dtype=np.uint8, folder=str(tmp_path))
    summary = killer.to_zarr(tmp_path / "a.zarr/x", client=client, progress=False)
    assert (tmp_path / "killed").exists()
    assert summary.tasks[0].completed == 12
    np.testing.assert_array_equal(dbw.open_volume(tmp_path / "a.zarr/x")[:], array + 1)


def test_a_full_disk_fails_the_run_at_its_end_and_the_same_call_goes_on(small_disk, client):
    disk, _ = small_disk
    noise = np.random.default_rng(0).integers(0, 255, (8, 1 << 14)).astype(np.uint8)
    volume, path = Volume.from_array(noise, chunks=(1, 1 << 14)), disk / "a.zarr/x"
    (disk / "full").write_bytes(bytes(180 << 10))
    with pytest.raises(dbw.BlocksFailed, match=r"The disk of .* is full. .* the same call"):
        volume.to_zarr(path, client=client, progress=False, max_retries=0)
    kept = dbw.open_volume(path)[:].any(axis=1)
    assert 0 < kept.sum() < 8
    (disk / "full").unlink()
    again = volume.to_zarr(path, client=client, progress=False)
    assert again.tasks[0].completed == 8 - kept.sum()
    np.testing.assert_array_equal(dbw.open_volume(path)[:], noise)


def test_what_is_written_in_the_run_is_read_anew(array, tmp_path, client):
    path = tmp_path / "a.zarr/base"
    options = {"client": client, "progress": False}
    base = Volume.from_array(array, chunks=(8, 16, 16))
    base.to_zarr(path, **options)
    # Workers have the old values in their caches.
    dbw.open_volume(path).to_zarr(tmp_path / "a.zarr/old", **options)
    changed = dbw.map_overlap(np.invert, base).checkpoint(path, overwrite=True)
    mean = dbw.map_overlap(smooth, changed, **MEAN)
    mean.to_zarr(tmp_path / "a.zarr/mean", **options)
    found = dbw.open_volume(tmp_path / "a.zarr/mean")[:]
    np.testing.assert_allclose(found, smooth(~array, 3), rtol=1e-12)


def flooded(seen):
    """What a block writes, of all that it sees."""
    return seen.sum() % np.uint64(1009) + np.uint64(1)


def test_blocks_in_conflict_order_see_what_those_before_wrote(tmp_path, client):
    made = dbw.create_volume(
        tmp_path / "a.zarr/x", shape=(12, 12), dtype="uint64", block_shape=(1, 1)
    )

    def process(block):
        (tmp_path / str(block.number)).write_text(str(time.time()))
        seen = made[block.read_roi.intersect(made.roi)]
        time.sleep(0.005)  # so that both workers take part
        made[block.write_roi] = np.full((1, 1), flooded(seen))

    rois = made.roi.grow((2, 2), (2, 2)), Roi((-2, -2), (5, 5)), Roi((0, 0), (1, 1))
    assert dbw.run(dbw.Task("task", *rois, process, num_workers=None), client, progress=False)
    again = np.zeros((12, 12), np.uint64)
    for number in sorted(range(144), key=lambda n: float((tmp_path / str(n)).read_text())):
        y, x = divmod(number, 12)
        again[y, x] = flooded(again[max(0, y - 2) : y + 3, max(0, x - 2) : x + 3])
    np.testing.assert_array_equal(made[:], again)


def test_what_a_worker_saw_of_a_checkpoint_too_early_is_seen_anew(tmp_path, client):
    path, ones = tmp_path / "a.zarr/x", Volume.from_array(np.ones((8, 8), np.uint8), chunks=(1, 1))
    made, copy = (dbw.create_volume(tmp_path / f"a.zarr/{n}", like=ones) for n in ("x", "copy"))
    seen = prepared(ones.checkpoint(path))

    def write(block):
        seen[:]  # most of it isn't there yet
        time.sleep(0.005)  # so that both workers take part
        made[block.write_roi] = ones[block.write_roi]

    def copied(block):
        copy[block.write_roi] = seen[block.read_roi]

    pixel = Roi((0, 0), (1, 1))
    options = {"read_write_conflict": False, "num_workers": None}
    first = dbw.Task("first", made.roi, pixel, pixel, write, **options)
    second = dbw.Task("second", made.roi, pixel, pixel, copied, upstream_tasks=[first], **options)
    assert dbw.run(second, client, progress=False)
    assert copy[:].all()


@pytest.mark.parametrize("boundary", ["periodic", "reflect", ("nearest", "periodic")])
def test_blocks_wait_for_all_that_they_read_of_a_checkpoint(boundary, tmp_path, client):
    array = np.random.default_rng(0).random((24, 24))
    late = dbw.map_overlap(slept, Volume.from_array(array, chunks=(4, 4)))
    late = late.checkpoint(tmp_path / "a.zarr/late")
    mean = dbw.map_overlap(smooth, late, **MEAN | {"boundary": boundary})
    copied = dbw.map_overlap(np.copy, mean)
    expected = copied[:]
    copied.to_zarr(tmp_path / "a.zarr/copied", client=client, progress=False)
    np.testing.assert_allclose(dbw.open_volume(tmp_path / "a.zarr/copied")[:], expected)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("part", [slice(0, 4), slice(20, 24), slice(4, 12)])
def test_parts_wait_for_the_far_end_of_what_they_are_parts_of(part, turned, tmp_path, client):
    array = np.random.default_rng(0).random((24, 4))
    late = dbw.map_overlap(slept, Volume.from_array(array, chunks=(4, 4)), seconds=0.2)
    late = late.checkpoint(tmp_path / "a.zarr/late")
    around = dbw.map_overlap(smooth, late, **MEAN | {"boundary": "periodic"})
    taken = around.isel(y=part).transpose() if turned else around.isel(y=part)
    taken.to_zarr(tmp_path / "a.zarr/part", client=client, progress=False)
    expected = uniform_filter(array, 3, mode="wrap")[part]
    stored = dbw.open_volume(tmp_path / "a.zarr/part")[:]
    np.testing.assert_allclose(stored, expected.T if turned else expected)


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        ({"block_shape": (8, 8)}, "block_shape must be 3 positive"),
        ({"block_shape": (8, 8, 0)}, "block_shape must be 3 positive"),
        ({"zarr_format": 1}, "zarr_format must be 2 or 3"),
        ({"num_workers": 0}, "num_workers must be at least 1"),
        ({"max_retries": -1}, "max_retries must be 0 or more"),
        ({"timeout": 0}, "timeout must be a positive"),
    ],
)
def test_mistakes_leave_nothing_behind(volume, tmp_path, mistake, message):
    with pytest.raises(ValueError, match=message):
        volume.to_zarr(tmp_path / "a.zarr/x", progress=False, **mistake)
    assert not (tmp_path / "a.zarr").exists()


def test_stages_after_relabel_are_right_or_refused(tmp_path, threads):
    mask = np.zeros((6, 24), np.uint8)
    mask[1, 1:22] = mask[4, 3:9] = 1
    pieces = dbw.connected_components(Volume.from_array(mask, chunks=(3, 8)))
    objects = dbw.relabel(pieces, match="touch")
    copied = dbw.map_overlap(np.copy, objects, halo=1, boundary="reflect")
    stored = dbw.map_overlap(np.copy, objects.checkpoint(tmp_path / "a.zarr/ids"))
    stored.to_zarr(tmp_path / "a.zarr/copy", client=threads, progress=False)
    ids = dbw.open_volume(tmp_path / "a.zarr/copy")[:]
    assert np.unique(ids).tolist() == [0, 1, 2]
    for volume in copied, stored, objects.checkpoint(tmp_path / "b.zarr"):
        np.testing.assert_array_equal(volume.data.compute(scheduler="sync"), ids)
    both = dbw.map_overlap(np.add, objects, objects)
    with pytest.raises(ValueError, match="needs its final ids"):
        _ = both.data
    with pytest.raises(ValueError, match="needs its final ids"):
        both.to_zarr(tmp_path / "c.zarr/x", progress=False)
    assert not (tmp_path / "c.zarr").exists()


def test_a_plan_foretells_what_is_read(volume, tmp_path, threads):
    (tmp_path / "calls").mkdir()
    first = dbw.map_overlap(counted, volume, halo=1, dtype=np.uint8, folder=str(tmp_path / "calls"))
    second = dbw.map_overlap(smooth, first, halo=2, size=3, dtype=float)
    plan = second.plan()
    summary = second.to_zarr(tmp_path / "a.zarr/x", client=threads, progress=False)
    computed = sum(int(call.read_text()) for call in (tmp_path / "calls").iterdir())
    assert (plan.blocks, plan.read_bytes) == (summary.tasks[0].completed, computed)
    assert plan.recompute_factor == computed / volume.data.size


def fail_once(array, there):
    """Fail in the first block that finds a file there."""
    try:
        Path(there).unlink()
    except FileNotFoundError:
        return smooth(array, 3)
    raise RuntimeError("not yet")


def test_all_of_it_in_a_bucket(array, bucket, tmp_path):
    options = {"progress": False, "block_shape": (8, 16, 16)}
    path, there = f"{bucket}/all.zarr/mean", tmp_path / "there"
    there.touch()
    with (
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            dashboard_address=":0",
            silence_logs=logging.ERROR,
        ) as cluster,
        Client(cluster) as client,
    ):
        raw = Volume.from_array(array, voxel_size=(40, 5.24, 5.24), unit="nanometer")
        raw.to_zarr(f"{bucket}/all.zarr/raw", client=client, **options)
        raw = dbw.open_volume(f"{bucket}/all.zarr/raw")
        base = dbw.map_overlap(np.copy, raw).checkpoint(f"{bucket}/all.zarr/base")
        given = {"halo": 1, "boundary": "reflect", "dtype": float, "there": str(there)}
        mean = dbw.map_overlap(fail_once, base, **given)
        with pytest.raises(dbw.BlocksFailed, match="not yet"):
            mean.to_zarr(path, client=client, max_retries=0, **options)
        done = [mean.to_zarr(path, client=client, **options).tasks[-1].completed for _ in "12"]
        assert done == [1, 0]
        with pytest.raises(FileExistsError, match="overwrite=True"):
            raw.to_zarr(path, client=client, **options)
        found = dbw.open_volume(path)
        np.testing.assert_allclose(found[Roi((0, 0, 0), found.roi.shape)], smooth(array, 3))
        raw.to_zarr(path, client=client, overwrite=True, **options)
    assert (found.voxel_size, found.unit) == ((40000, 5240, 5240), "picometer")
    made = dbw.create_volume(f"{bucket}/all.zarr/made", like=raw)
    made[made.roi] = array
    for name in "mean", "made":
        np.testing.assert_array_equal(dbw.open_volume(f"{bucket}/all.zarr/{name}")[:], array)
