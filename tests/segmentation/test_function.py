"""Segment functions: files and callables, their parameters, and the block they are given."""

import io

import cloudpickle
import numpy as np
import pytest

from dask_blockwise import Block, Roi, Volume, agglomerate, relabel, renumber, segment, watershed
from dask_blockwise.segmentation.block_array import BlockArray
from dask_blockwise.segmentation.function import SegmentFunction

READ, WRITE = Roi((8, 0), (8, 12)), Roi((10, 2), (4, 8))
BLOCK = Block(Roi((0, 0), (40, 40)), READ, WRITE, ("segment", 7))
VALUES = np.arange(24).reshape(4, 6)

# As dacapo's examples/blockwise/segment_function.py reads its block.
DACAPO = """
import numpy as np
default_parameters = {"level": 3, "name": 1}
def segment_function(input_array, block, **parameters):
    data = input_array.to_ndarray(block.read_roi)
    assert (input_array[block.read_roi] == data).all()
    return ((data > parameters["level"]) * parameters["name"]).astype(np.uint64)
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "above.py"
    path.write_text(DACAPO)
    return path


def above(array, level, name=1):
    return (array > level) * name


def test_a_function_written_for_dacapo(file):
    function = SegmentFunction.of(file, {"level": 20}, name=4)
    np.testing.assert_array_equal(function(VALUES, BLOCK), (VALUES > 20) * 4)


def test_a_file_travels_without_its_path(file):
    sent = cloudpickle.dumps(SegmentFunction.of(file))
    file.unlink()
    np.testing.assert_array_equal(cloudpickle.loads(sent)(VALUES, BLOCK), VALUES > 3)


@pytest.mark.parametrize(
    "parameters, more, expected",
    [
        (None, {}, {"level": 3, "name": 1}),
        ({"level": 5}, {}, {"level": 5, "name": 1}),
        ({"level": 5}, {"level": 6}, {"level": 6, "name": 1}),
        (io.StringIO("level: 7\nname: 2"), {}, {"level": 7, "name": 2}),
        (io.StringIO(""), {}, {"level": 3, "name": 1}),
    ],
)
def test_parameters_over_those_of_the_file(file, parameters, more, expected):
    assert SegmentFunction.of(file, parameters, **more).parameters == expected


def test_parameters_of_a_yaml_file(file, tmp_path):
    settings = tmp_path / "settings.yaml"
    settings.write_text("level: 9\n")
    for path in settings, str(settings):
        assert SegmentFunction.of(file, path).parameters == {"level": 9, "name": 1}


@pytest.mark.parametrize(
    "function, parameters, takes",
    [
        (lambda array: array, {}, False),
        (lambda array, block: array, {}, True),
        (lambda array, block=None: array, {}, True),
        (lambda array, level: array, {"level": 1}, False),
        (lambda array, level=0: array, {}, False),
        (lambda array, *, block: array, {}, True),
        (lambda array, **anything: array, {"level": 1}, False),
    ],
    ids=["none", "block", "default", "given", "optional", "keyword", "any"],
)
def test_who_is_given_a_block(function, parameters, takes):
    called = SegmentFunction.of(function, parameters)
    assert bool(called.takes_block) is takes
    np.testing.assert_array_equal(called(VALUES, BLOCK), VALUES)


def test_in_a_file_the_second_parameter_is_the_block(file):
    file.write_text(
        "def segment_function(data, where, level): return (data > level) * where.number"
    )
    np.testing.assert_array_equal(
        SegmentFunction.of(file, level=2)(VALUES, BLOCK), (VALUES > 2) * 7
    )


def test_a_mask_goes_by_its_name():
    function = SegmentFunction.of(lambda array, mask, block: array * mask, None, True)
    np.testing.assert_array_equal(function(VALUES, BLOCK, [VALUES > 4]), VALUES * (VALUES > 4))


@pytest.mark.parametrize(
    "function, parameters, error, message",
    [
        (above, {"level": 1, "nmae": 2}, TypeError, "no parameter 'nmae'.* are level, name"),
        (above, {}, TypeError, "needs 'level'; its parameters are level, name"),
        (above, {"array": 1, "level": 1}, TypeError, "no parameter 'array'"),
        (above, io.StringIO("- 1"), TypeError, r"must be names with values.*got \[1\]"),
        ("nowhere.py", {}, FileNotFoundError, r"no file 'nowhere.py'.*with segment_function\("),
    ],
)
def test_mistakes_are_explained(function, parameters, error, message):
    with pytest.raises(error, match=message):
        SegmentFunction.of(function, parameters)


def test_defaults_of_a_file_are_all_that_it_knows(file):
    with pytest.raises(
        TypeError,
        match=r"no parameter 'levle' \(did you mean 'level'\?\); its parameters are level, name",
    ):
        SegmentFunction.of(file, {"levle": 1})
    file.write_text("x = 1")
    with pytest.raises(AttributeError, match="does not define segment_function: it needs segm"):
        SegmentFunction.of(file)


def test_only_integers_are_labels():
    with pytest.raises(TypeError, match="above returned float64"):
        SegmentFunction.of(above, level=1, name=0.5)(VALUES, BLOCK)


@pytest.mark.parametrize("channels", [(), (3,)])
def test_a_block_array_knows_where_it_lies(channels):
    values = np.random.default_rng(0).random((*channels, 4, 6))
    array = BlockArray.of(values, READ)
    assert array.voxel_size == (2, 2)
    np.testing.assert_array_equal(array[WRITE], values[..., 1:3, 1:5])
    np.testing.assert_array_equal(array.to_ndarray(), values)
    around = array.to_ndarray(Roi((6, 0), (14, 14)), fill_value=5)
    width = [*[(0, 0)] * len(channels), (1, 2), (0, 1)]
    np.testing.assert_array_equal(around, np.pad(values, width, constant_values=5))


def test_a_block_array_is_an_array_like_any_other():
    array = BlockArray.of(VALUES, READ)
    for plain in array + 1, array[1:], array.max(axis=0), np.sqrt(array):
        assert type(plain) is np.ndarray
    assert array.sum() == VALUES.sum()
    assert array[2, 3] == VALUES[2, 3]


def test_a_block_array_refuses_what_it_does_not_have():
    array = BlockArray.of(VALUES, READ)
    with pytest.raises(ValueError, match=r"was asked for .* or give a larger context"):
        array[Roi((0, 0), (4, 4))]
    with pytest.raises(ValueError, match="Only the array that a block was given"):
        array.copy()[WRITE]


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        (
            lambda volume: watershed(volume, offset=[(-1, 0), (0, -1)]),
            r"no parameter 'offset' \(did you mean 'offsets'\?\)",
        ),
        (
            lambda volume: watershed(volume, offsets=[(-1, 0)], more_channel=True),
            r"'more_channel' \(did you mean 'more_channels'\?\)",
        ),
        (lambda volume: watershed(volume, hallo=3), r"'hallo' \(did you mean 'halo'\?\)"),
        (
            lambda volume: segment(volume, above, halo=1, level=1, nmae=2, blockshape=(2, 2)),
            r"'blockshape', 'nmae' \(did you mean 'block_shape' or 'name'\?\)",
        ),
        (lambda volume: segment(volume, above, halo=1, levle=1), r"did you mean 'level'\?"),
        (lambda volume: segment(volume, above, halo=1, level=1, zzz=1), "'zzz'; its parameters"),
        (lambda volume: agglomerate(volume, volume, offset=1), "unexpected keyword .* 'offset'"),
        (lambda volume: relabel(volume, min_ious=1), "unexpected keyword argument 'min_ious'"),
        (lambda volume: renumber(volume, minsize=1), "unexpected keyword argument 'minsize'"),
    ],
)
def test_a_misspelt_parameter_is_named_before_anything_else(stage, message):
    with pytest.raises(TypeError, match=message):
        stage(Volume.from_array(np.ones((2, 4, 5), np.float32), axes="cyx"))


def test_parameters_may_be_called_anything():
    def function(array, masked, beside):
        return (array > masked) * beside

    volume = Volume.from_array(VALUES)
    labels = segment(volume, function, halo=0, masked=3, beside=2)
    np.testing.assert_array_equal(labels[:], (VALUES > 3) * 2)
