"""Tables of objects from blocks, against skimage on the whole volume."""

from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import regionprops_table

from dask_blockwise import BlocksFailed, Volume, open_volume, relabel, segment, threshold
from dask_blockwise.labels.table import count_objects, finish, join
from dask_blockwise.segmentation.segment import connected_components
from dask_blockwise.storage.documents import list_names, read_bytes
from dask_blockwise.volumes.objects import Gathering
from dask_blockwise.volumes.options import StoreOptions

RNG = np.random.default_rng(0)


def scene(shape, ids, seed):
    rng = np.random.default_rng(seed)
    labels = rng.choice([0, *rng.integers(1, 2**40, ids)], shape)
    return labels, rng.integers(0, 2**16, shape).astype(np.uint16)


def oracle(labels, values, voxel_size, offset):
    """What skimage says of the whole, in world units."""
    dense = np.unique(labels, return_inverse=True)[1].reshape(labels.shape) + (labels.min() > 0)
    properties = ["area", "bbox", "centroid", "mean_intensity"]
    found = regionprops_table(dense, values, properties=properties)
    axes = "zyx"[-labels.ndim :]
    table = {"voxels": found["area"], "volume": found["area"] * np.prod(voxel_size)}
    for i, (axis, size, at) in enumerate(zip(axes, voxel_size, offset)):
        table[f"begin_{axis}"] = found[f"bbox-{i}"] * size + at
        table[f"end_{axis}"] = found[f"bbox-{i + labels.ndim}"] * size + at
        table[f"centroid_{axis}"] = (found[f"centroid-{i}"] + 0.5) * size + at
    table["mean_1"] = found["mean_intensity"]
    return pd.DataFrame({"id": np.unique(labels[labels > 0]), **table})


def assert_same(table, expected):
    for name in expected:
        np.testing.assert_allclose(table[name], expected[name], rtol=1e-12, err_msg=name)


def by_blocks(labels, values, block, voxel_size, offset):
    """The steps of the task, without a cluster."""
    axes, parts = "zyx"[-labels.ndim :], []
    counts = [-(-n // b) for n, b in zip(labels.shape, block)]
    for index in np.ndindex(*counts):
        begin = [i * b for i, b in zip(index, block)]
        box = tuple(slice(lo, lo + b) for lo, b in zip(begin, block))
        parts.append(count_objects(labels[box], {"1": values[box]}, begin, axes))
    return finish(join(parts, rows=3), axes, voxel_size, offset, "nanometer")


@settings(max_examples=25)
@given(st.data(), st.integers(2, 3), st.integers(1, 9), st.integers(0, 2**31))
def test_equals_skimage_whatever_the_blocks(data, dims, ids, seed):
    def numbers(low, high):
        return data.draw(st.tuples(*[st.integers(low, high)] * dims))

    labels, values = scene(numbers(1, 12), ids, seed)
    voxel_size, offset = numbers(1, 50), numbers(-1000, 1000)
    table = by_blocks(labels, values, numbers(3, 12), voxel_size, offset)
    if labels.any():
        assert_same(table, oracle(labels, values, voxel_size, offset))
    assert len(table) == len(np.unique(labels[labels > 0]))


@settings(max_examples=25)
@given(st.integers(0, 2**31), st.tuples(st.integers(1, 9), st.integers(1, 9)), st.booleans())
def test_means_of_what_is_not_finite_are_those_of_numpy(seed, block, rare):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, (6, 9))
    odd = rng.choice([np.nan, np.inf], labels.shape)
    values = np.where(rng.random(labels.shape) < (0.05 if rare else 0.5), odd, 1.5)
    table = by_blocks(labels, values, block, (1, 1), (0, 0))
    expected = [values[labels == n].mean() for n in table["id"]]
    np.testing.assert_allclose(table["mean_1"], expected)


def test_gathered_by_workers_and_written_beside_the_labels(client, tmp_path):
    labels, values = scene((20, 22, 24), 12, 1)
    place = {"voxel_size": (40, 5.24, 5.24), "offset": (80, -52.4, 0), "unit": "nm"}
    path = f"{tmp_path}/out.zarr/cells"
    Volume.from_array(labels, chunks=(10, 11, 20), **place).to_zarr(
        path, client=client, progress=False
    )
    raw = Volume.from_array(values, **place)
    table = open_volume(path).objects(raw, client=client, progress=False)
    assert_same(table, oracle(labels, values, (40, 5.24, 5.24), (80, -52.4, 0)))
    assert set(table["unit"]) == {"nanometer"}
    pd.testing.assert_frame_equal(pd.read_parquet(f"{path}.objects.parquet"), table)
    read = pd.read_csv(f"{path}.objects.csv", dtype={"id": np.uint64})
    pd.testing.assert_frame_equal(read, table, check_dtype=False)
    assert not list(tmp_path.rglob("*.parts"))


@pytest.fixture
def present(threads):
    with threads.as_current():
        yield


def table_of(labels, tmp_path, *volumes, **named):
    return labels.objects(*volumes, path=tmp_path / "table", progress=False, **named)


def test_time_points_have_rows_of_their_own(present, tmp_path):
    film = np.zeros((3, 4, 4), int)
    film[0, 0], film[2, :2] = 5, 5
    volume = Volume.from_array(film, voxel_size=(3, 1, 1), axes="tyx", chunks=(2, 1, 3))
    table = table_of(volume, tmp_path)
    assert table[["id", "t", "voxels", "end_y"]].to_numpy().tolist() == [[5, 0, 4, 1], [5, 6, 8, 2]]


def test_every_channel_has_a_mean_and_large_integers_do_not_overflow(present, tmp_path):
    big = np.stack([np.full((3, 5), 2**60, np.int64), np.full((3, 5), -1)])
    labels = Volume.from_array(np.ones((3, 5), int), chunks=(2, 2))
    table = table_of(labels, tmp_path, big=Volume.from_array(big, axes="cyx"))
    assert table["mean_big_0"].tolist() == [2.0**60]
    assert table["mean_big_1"].tolist() == [-1]


@pytest.mark.parametrize(
    ("volumes", "error", "said"),
    [
        (
            {"raw": (2, "f4"), "raw_0": (0, "f4")},
            ValueError,
            "called mean_raw_0.*another name",
        ),
        ({"wave": (0, "c8")}, TypeError, r"A mean needs real numbers, got complex64.*np\.abs"),
    ],
)
def test_means_that_would_be_lost_are_refused(present, tmp_path, volumes, error, said):
    labels = Volume.from_array(np.ones((3, 5), int), chunks=(2, 2))
    means = {
        name: Volume.from_array(
            np.ones((channels, 3, 5) if channels else (3, 5), dtype),
            axes="cyx" if channels else "yx",
        )
        for name, (channels, dtype) in volumes.items()
    }
    with pytest.raises(error, match=said):
        table_of(labels, tmp_path, **means)


def test_nothing_is_an_empty_table(present, tmp_path):
    table = table_of(Volume.from_array(np.zeros((4, 4), int), chunks=(2, 2)), tmp_path)
    assert table.shape == (0, 10)


def test_labels_stored_on_the_way(present, tmp_path):
    noise = Volume.from_array(RNG.random((12, 13)), chunks=(5, 5))
    mask = threshold(noise, 0.5)
    objects = relabel(connected_components(mask), match="touch").checkpoint(tmp_path / "a.zarr/ids")
    table = objects.objects(noise, progress=False)
    assert_same(table.drop(columns="mean_1"), oracle_of(tmp_path / "a.zarr/ids"))
    assert (table["mean_1"] > 0.5).all()
    assert (tmp_path / "a.zarr/ids.objects.csv").exists()


def oracle_of(path):
    ids = open_volume(path)[:]
    return oracle(ids, ids, (1, 1), (0, 0)).drop(columns="mean_1")


def test_its_bar_has_no_fingerprint(present, tmp_path):
    labels = Volume.from_array(np.ones((4, 4), np.uint8))
    task = Gathering(labels, {}, f"{tmp_path}/table", StoreOptions()).task
    other = Gathering(labels, {"raw": labels}, f"{tmp_path}/table", StoreOptions()).task
    assert task.title == other.title == "objects"
    assert task.task_id != other.task_id


def test_a_failed_run_goes_on(present, tmp_path):
    labels = Volume.from_array(np.arange(1, 17).reshape(4, 4), chunks=(2, 2))
    flag = tmp_path / "flag"

    def look(array):
        if not flag.exists() and array.max() == 16:
            raise RuntimeError("not yet")
        return array

    parts = segment(labels, look, halo=0)
    with pytest.raises(BlocksFailed, match="not yet"):
        table_of(parts, tmp_path)
    flag.touch()
    assert len(table_of(parts, tmp_path)) == 16


def test_its_blocks_are_tried_as_often_as_is_said(present, tmp_path):
    labels = Volume.from_array(np.arange(1, 17).reshape(4, 4), chunks=(4, 4))
    tries = tmp_path / "tries"

    def look(array):
        with tries.open("a") as file:
            file.write("x")
        raise RuntimeError("never")

    parts = segment(labels, look, halo=0)
    for retries in 0, 2:
        tries.write_text("")
        with pytest.raises(BlocksFailed, match="never"):
            parts.objects(path=tmp_path / "t", progress=False, max_retries=retries)
        assert len(tries.read_text()) == retries + 1
    with pytest.raises(ValueError, match="num_workers must be at least 1"):
        parts.objects(path=tmp_path / "t", progress=False, num_workers=0)


def test_a_measured_volume_may_have_any_name(present, tmp_path):
    table = LABELS.objects(labels=LABELS, path=tmp_path / "t", progress=False)
    assert table.mean_labels.tolist() == [1.0]


LABELS = Volume.from_array(np.ones((4, 4), int))


@pytest.mark.parametrize(
    "labels, volume, path, message",
    [
        (Volume.from_array(np.ones((4, 4))), LABELS, "t", "needs labels: integers"),
        (Volume.from_array(np.ones((1, 4, 4), int), axes="cyx"), LABELS, "t", "without channels"),
        (LABELS, Volume.from_array(np.ones((4, 5))), "t", "mean of '1'.* crop or resample"),
        (
            LABELS,
            Volume.from_array(np.ones(LABELS.shape), voxel_size=(7,) * len(LABELS.shape)),
            "t",
            r"mean of '1'.* open one with the numbers and unit of the other, open_volume\(path",
        ),
        (LABELS, LABELS, None, r'lie in no store.*objects\(path="cells"\)'),
        (relabel(connected_components(LABELS), match="touch"), LABELS, "t", "checkpoint"),
    ],
)
def test_mistakes_are_explained(labels, volume, path, message):
    with pytest.raises(ValueError, match=message):
        labels.objects(volume, path=path, progress=False)


def test_tables_lie_in_buckets_too(bucket, near):
    labels, _ = scene((4, 6, 5), 4, 1)
    stored = Volume.from_array(labels, voxel_size=(40, 4, 4), unit="nm", chunks=(2, 6, 5))
    stored.to_zarr(f"{bucket}/measured/a.zarr/cells", progress=False)
    table = open_volume(f"{bucket}/measured/a.zarr/cells").objects(progress=False)
    assert list_names(f"{bucket}/measured/a.zarr")[:2] == [
        "cells.objects.csv",
        "cells.objects.parquet",
    ]
    for name, read in (
        ("cells.objects.parquet", pd.read_parquet),
        ("cells.objects.csv", pd.read_csv),
    ):
        again = read(BytesIO(read_bytes(f"{bucket}/measured/a.zarr", name)))
        pd.testing.assert_frame_equal(again, table, check_dtype=False)
    assert table["voxels"].sum() == (labels > 0).sum()
