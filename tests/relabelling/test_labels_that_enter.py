"""What isn't labels is refused wherever labels come in: negative ones, and floats."""

import numpy as np
import pytest

from dask_blockwise import (
    Block,
    BlocksFailed,
    Volume,
    agglomerate,
    connected_components,
    create_volume,
    map_overlap,
    open_volume,
    relabel,
    segment,
)
from dask_blockwise.labels.scores import score_segmentation
from dask_blockwise.labels.table import count_objects
from dask_blockwise.segment_worker import spawn_worker

# As skimage's watershed leaves its lines, and annotators what they don't know.
LINES = np.array([[1, 1, -1, 2, 2], [1, 1, -1, 2, 2], [-1, -1, -1, 3, 0]])
VOLUME = Volume.from_array(LINES, chunks=(3, 3))
AFFINITIES = Volume.from_array(np.ones((2, 3, 5), np.float32), axes="cyx", chunks=(2, 3, 3))
OFFSETS = [(-1, 0), (0, -1)]
WORKER = "def segment_function(array, block): return array"


def computed(volume):
    return volume.data.compute(scheduler="synchronous")


def worker(labels, folder):
    """One block of `segment_worker`, over stored labels."""
    (folder / "function.py").write_text(WORKER)
    stored = create_volume(
        f"{folder}/in.zarr/labels", shape=(3, 5), dtype=labels.dtype, block_shape=(3, 5)
    )
    stored[stored.roi] = labels
    create_volume(f"{folder}/out.zarr/labels", stored, dtype="uint64")
    process = spawn_worker(stored.path, f"{folder}/out.zarr/labels", f"{folder}/function.py")
    process(Block(stored.roi, stored.roi, stored.roi, ("segment", 0)))


ENTRIES = {
    "segment": lambda labels, _: segment(
        Volume.from_array(labels, chunks=(3, 3)), np.asarray, halo=1
    )[:],
    "segment by blocks": lambda labels, _: computed(
        segment(Volume.from_array(labels, chunks=(3, 3)), lambda array: array, halo=1)
    ),
    "relabel a region": lambda labels, _: relabel(Volume.from_array(labels), match="touch")[:],
    "relabel by blocks": lambda labels, _: computed(
        relabel(Volume.from_array(labels, chunks=(3, 3)), match="touch")
    ),
    "relabel what is segmented": lambda labels, _: computed(
        relabel(segment(Volume.from_array(labels, chunks=(3, 3)), np.array, halo=1))
    ),
    "agglomerate": lambda labels, _: computed(
        agglomerate(Volume.from_array(labels, chunks=(3, 3)), AFFINITIES, offsets=OFFSETS)
    ),
    "agglomerate a region": lambda labels, _: agglomerate(
        Volume.from_array(labels), AFFINITIES, offsets=OFFSETS
    )[:],
    "components of each value": lambda labels, _: connected_components(
        Volume.from_array(labels), each_value=True
    )[:],
    "components": lambda labels, _: connected_components(Volume.from_array(labels))[:],
    "worker file": worker,
    "count": lambda labels, _: count_objects(labels, {}, (0, 0), ("y", "x")),
    "truth": lambda labels, _: score_segmentation(labels, labels > 0),
    "result": lambda labels, _: score_segmentation(labels > 0, labels),
}


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES.keys())
@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        (LINES, ValueError, "negative, got -1.*map_overlap"),
        (LINES.astype(np.int8), ValueError, "negative, got -1.*map_overlap"),
        (LINES.astype(float), (TypeError, ValueError), "integers"),
    ],
    ids=["negative", "a byte", "float"],
)
def test_refused_wherever_they_come_in(entry, labels, error, message, tmp_path):
    with pytest.raises(error, match=message):
        entry(labels, tmp_path)


def test_refused_in_a_run(threads, tmp_path):
    with threads.as_current():
        for name, objects in (
            ("relabelled", relabel(VOLUME, match="touch")),
            ("segmented", segment(VOLUME, lambda array: array, halo=0)),
        ):
            with pytest.raises(BlocksFailed, match=r"negative, got -1.*a_min=0"):
                objects.to_zarr(f"{tmp_path}/a.zarr/{name}", progress=False, max_retries=0)
        with pytest.raises(BlocksFailed, match="negative, got -1"):
            VOLUME.objects(path=f"{tmp_path}/cells", progress=False, max_retries=0)


def test_the_mend_makes_background_of_them(threads, tmp_path):
    labels = map_overlap(np.clip, VOLUME, a_min=0, a_max=None)
    background = np.maximum(LINES, 0)
    np.testing.assert_array_equal(labels[:], background)
    path = f"{tmp_path}/a.zarr/ids"
    with threads.as_current():
        relabel(segment(labels, np.asarray, halo=1)).to_zarr(path, progress=False)
        table = labels.objects(path=f"{tmp_path}/cells", progress=False)
    ids = open_volume(path)[:]
    assert ids.max() == 3
    np.testing.assert_array_equal(ids > 0, background > 0)
    assert dict(zip(table["id"], table["voxels"], strict=True)) == {1: 4, 2: 4, 3: 1}
