"""A region segmented, stitched and relabelled as one run, against the whole of it in memory."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from objects import assert_same_objects, assert_same_up_to_names, labels_of
from scipy import ndimage

from dask_blockwise import (
    Roi,
    Task,
    Volume,
    components_function,
    create_volume,
    open_volume,
    segment_blockwise,
    watershed_function,
)
from dask_blockwise.segmentation.watershed import segment_function

MASK = (np.random.default_rng(0).random((20, 22, 24)) < 0.3).astype(np.uint8)
COMPONENTS = components_function.__file__

# Its blocks leave a line each time they run, and fail while their number is in the file "fails".
NOTED = """
from pathlib import Path
from scipy.ndimage import label
def segment_function(input_array, block, folder):
    with Path(folder, "ran").open("a") as file:
        file.write(f"{block.number}\\n")
    fails = Path(folder, "fails")
    if fails.exists() and str(block.number) in fails.read_text().split():
        raise RuntimeError("not yet")
    return label(input_array[block.read_roi])[0]
"""


@pytest.fixture
def present(threads):
    with threads.as_current():
        yield


@dataclass
class Scene:
    """A mask that is stored, and where its objects go."""

    folder: Path
    size: tuple[int, ...]

    @property
    def input(self):
        return f"{self.folder}/in.zarr/mask"

    @property
    def output(self):
        return f"{self.folder}/out.zarr/objects"

    @property
    def names(self):
        return {"input_path": self.input, "output_path": self.output}

    @property
    def noted(self):
        file = self.folder / "noted.py"
        file.write_text(NOTED)
        return file

    def ran(self):
        """The blocks that ran, one entry each time; forgotten from then on."""
        lines = (self.folder / "ran").read_text().split()
        (self.folder / "ran").write_text("")
        return sorted(map(int, lines))

    def fail(self, *blocks):
        (self.folder / "fails").write_text(" ".join(map(str, blocks)))


@pytest.fixture
def scene(tmp_path, present):
    return make_scene(tmp_path, MASK)


def make_scene(folder, mask, **where):
    scene = Scene(folder, mask.shape)
    source = create_volume(
        scene.input, shape=mask.shape, dtype="uint8", block_shape=mask.shape, **where
    )
    source[source.roi] = mask
    return scene


def block_of(*shape):
    return Roi((0,) * len(shape), shape)


@pytest.mark.parametrize("context", [0, 2, 30])
@pytest.mark.parametrize("mask", [MASK[0], MASK, MASK[None, 0]], ids=["2-D", "3-D", "one plane"])
def test_equals_the_whole_volume(mask, context, tmp_path, present):
    scene = make_scene(tmp_path, mask)
    write = block_of(*(min(n, 7) for n in mask.shape))
    around = (context,) * mask.ndim
    assert segment_blockwise(
        COMPONENTS, around, block_of(*mask.shape), write.grow(around, around), write,
        **scene.names, relabelling={"match": "touch", "connectivity": mask.ndim},
        parameters={"connectivity": mask.ndim},
    )  # fmt: skip
    assert_same_up_to_names(open_volume(scene.output)[:], labels_of(mask, mask.ndim))
    assert not Path(f"{scene.output}.scratch").exists()


def test_by_overlap_where_there_is_context(scene):
    """Objects of a mask overlap wholly, so the default match finds those that both blocks saw."""
    whole = block_of(*scene.size)
    write, around = block_of(10, 11, 12), (20, 22, 24)
    arguments = COMPONENTS, around, whole, write.grow(around, around), write
    assert segment_blockwise(*arguments, **scene.names)
    assert_same_up_to_names(open_volume(scene.output)[:], labels_of(MASK))


def test_mutex_watershed_is_that_of_the_region_in_one_piece(tmp_path, present):
    offsets = [(-1, 0, 0), (0, -1, 0), (0, 0, -1), (-3, 0, 0), (0, 3, 0)]
    noise = np.random.default_rng(0).random((5, 12, 14, 16))
    smooth = np.stack([ndimage.gaussian_filter(channel, 1) for channel in noise])
    values = ((smooth - smooth.min()) / np.ptp(smooth)).astype(np.float32)
    source = Volume.from_array(values, axes="czyx", chunks=(5, 6, 7, 8), voxel_size=(4, 2, 2))
    source.to_zarr(tmp_path / "a.zarr/affinities", progress=False)
    write, total = Roi((0, 0, 0), (20, 10, 14)), Roi((4, 4, 2), (40, 20, 28))
    assert segment_blockwise(
        watershed_function.__file__, (0, 0, 0), total, write, write, offsets=offsets,
        input_path=f"{tmp_path}/a.zarr/affinities", output_path=f"{tmp_path}/a.zarr/objects",
    )  # fmt: skip
    expected = segment_function(values[:, 1:11, 2:12, 1:15], offsets=offsets)
    assert_same_objects(open_volume(tmp_path / "a.zarr/objects")[:], expected)


def test_a_region_in_world_units_of_an_output_that_is_there(tmp_path, present):
    scene = make_scene(tmp_path, MASK, voxel_size=(4, 8, 2), offset=(100, 0, -10))
    output = create_volume(scene.output, open_volume(scene.input), dtype="u8", block_shape=(2,) * 3)
    stale = np.full(MASK.shape, 7, np.uint64)
    output[output.roi] = stale
    total = Roi((124, 32, -2), (32, 80, 20))
    write = Roi((0, 0, 0), (16, 16, 8))
    assert segment_blockwise(COMPONENTS, (0, 0, 0), total, write, write, **scene.names)
    part = np.s_[6:14, 4:14, 4:14]
    ids = open_volume(scene.output)[:]
    assert_same_up_to_names(ids[part], labels_of(MASK[part]))
    stale[part] = ids[part]
    np.testing.assert_array_equal(ids, stale)


def test_context_is_read_beyond_the_region(scene):
    """And where read_roi has more than the context says, that is read."""
    file = scene.folder / "size.py"
    file.write_text(
        "def segment_function(array, block):\n"
        "    assert array.shape == block.read_roi.shape == (8, 10, 9), block\n"
        "    return array[block.read_roi] * 0 + 1\n"
    )
    total, write = Roi((5, 5, 5), (6, 6, 6)), block_of(6, 6, 6)
    read = write.grow((0, 0, 3), (1, 0, 0))
    assert segment_blockwise(file, (1, 2, 0), total, read, write, **scene.names)
    assert (open_volume(scene.output)[:] == 1).all()


def test_a_failed_block_is_retried_and_then_left_for_the_next_call(scene, caplog):
    # A cluster of the session may have silenced the handlers of the root logger.
    caplog.set_level(logging.WARNING)
    scene.fail(3)
    write = block_of(10, 11, 12)
    arguments = (scene.noted, (1, 1, 1), block_of(*scene.size), write, write)
    given = scene.names | {"folder": str(scene.folder), "relabelling": {"match": "touch"}}
    assert segment_blockwise(*arguments, max_retries=1, **given) is False
    assert "not yet" in caplog.text
    assert scene.ran() == [0, 1, 2, 3, 3, 4, 5, 6, 7]
    scene.fail()
    assert segment_blockwise(*arguments, **given) is True
    assert scene.ran() == [3]
    assert_same_up_to_names(open_volume(scene.output)[:], labels_of(MASK))
    assert segment_blockwise(*arguments, **given) is True
    assert scene.ran() == []


def test_relabelled_again_without_segmenting_again(scene, caplog):
    caplog.set_level(logging.INFO, "dask_blockwise.segment_blockwise")
    write = block_of(10, 11, 12)
    arguments = (scene.noted, (1, 1, 1), block_of(*scene.size), write, write)
    given = scene.names | {"folder": str(scene.folder), "keep_tmpdir": True}
    truth = labels_of(MASK)
    sizes = np.bincount(truth.ravel())
    for least in 1, 5, 9:
        rule = {"match": "touch", "min_size": least}
        assert segment_blockwise(*arguments, **given, relabelling=rule)
        kept = np.where(sizes[truth] >= least, truth, 0)
        expected = np.unique(kept, return_inverse=True)[1].reshape(kept.shape)
        assert_same_up_to_names(open_volume(scene.output)[:], expected)
    assert scene.ran() == list(range(8))
    assert f"kept in {scene.output}.scratch: call again with keep_tmpdir=True" in caplog.text
    rule = {"match": "touch", "connectivity": 3}
    assert segment_blockwise(*arguments, **given, relabelling=rule)
    assert scene.ran() == []
    # Other parameters of the function are other labels.
    assert segment_blockwise(*arguments, **given | {"folder": f"{scene.folder}/"})
    assert scene.ran() == list(range(8))


def test_blocks_wait_for_those_that_write_the_input(client, tmp_path):
    scene = make_scene(tmp_path, np.zeros((8, 6, 6), np.uint8))
    create_volume(
        scene.input, shape=(8, 6, 6), dtype="uint8", block_shape=(2, 6, 6), overwrite=True
    )

    def write_plane(block, path=scene.input):
        import time

        time.sleep(0.2)
        open_volume(path)[block.write_roi] = np.ones((2, 6, 6), np.uint8)

    total, write = block_of(8, 6, 6), block_of(2, 6, 6)
    upstream = Task("write", total, write, write, write_plane, read_write_conflict=False)
    with client.as_current():
        assert segment_blockwise(
            COMPONENTS, (1, 0, 0), total, write, write, upstream_tasks=[upstream], **scene.names
        )
    assert (open_volume(scene.output)[:] == 1).all()


@dataclass
class Identifier:
    """As dacapo's LocalArrayIdentifier."""

    container: Path
    dataset: str


@pytest.mark.parametrize("by", ["name", "position"])
def test_arrays_named_as_dacapo_names_them(scene, by):
    given = (
        Identifier(scene.folder / "in.zarr", "mask"),
        Identifier(scene.folder / "out.zarr", "objects"),
    )
    names = {"input_array_identifier": given[0], "output_array_identifier": given[1]}
    write = block_of(10, 11, 12)
    assert segment_blockwise(
        COMPONENTS, (0, 0, 0), block_of(*scene.size), write, write, 16, 2, None, None, False,
        *(given if by == "position" else ()), **(names if by == "name" else {}),
    )  # fmt: skip
    assert_same_up_to_names(open_volume(scene.output)[:], labels_of(MASK))


def test_parameters_of_a_yaml_file(scene):
    settings = scene.folder / "settings.yaml"
    settings.write_text("connectivity: 3\n")
    write = block_of(10, 11, 12)
    assert segment_blockwise(
        COMPONENTS, (0, 0, 0), block_of(*scene.size), write, write, **scene.names,
        parameters=settings, relabelling={"connectivity": 3},
    )  # fmt: skip
    assert_same_up_to_names(open_volume(scene.output)[:], labels_of(MASK, 3))


SCENE = block_of(*MASK.shape)
TEN = block_of(10, 11, 12)


@pytest.mark.parametrize(
    "changes, error, message",
    [
        ({"input_path": None}, TypeError, "needs one input, got 0: give input_path="),
        ({"output_array_identifier": "x"}, TypeError, "needs one output, got 2"),
        ({"input_path": "nowhere.zarr"}, FileNotFoundError, "nowhere.zarr"),
        ({"file": "nowhere.py"}, FileNotFoundError, r"with segment_function\("),
        ({"conectivity": 3}, TypeError, "no parameter 'conectivity'.* are connectivity"),
        ({"relabeling": {}}, TypeError, r"'relabeling' \(did you mean 'relabelling'\?\)"),
        ({"total": Roi((0, 0, 0), (30, 22, 24))}, ValueError, "isn't within the volume"),
        ({"relabelling": {"match": "any"}}, ValueError, "must be one of"),
        ({"relabelling": {"size": 3}}, TypeError, "size"),
        ({"context": (0, 0)}, ValueError, r"context must be 3 numbers .*, got \(0, 0\)"),
        ({"context": 8}, ValueError, r"such as Coordinate\(0, 0, 0\), got 8"),
    ],
)
def test_mistakes_are_explained_before_any_work(changes, error, message, scene):
    changes = dict(changes)
    file, total = changes.pop("file", COMPONENTS), changes.pop("total", SCENE)
    context = changes.pop("context", (0, 0, 0))
    named = {n: v for n, v in (scene.names | changes).items() if v is not None}
    with pytest.raises(error, match=message):
        segment_blockwise(file, context, total, TEN, TEN, **named)
    assert not Path(scene.output).exists()


@pytest.mark.parametrize(
    "output, message",
    [
        ({"block_shape": (10, 22, 12)}, r"\(10, 11, 12\) voxels .* not whole shards or chunks"),
        ({"dtype": "uint16", "block_shape": (10, 11, 12)}, "can't hold ids"),
        ({"voxel_size": (1, 1, 2), "block_shape": (10, 11, 12)}, "must have the input's voxel"),
        ({"shape": (10, 22, 24), "block_shape": (10, 11, 12)}, "isn't within the volume"),
    ],
)
def test_an_output_that_does_not_fit_is_left_alone(output, message, scene):
    create_volume(scene.output, **{"shape": MASK.shape, "dtype": "uint64"} | output)
    with pytest.raises(ValueError, match=message):
        segment_blockwise(COMPONENTS, (0, 0, 0), SCENE, TEN, TEN, **scene.names)
    assert not open_volume(scene.output)[:].any()


def test_blocks_of_whole_voxels(tmp_path, present):
    scene = make_scene(tmp_path, MASK, voxel_size=(4, 8, 2))
    with pytest.raises(ValueError, match=r"\(10, 11, 12\), which cuts voxels of \(4, 8, 2\)"):
        segment_blockwise(
            COMPONENTS, (0, 0, 0), open_volume(scene.input).roi, TEN, TEN, **scene.names
        )


def test_watershed_of_a_file_with_channels(tmp_path, present):
    affinities = np.zeros((4, 12, 16), np.float32)
    affinities[:, :, :8] = affinities[:, :, 9:] = 1
    affinities[[1, 3], :, 8] = affinities[3, :, 8:11] = 0
    affinities[[0, 2], :, 8] = 1
    path = f"{tmp_path}/in.zarr/affinities"
    source = create_volume(
        path, shape=affinities.shape, dtype="float32", axes="cyx", block_shape=(12, 16)
    )
    source[source.roi] = affinities
    write = block_of(6, 8)
    assert segment_blockwise(
        watershed_function.__file__, (3, 3), source.roi, write, write,
        input_path=path, output_path=f"{tmp_path}/out.zarr/objects",
        parameters={"offsets": [(-1, 0), (0, -1), (-3, 0), (0, -3)], "bias": 0.5},
    )  # fmt: skip
    ids = open_volume(f"{tmp_path}/out.zarr/objects")[:]
    assert [set(np.unique(ids[:, :8])), set(np.unique(ids[:, 8:]))] == [{1}, {2}]
