"""What dacapo.blockwise gets wrong with labels, each shown not to happen here."""

import numpy as np
import pytest

from dask_blockwise import (
    Block,
    Roi,
    Volume,
    components_function,
    connected_components,
    create_volume,
    open_volume,
    relabel,
    segment,
    segment_blockwise,
    segment_worker,
)
from dask_blockwise.segmentation.watershed import segment_function as watershed


@pytest.fixture
def stored(tmp_path, threads):
    def stored(volume, name="ids"):
        with threads.as_current():
            volume.to_zarr(f"{tmp_path}/out.zarr/{name}", progress=False)
        return open_volume(f"{tmp_path}/out.zarr/{name}")[:]

    return stored


def by_blocks(tmp_path, threads, mask, block, context=0):
    source = create_volume(
        f"{tmp_path}/in.zarr/mask", shape=mask.shape, dtype="uint8", voxel_size=(8,) * mask.ndim
    )
    source[source.roi] = mask
    write = Roi((0,) * mask.ndim, [8 * n for n in block])
    with threads.as_current():
        assert segment_blockwise(
            components_function.__file__, (8 * context,) * mask.ndim, source.roi, write, write,
            input_path=source.path, output_path=f"{tmp_path}/out.zarr/ids",
            relabelling={"match": "touch"},
        )  # fmt: skip
    return open_volume(f"{tmp_path}/out.zarr/ids")


def test_no_id_is_used_twice_when_blocks_are_cut_or_voxels_are_large(stored):
    """Its ids are numbered on from a block's world units, or from the first block a worker saw."""
    dots = np.zeros((14, 14, 14), np.uint8)
    dots[::2, ::2, ::2] = 1
    volume = Volume.from_array(dots, voxel_size=(8, 8, 8), chunks=(5, 5, 5))
    ids = stored(connected_components(volume))
    assert len(np.unique(ids[ids > 0])) == dots.sum()


def test_ids_of_a_billion_blocks_do_not_run_over(tmp_path):
    """Its ids, block number times voxels of a block, do at 1242^3 blocks."""
    path, voxels = f"{tmp_path}/in.zarr/mask", Roi((0, 0), (4, 4))
    source = create_volume(path, shape=(4, 4), dtype="uint8", voxel_size=(1, 1))
    source[voxels] = np.eye(4, dtype=np.uint8)
    output = create_volume(f"{tmp_path}/out.zarr/ids", source, dtype="uint64")
    number = 1242**3
    process = segment_worker.spawn_worker(path, output.path, components_function.__file__)
    process(Block(voxels, voxels, voxels, ("segment", number)))
    assert np.unique(output[:]).tolist() == [0, *((number << 32) + n for n in (1, 2, 3, 4))]


def test_a_contact_of_one_voxel_does_not_merge(stored):
    """Blocks disagree on the voxel between two cells; each cell is found by both blocks."""
    cells = np.zeros((8, 16), int)
    cells[:4], cells[4:] = 1, 2

    def leaky(array, block):
        labels = array.copy()
        if block.number == 0:
            labels[4, 7 - block.read_roi.begin[1]] = 1
        return labels

    parts = segment(Volume.from_array(cells, chunks=(8, 8)), leaky, halo=(0, 4))
    assert stored(relabel(parts)).max() == 2
    assert stored(relabel(parts, match="touch"), "touch").max() == 1


@pytest.mark.parametrize("shape", [(12, 12), (6, 8, 8), (1, 12, 12)])
def test_without_context_objects_are_still_put_together(shape, tmp_path, threads):
    """And 2-D and flat volumes are volumes like any other."""
    mask = np.ones(shape, np.uint8)
    block = [min(n, 4) for n in shape]
    assert (by_blocks(tmp_path, threads, mask, block)[:] == 1).all()


def test_what_an_output_held_before_merges_nothing(tmp_path, threads):
    mask = np.ones((4, 12), np.uint8)
    mask[:, [3, 8]] = 0
    stale = create_volume(
        f"{tmp_path}/out.zarr/ids", shape=mask.shape, dtype="uint64", voxel_size=(8, 8),
        block_shape=(4, 4),
    )  # fmt: skip
    stale[stale.roi] = np.ones(mask.shape)
    ids = by_blocks(tmp_path, threads, mask, (4, 4))[:]
    assert ids[0].tolist() == [1] * 3 + [0] + [2] * 4 + [0] + [3] * 3


def test_each_offset_has_a_bias_of_its_own():
    affinities = np.full((2, 1, 8), 0.4, np.float32)
    offsets = [(0, -1), (0, -3)]
    assert not watershed(affinities, offsets=offsets, bias=0.5).any()
    joined = watershed(affinities, offsets=offsets, bias=[0.3, 0.5], filter_fragments=False)
    assert len(np.unique(joined)) < 8
    assert joined.all()
