"""Our own stages as worker files, run by blocks on processes, against their numpy functions."""

from pathlib import Path

import numpy as np
import pytest
import torch

import dask_blockwise
from dask_blockwise import (
    Coordinate,
    Roi,
    connected_components,
    create_volume,
    open_volume,
    relabel,
    run_blockwise,
)
from dask_blockwise.prediction.argmax import argmax_channels
from dask_blockwise.prediction.threshold import above
from dask_blockwise.segmentation.components import segment_function

WORKERS = Path(dask_blockwise.__file__).parent
VALUES = np.random.default_rng(0).random((3, 16, 16, 16), np.float32)
MASK = (VALUES[0] > 0.7).astype(np.uint8)
WHOLE, BLOCK = Roi((0, 0, 0), (64, 128, 32)), Roi((0, 0, 0), (32, 64, 16))
VOXEL = {"voxel_size": (4, 8, 2), "block_shape": (8, 8, 8)}

# dacapo's examples/blockwise/dummy_worker.py, but for its imports, its command line and what it
# does with a block.
DUMMY = """
from pathlib import Path
import dask_blockwise as daisy

read_write_conflict: bool = False
fit: str = "valid"
path = __file__


def start_worker_fn(arg, return_io_loop=False):
    print(arg)

    def io_loop():
        # wait for blocks to run pipeline
        client = daisy.Client()

        while True:
            print("getting block")
            with client.acquire_block() as block:
                if block is None:
                    break

                # Do the blockwise process
                print(
                    f"processing block: {block.block_id}, with read_roi: {block.read_roi}, "
                    f"using arg: {arg}"
                )
                Path(arg, str(block.block_id[1])).open("a").write(f"{block.write_roi}")

    if return_io_loop:
        return io_loop
    else:
        io_loop()


def spawn_worker(arg):
    return start_worker_fn(arg=arg, return_io_loop=True)
"""


@pytest.fixture
def run(client):
    def run(name, *args, context=(0, 0, 0), **kwargs):
        around = Coordinate(context)
        rois = WHOLE.grow(around, around), BLOCK.grow(around, around), BLOCK
        with client.as_current():
            return run_blockwise(WORKERS / f"{name}.py", *rois, 2, 2, None, None, *args, **kwargs)

    return run


def make(path, values=None, **options):
    volume = create_volume(path, **VOXEL | options)
    if values is not None:
        volume[volume.roi] = values
    return path


@pytest.fixture
def stored(tmp_path):
    return make(f"{tmp_path}/a.zarr/in", VALUES, shape=VALUES.shape, dtype="float32", axes="czyx")


@pytest.fixture
def mask(tmp_path):
    return make(f"{tmp_path}/a.zarr/mask", MASK, shape=MASK.shape, dtype="uint8")


@pytest.fixture
def output(tmp_path):
    def output(dtype, **options):
        shape = {"shape": VALUES.shape[1:], "dtype": dtype} | options
        return make(f"{tmp_path}/a.zarr/out", **shape)

    return output


def test_argmax(run, stored, output):
    path = output("uint8")
    assert run("argmax_worker", stored, path)
    np.testing.assert_array_equal(open_volume(path)[:], argmax_channels(VALUES))


def test_threshold(run, stored, output):
    path = output("uint8", shape=VALUES.shape, axes="czyx")
    assert run("threshold_worker", stored, path, threshold=0.25)
    np.testing.assert_array_equal(open_volume(path)[:], above(VALUES, 0.25))


def test_predict(run, mask, output, tmp_path):
    arguments = {"in_channels": 1, "out_channels": 2, "kernel_size": 3, "padding": 1}
    network, weights = torch.nn.Conv3d(**arguments), f"{tmp_path}/weights.pt"
    torch.save(network.state_dict(), weights)
    path = output("float32", shape=(2, 16, 16, 16), axes="czyx")
    options = {"weights": weights, "arguments": arguments, "output_dtype": "float32"}
    options["device"] = "cpu"
    assert run("predict_worker", mask, path, "torch.nn:Conv3d", **options)
    with torch.inference_mode():
        expected = network(torch.from_numpy(MASK[None, None].astype(np.float32) / 255))[0]
    np.testing.assert_allclose(open_volume(path)[:], expected, atol=1e-6)


def test_segment(run, mask, output):
    """Each block labels what it reads, and no other block has its ids."""
    path = output("uint64")
    function = str(WORKERS / "components_function.py")
    given = {"parameters": {"connectivity": 2}}
    assert run("segment_worker", mask, path, function, context=(4, 8, 2), **given)
    labels = open_volume(path)[:]
    for number, index in enumerate(np.ndindex(2, 2, 2)):
        core = tuple(slice(8 * i, 8 * i + 8) for i in index)
        seen = tuple(slice(max(0, s.start - 1), s.stop + 1) for s in core)
        own = segment_function(MASK[seen], connectivity=2)
        inner = tuple(slice(c.start - s.start, c.stop - s.start) for c, s in zip(core, seen))
        assert_one_to_one(labels[core], own[inner])
        assert set(np.unique(labels[core]) >> 32) <= {0, number}


def assert_one_to_one(one, other):
    pairs = np.unique(np.stack([one.ravel(), other.ravel()]).astype(np.uint64), axis=1)
    assert all(len(np.unique(side)) == pairs.shape[1] for side in pairs)


def test_relabel(run, client, mask, output, tmp_path):
    ids = f"{tmp_path}/a.zarr/ids"
    parts = connected_components(open_volume(mask), halo=1)
    objects = relabel(parts, match="touch", keep_scratch=True)
    objects.to_zarr(ids, client=client, progress=False)
    path = output("uint64")
    assert run("relabel_worker", path, f"{ids}.scratch")
    np.testing.assert_array_equal(open_volume(path)[:], open_volume(ids)[:])
    assert_one_to_one(open_volume(path)[:], segment_function(MASK))


def test_dacapos_dummy_worker_with_only_its_imports_changed(client, tmp_path):
    file = tmp_path / "dummy_worker.py"
    file.write_text(DUMMY)
    folder = tmp_path / "blocks"
    folder.mkdir()
    with client.as_current():
        assert run_blockwise(file, WHOLE, BLOCK, BLOCK, arg=str(folder))
    written = {int(p.name): p.read_text() for p in folder.iterdir()}
    assert sorted(written) == list(range(8))
    assert written[1] == str(BLOCK + Coordinate(0, 0, 16))
