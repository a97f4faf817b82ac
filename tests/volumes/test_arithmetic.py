"""Volumes in expressions, against numpy on the whole."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dask_blockwise as dbw
from dask_blockwise import Volume

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 255, (9, 10, 11)).astype(np.uint8)
FLOAT = RNG.random((9, 10, 11)).astype(np.float32)
PLACE = {"voxel_size": (40, 4, 4), "offset": (80, 0, 0), "unit": "nanometer"}


def lazy(array, **options):
    """A volume that is computed."""
    held = Volume.from_array(array, chunks=(4, 5, 6), **PLACE | options)
    return dbw.map_overlap(np.copy, held)


EXPRESSIONS = [
    "a + b",
    "a > 100",
    "3 - a * 2.5",
    "~(a == b) & (a < 40)",
    "-b",
    "abs(b - 0.5) ** 2",
    "np.sqrt(b)",
    "np.maximum(a, 7)",
    "a // 3 + a % 3",
    "np.add(a, b, dtype='f8')",
    "a <= 7",
]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expressions_are_lazy_and_equal_numpys(expression):
    made = eval(expression, {"a": lazy(GREY), "b": lazy(FLOAT), "np": np})
    expected = eval(expression, {"a": GREY, "b": FLOAT, "np": np})
    assert isinstance(made, Volume)
    assert (made.dtype, made.roi, made.block_shape) == (expected.dtype, lazy(GREY).roi, (4, 5, 6))
    np.testing.assert_array_equal(made[2:7, 3], expected[2:7, 3])
    np.testing.assert_array_equal(made.data.compute(scheduler="synchronous"), expected)


@pytest.mark.parametrize("name", ["max", "min", "sum", "mean", "std", "var", "any", "all"])
@pytest.mark.parametrize("axis", [None, 0, "y", ("z", "x")])
def test_reductions_equal_numpys(name, axis):
    numbers = {None: None, 0: 0, "y": 1, ("z", "x"): (0, 2)}
    expected = getattr(FLOAT > 0.9 if name in ("any", "all") else FLOAT, name)(numbers[axis])
    volume = lazy(FLOAT) > 0.9 if name in ("any", "all") else lazy(FLOAT)
    np.testing.assert_allclose(getattr(volume, name)(axis=axis), expected, rtol=1e-5)
    if axis is None:
        np.testing.assert_allclose(getattr(np, name)(volume), expected, rtol=1e-5)


def test_an_expression_is_stored_planned_and_read_by_stages(tmp_path, client):
    stored = lazy(GREY).checkpoint(tmp_path / "a.zarr/raw")
    mask = dbw.map_overlap(np.copy, (stored > 100) & (stored < 200), halo=1)
    assert mask.plan().blocks == 12
    mask.to_zarr(tmp_path / "a.zarr/mask", client=client, progress=False)
    again = mask.to_zarr(tmp_path / "a.zarr/mask", client=client, progress=False)
    assert again.tasks[-1].completed == 0
    np.testing.assert_array_equal(
        dbw.open_volume(tmp_path / "a.zarr/mask")[:], (GREY > 100) & (GREY < 200)
    )


def test_of_a_graph_of_the_users_own_it_is_dasks():
    array = da.from_array(FLOAT, chunks=(4, 5, 6)).map_blocks(np.sqrt)
    volume = Volume.from_array(array)
    np.testing.assert_array_equal((volume * 2).data.compute(), np.sqrt(FLOAT) * 2)
    np.testing.assert_array_equal(volume.compute(), np.sqrt(FLOAT))


def test_numbers_of_a_volume_in_a_task(client):
    volume = lazy(GREY)
    assert client.submit(lambda: float(volume.mean()), pure=False).result(60) == GREY.mean()


def test_what_fingers_expect():
    volume = lazy(GREY)
    assert (len(volume), volume.astype("f4").dtype, hash(volume)) == (9, np.float32, hash(volume))
    assert len({volume, volume}) == 1
    np.testing.assert_array_equal(volume.compute(), GREY)
    for plane, expected in zip(volume, GREY, strict=True):
        np.testing.assert_array_equal(plane, expected)


@pytest.mark.parametrize(
    ("mistake", "error", "message"),
    [
        (lambda v: v + GREY, TypeError, r"array of shape \(9, 10, 11\): make the array a volume"),
        (lambda v: v + lazy(GREY[:5]), ValueError, "same region, voxels and channels"),
        (lambda v: v + lazy(GREY, offset=(0, 0, 0)), ValueError, "same region"),
        (lambda v: bool(v > 3), ValueError, r"neither true nor false.*any\(\)"),
        (lambda v: np.add.accumulate(v), TypeError, "can't be taken of a volume lazily"),
        (lambda v: np.modf(v), TypeError, r"np\.modf"),
        (lambda v: np.mean(v, out=np.empty(())), TypeError, "leave out= out"),
    ],
)
def test_mistakes_are_explained(mistake, error, message):
    with pytest.raises(error, match=message):
        mistake(lazy(GREY))


@settings(max_examples=20)
@given(st.tuples(*[st.integers(1, 9)] * 3), st.floats(-300, 300))
def test_any_blocks_give_the_same(block, number):
    volume = Volume.from_array(GREY, chunks=block)
    made = (volume * number > volume - 20).data.compute(scheduler="synchronous")
    np.testing.assert_array_equal(made, GREY * number > GREY - 20)


@pytest.mark.parametrize("unit", ["", "nanometer", "micrometer"])
def test_the_same_numbers_in_another_unit_are_another_place(unit):
    here, there = (Volume.from_array(np.ones((4, 4)), (2, 2), unit=u) for u in ("nm", unit))
    pieces = dbw.connected_components(here > 0)
    pairs = Volume.from_array(np.ones((2, 4, 4), np.float32), (2, 2), axes="cyx", unit=unit)
    for make in (
        lambda: here + there,
        lambda: dbw.map_overlap(np.add, here, there),
        lambda: dbw.agglomerate(pieces, pairs, offsets=[(-1, 0), (0, -1)]),
    ):
        if unit == "micrometer":
            with pytest.raises(ValueError, match=r"the same region.*units differ .*unit=\.\.\."):
                make()
        else:
            assert make().shape == (4, 4)


def test_bytes_that_stand_for_probabilities_are_compared_with_bytes_alone():
    said = Volume.from_array(np.array([[0, 100, 200]], np.uint8), stands_for=(0, 1))
    for compared in (
        lambda: said > 0.5,
        lambda: np.float32(0.5) <= said,
        lambda: said.isel(x=slice(0, 2)) != 0.25,
    ):
        with pytest.raises(ValueError, match=r"0 and 255 stand for .* threshold\(volume, 0\.\d+\)"):
            compared()
    assert (said >= 100)[:].tolist() == [[False, True, True]]
    assert (said > 100.0)[:].tolist() == [[False, False, True]]
    assert dbw.threshold(said, 0.5)[:].tolist() == [[0, 0, 1]]


@pytest.mark.parametrize("name", ["mean", "std", "var"])
def test_means_of_halves_are_finite(name):
    halves = (GREY.astype("f4") * 100).astype("f2")
    found = getattr(lazy(halves), name)()
    np.testing.assert_allclose(found, getattr(halves.astype("f8"), name)(), rtol=1e-3)
