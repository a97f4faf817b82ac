"""Volumes: regions, storing, resuming, and what is refused."""

import numpy as np
import pytest
import torch
import zarr
from numcodecs import Delta
from ome_zarr_models import open_ome_zarr

import dask_blockwise as dbw
from dask_blockwise import Roi, Volume
from dask_blockwise.storage.formats.zarr_python import ZarrPythonArray


@pytest.fixture
def array():
    return np.random.default_rng(0).integers(0, 255, (20, 30, 25)).astype(np.uint8)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_stored_equals_the_array(array, tmp_path, client, zarr_format):
    volume = Volume.from_array(
        array, voxel_size=(40, 5.24, 5.24), offset=(80, 0, 0), unit="nanometer", chunks=(8, 16, 16)
    )
    path = tmp_path / "a.zarr/raw"
    summary = volume.to_zarr(path, client=client, progress=False, zarr_format=zarr_format)
    assert summary.tasks[0].completed == 12
    again = dbw.open_volume(path)
    assert (again.voxel_size, again.unit) == ((40000, 5240, 5240), "picometer")
    np.testing.assert_array_equal(again[:], array)
    np.testing.assert_array_equal(
        again[Roi((80000, 5240, 0), (40000, 5240, 52400))], array[:1, 1:2, :10]
    )


def test_the_image_is_valid_ome_zarr(array, tmp_path, client):
    Volume.from_array(array, unit="nanometer").to_zarr(
        tmp_path / "a.zarr/raw", client=client, progress=False
    )
    image = open_ome_zarr(zarr.open_group(tmp_path / "a.zarr/raw", mode="r"))
    assert image.ome_attributes.multiscales[0].axes[0].name == "z"


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize(
    ("axes", "shape", "chunks"),
    [
        (("t", "c", "z", "y", "x"), (2, 3, 4, 5, 6), (1, 3, 4, 4, 4)),
        (("t", "y", "x"), (3, 7, 5), (1, 4, 5)),
        (("c", "y", "x"), (2, 7, 5), (2, 3, 5)),
    ],
)
def test_axes_and_fractions_survive_storing(tmp_path, threads, zarr_format, axes, shape, chunks):
    array = np.random.default_rng(0).random(shape).astype(np.float32)
    count = sum(axis != "c" for axis in axes)
    place = {"voxel_size": (1.25,) * count, "offset": (2.5,) * count, "unit": "micrometer"}
    volume = Volume.from_array(array, axes=axes, chunks=chunks, **place)
    path = tmp_path / "a.zarr/x"
    volume.to_zarr(path, client=threads, progress=False, zarr_format=zarr_format)
    again = dbw.open_volume(path)
    assert (again.placement, again.block_shape) == (volume.placement, volume.block_shape)
    assert (again.voxel_size[-1], again.offset[-1], again.unit) == (1250, 2500, "nanometer")
    np.testing.assert_array_equal(again[:], array)
    open_ome_zarr(zarr.open_group(path, mode="r"))


def test_a_chosen_level_has_its_own_scale_and_translation(tmp_path):
    placed = [(0.5, 0.0), (1.0, 0.25), (2.0, 0.75)]
    levels = [
        {
            "path": f"s{n}",
            "coordinateTransformations": [
                {"type": "scale", "scale": [size, size]},
                {"type": "translation", "translation": [begin, begin]},
            ],
        }
        for n, (size, begin) in enumerate(placed)
    ]
    axes = [{"name": name, "type": "space", "unit": "micrometer"} for name in "yx"]
    group = zarr.open_group(tmp_path / "image.zarr", mode="w")
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": levels}]}
    for n in range(3):
        group.create_array(f"s{n}", shape=(16 >> n,) * 2, dtype="u1")
    for n, (size, begin) in enumerate([(500, 0), (1000, 250), (2000, 750)]):
        level = dbw.open_volume(tmp_path / f"image.zarr/s{n}")
        assert (level.shape, level.unit) == ((16 >> n,) * 2, "nanometer")
        assert (level.voxel_size, level.offset) == ((size, size), (begin, begin))


def test_filters_are_read_by_zarr_and_stored_on(tmp_path, threads):
    values = np.arange(63, dtype="i4").reshape(7, 9)
    made = zarr.create_array(
        tmp_path / "old.zarr",
        shape=values.shape,
        chunks=(3, 4),
        dtype="i4",
        zarr_format=2,
        filters=[Delta(dtype="i4")],
    )
    made[:] = values
    old = dbw.open_volume(tmp_path / "old.zarr")
    assert isinstance(old.stored.writable(), ZarrPythonArray)
    old.to_zarr(tmp_path / "new.zarr/x", client=threads, progress=False)
    np.testing.assert_array_equal(dbw.open_volume(tmp_path / "new.zarr/x")[:], values)


def test_notebooks_show_tables(array):
    volume = Volume.from_array(array, voxel_size=(40, 4, 4), unit="nm", chunks=(8, 16, 16))
    shown = volume._repr_html_()
    for text in "z 20, y 30, x 25", "uint8, 14.65 kiB", "z 40, y 4, x 4 nanometer", "z 0 to 800":
        assert text in shown
    assert ">12</td>" in volume.plan()._repr_html_()


def test_a_second_run_does_nothing_and_another_volume_is_refused(array, tmp_path, client):
    volume, path = Volume.from_array(array, chunks=(8, 16, 16)), tmp_path / "a.zarr/raw"
    volume.to_zarr(path, client=client, progress=False)
    assert volume.to_zarr(path, client=client, progress=False).tasks[0].completed == 0
    with pytest.raises(FileExistsError, match="overwrite=True"):
        Volume.from_array(array + 1).to_zarr(path, client=client, progress=False)


def _fail_at_the_end(array):
    if array.flat[-1] == 7:
        raise RuntimeError("seven")
    return array


def test_a_failed_block_fails_the_run_and_the_others_are_kept(tmp_path, client):
    array = np.arange(16, dtype=np.uint8).reshape(2, 8)
    bad = dbw.map_overlap(_fail_at_the_end, Volume.from_array(array, chunks=(1, 4)), dtype=np.uint8)
    path = tmp_path / "a.zarr/x"
    with pytest.raises(dbw.BlocksFailed, match="seven"):
        bad.to_zarr(path, client=client, progress=False, max_retries=0)
    stored = dbw.open_volume(path)[:]
    assert stored[1].tolist() == array[1].tolist()
    assert stored[0].tolist() == [0, 1, 2, 3, 0, 0, 0, 0]


def test_checkpoints_are_stored_on_the_way(array, tmp_path, client):
    mask = dbw.threshold(Volume.from_array(array, chunks=(8, 16, 16)), 100)
    mask = mask.checkpoint(tmp_path / "a.zarr/mask")
    twice = dbw.map_overlap(np.multiply, mask, mask.inputs[0], dtype=np.uint8)
    twice.to_zarr(tmp_path / "a.zarr/twice", client=client, progress=False)
    for name in "mask", "twice":
        np.testing.assert_array_equal(dbw.open_volume(tmp_path / "a.zarr" / name)[:], array > 100)


def test_plan_counts_blocks_and_halos(array):
    plan = dbw.map_overlap(np.copy, Volume.from_array(array, chunks=(10, 10, 25)), halo=2).plan()
    assert (plan.blocks, plan.read_bytes) == (6, 24 * 38 * 25)


@pytest.mark.filterwarnings("ignore:.*looks like an image:UserWarning")
@pytest.mark.parametrize(
    ("mistake", "error", "message"),
    [
        (lambda v, p: dbw.open_volume(p / "none.zarr"), FileNotFoundError, "No array at"),
        (lambda v, p: v[Roi((0, 0, 0), (99, 1, 1))], ValueError, "isn't within"),
        (lambda v, p: v["x"], TypeError, "indexed with a Roi"),
        (lambda v, p: v[v[:] > 3], TypeError, "index the array that this gives"),
        (lambda v, p: v[20], IndexError, "Index 20 is beyond an axis of 20 voxels"),
        (lambda v, p: v.to_zarr(p / "a.zarr/b", blocks=3), TypeError, "unexpected .* 'blocks'"),
        (lambda v, p: dbw.create_volume(p / "a.zarr/b"), ValueError, "needs shape and dtype"),
        (lambda v, p: Volume.from_array(np.eye(2), axes=("c", "t")), ValueError, "axes must be"),
        (lambda v, p: dbw.argmax(v), ValueError, "runs over the channels"),
        (lambda v, p: dbw.watershed(v, offsets=[(0, 0, 1)] * 2), ValueError, "1 channels"),
        (lambda v, p: dbw.relabel(v, match="iou"), ValueError, "no halo"),
        (lambda v, p: dbw.relabel(v, match="nearest"), ValueError, "match must be"),
    ],
)
def test_mistakes(array, tmp_path, mistake, error, message):
    with pytest.raises(error, match=message):
        mistake(Volume.from_array(array), tmp_path)


@pytest.mark.parametrize(
    ("path", "shape", "total"),
    [
        ("n5-zarr/shardExamples/test.zarr/mid_sharded", (4, 6), 990),
        ("n5-zarr/examples/dimensionOrder.zarr/c-order", (3, 4, 5), 1770),
        ("n5-zarr/examples/dimensionOrder.zarr/f-order", (3, 4, 5), 1770),
        *((f"tensorstore_n5/{c}", (4, 5), 190) for c in ("gzip", "xz", "blosc", "raw", "bzip2")),
    ],
)
def test_containers_of_other_tools(data, path, shape, total):
    volume = dbw.open_volume(data / "containers" / path)
    assert (volume.shape, int(volume[:].sum())) == (shape, total)


@pytest.mark.parametrize("key", [(), 3, -1, (..., -2), slice(2, 17, 5), slice(None, None, -3)])
def test_indexed_as_an_array(array, key):
    lazy = dbw.map_overlap(np.copy, Volume.from_array(array, chunks=(8, 16, 16)), halo=1)
    np.testing.assert_array_equal(lazy[key], array[key])
    assert (lazy.ndim, np.mean(lazy)) == (3, array.mean())


def test_a_file_that_is_no_store_says_how_to_read_it(array, tmp_path):
    (tmp_path / "a.mrc").write_bytes(array.tobytes())
    with pytest.raises(FileNotFoundError, match=r"is a file.*Volume.from_array"):
        dbw.open_volume(tmp_path / "a.mrc")


@pytest.mark.parametrize(
    ("stage", "dtype", "message"),
    [
        (dbw.argmax, complex, "argmax needs real numbers, got complex128"),
        (lambda v: dbw.threshold(v, 1), "c8", "threshold needs real numbers, got complex64"),
        (dbw.watershed, complex, "watershed needs real numbers"),
        (dbw.connected_components, float, "integers without channels.*Apply threshold"),
        (dbw.connected_components, np.uint8, "integers without channels.*Apply threshold"),
        (lambda v: dbw.predict(v, torch.nn.Conv2d(2, 1, 1)), complex, "complex"),
        (dbw.argmax, "U3", "Voxels must be numbers, got <U3"),
    ],
)
def test_values_that_no_stage_is_for(stage, dtype, message):
    with pytest.raises((TypeError, ValueError), match=message):
        stage(Volume.from_array(np.zeros((2, 4, 4), dtype), axes="cyx"))


def test_numpy_gets_a_view_or_a_copy_as_it_asks(array):
    held = Volume.from_array(array, chunks=(8, 16, 16))
    lazy = dbw.map_overlap(np.copy, held)
    assert np.shares_memory(np.asarray(held), array)
    assert np.shares_memory(np.array(held, copy=False), array)
    assert not np.shares_memory(np.array(held), array)
    assert np.array(lazy, "u2").dtype == "u2"
    for volume, dtype in (lazy, None), (held, "u2"):
        with pytest.raises(ValueError, match="copy"):
            np.array(volume, dtype, copy=False)


def test_what_is_computed_is_not_written(array):
    with pytest.raises(TypeError, match=r"is computed, so it has no array .* to_zarr"):
        dbw.threshold(Volume.from_array(array), 3)[:] = 1


class Wrong(dbw.Source):
    inputs = ()

    def read(self, begin, end):
        return np.zeros((1, 1, 1), np.uint8)


def test_sources_that_answer_wrongly_are_named(array):
    frame = Volume.from_array(array).frame
    with pytest.raises(ValueError, match=r"<Wrong .* shape \(1, 1, 1\) for a box of \(2, 30, 25\)"):
        Volume(frame, Wrong())[:2]
    with pytest.raises(TypeError, match=r"frame and a source, got 3"):
        Volume(frame, 3)
