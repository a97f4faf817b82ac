"""Volumes within a mask: which voxels hold something, what is computed for them, what is told."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.ndimage import label, uniform_filter

import dask_blockwise as dbw
from dask_blockwise import Roi, Volume
from dask_blockwise.segmentation.watershed import segment_function

SHAPE = (12, 18)
RAW = np.random.default_rng(0).integers(1, 255, SHAPE).astype(np.uint8)


def meets(mask, size, offset, shape=SHAPE):
    """Which voxels of size 1 meet any voxel of a mask that isn't 0, looked at one by one."""
    within = np.zeros(shape, bool)
    for at in np.argwhere(mask):
        begin, end = at * size + offset, (at + 1) * size + offset
        low, high = np.maximum(0, np.floor(begin)), np.ceil(end)
        within[tuple(slice(int(b), max(0, int(e))) for b, e in zip(low, high, strict=True))] = True
    return within


def same_objects(one, other):
    pairs = np.unique(np.stack([one.ravel(), other.ravel()]), axis=1)
    return len(pairs[0]) == len(np.unique(pairs[0])) == len(np.unique(pairs[1]))


def stored(volume, folder, near, name="made", **options):
    path = folder / "out.zarr" / name
    summary = volume.to_zarr(path, client=near, progress=False, **options)
    return dbw.open_volume(path)[:], summary


masks = st.tuples(
    st.integers(0, 2**24 - 1).map(lambda n: np.array([n >> i & 1 for i in range(24)], bool)),
    st.sampled_from([(1, 1), (2, 3), (4, 5), (3, 1)]),
    st.tuples(st.integers(-3, 5), st.integers(-3, 5)),
).filter(lambda made: meets(np.ones((4, 6)), *made[1:]).any())


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=masks, block=st.tuples(*(st.integers(3, n) for n in SHAPE)))
def test_what_is_within_a_mask_is_what_it_is_without_one_in_any_blocks(
    tmp_path_factory, near, made, block
):
    bits, size, offset = made
    folder, within = tmp_path_factory.mktemp("law"), meets(bits.reshape(4, 6), size, offset)
    mask = Volume.from_array(bits.reshape(4, 6), voxel_size=size, offset=offset)
    raw = Volume.from_array(RAW, chunks=(4, 6))
    options = {"block_shape": block, "mask": mask}

    mean = dbw.map_overlap(uniform_filter, raw, halo=2, boundary="reflect", size=3)
    values, summary = stored(mean, folder, near, "mean", **options, fill_value=7)
    np.testing.assert_array_equal(values, np.where(within, uniform_filter(RAW, 3), 7))
    assert summary["mean"].empty == sum(
        not within[tuple(slice(b, b + s) for b, s in zip(begin, block, strict=True))].any()
        for begin in itertools.product(*(range(0, n, s) for n, s in zip(SHAPE, block)))
    )

    objects = dbw.relabel(dbw.connected_components(raw > 90))
    labels, _ = stored(objects, folder, near, "objects", **options)
    assert same_objects(labels, label((RAW > 90) & within)[0])
    alone = Volume.from_array(RAW * within, chunks=block)
    whole, _ = stored(dbw.relabel(dbw.connected_components(alone > 90)), folder, near, "alone")
    np.testing.assert_array_equal(labels, whole)


def affinities(offsets, shape=SHAPE):
    rng = np.random.default_rng(1)
    return rng.random((len(offsets), *shape)).astype(np.float32)


OFFSETS = [(-1, 0), (0, -1), (-3, 0), (0, -3)]
WITHIN = np.kron(np.random.default_rng(2).random((4, 6)) > 0.5, np.ones((3, 3), bool))
MASK = Volume.from_array(WITHIN[::3, ::3], voxel_size=(3, 3))


@pytest.mark.parametrize("block", [(12, 18), (4, 6), (5, 7)], ids=str)
def test_a_mutex_watershed_is_that_of_a_volume_with_background_outside(tmp_path, near, block):
    volume = Volume.from_array(affinities(OFFSETS), axes="cyx", chunks=(4, *block))
    fragments = dbw.watershed(volume, offsets=OFFSETS, bias=0.5, halo=3)
    labels, _ = stored(dbw.relabel(fragments), tmp_path, near, mask=MASK, block_shape=block)
    whole = segment_function(affinities(OFFSETS), offsets=OFFSETS, bias=0.5, mask=WITHIN)
    assert same_objects(labels, whole)
    np.testing.assert_array_equal(
        labels,
        stored(dbw.relabel(fragments.masked(MASK)), tmp_path, near, "before", block_shape=block)[0],
    )


def squares(array):
    """Objects that don't touch, and of which each block sees all or nothing."""
    return label(array > 0)[0]


@pytest.mark.parametrize("match", ["iou", "fraction"])
def test_neighbours_of_skipped_blocks_are_stitched(tmp_path, near, match):
    array = np.zeros((24, 24), np.uint8)
    array[2:6, 1:23], array[12:22, 4:8], array[14:16, 12:22] = 1, 1, 1
    within = np.ones((24, 24), bool)
    within[:8, 8:16] = within[16:, :8] = False
    blocks = Volume.from_array(within[::8, ::8], voxel_size=(8, 8))
    volume = Volume.from_array(array, chunks=(8, 8))
    objects = dbw.relabel(dbw.segment(volume, squares, halo=4), match=match)
    labels, summary = stored(objects, tmp_path, near, mask=blocks)
    assert summary["made: segment"].empty == summary["made: relabel"].empty == 2
    # A mask that leaves out whole blocks parts what they held together.
    assert same_objects(labels, label((array > 0) & within)[0])


def test_agglomerated_and_renumbered_labels_are_masked(tmp_path, near):
    volume = Volume.from_array(affinities(OFFSETS[:2]), axes="cyx", chunks=(2, 4, 6))
    ids = np.arange(RAW.size).reshape(SHAPE).astype(np.uint32) // 3 + 5
    fragments = Volume.from_array(ids, chunks=(4, 6))
    options = {"offsets": OFFSETS[:2], "threshold": 0.5, "method": "mean"}
    makers = [lambda of: dbw.agglomerate(of, volume, **options), dbw.renumber]
    for number, make in enumerate(makers):
        inside = Volume.from_array(np.where(WITHIN, ids, 0), chunks=(4, 6))
        found, _ = stored(make(fragments), tmp_path, near, f"masked{number}", mask=MASK)
        alone, _ = stored(make(inside), tmp_path, near, f"alone{number}")
        np.testing.assert_array_equal(found, alone)


def counted(array, folder):
    """Notes each block that it is called for."""
    Path(folder, str(array[0, 0])).touch()
    return array


def test_of_a_volume_that_is_empty_for_78_percent_22_are_computed(tmp_path, near):
    array = np.repeat(np.repeat(np.arange(100).reshape(10, 10), 4, 0), 4, 1).astype(np.uint16)
    kept = np.zeros(100, bool)
    kept[np.random.default_rng(3).permutation(100)[:22]] = True
    (tmp_path / "calls").mkdir()
    volume = Volume.from_array(array, chunks=(4, 4))
    made = dbw.map_overlap(counted, volume, dtype="uint16", folder=str(tmp_path / "calls"))
    made = made.masked(Volume.from_array(kept.reshape(10, 10), voxel_size=(4, 4)))

    plan = made.plan()
    assert (plan.blocks, plan.empty) == (100, 78)
    assert plan.read_bytes < 0.3 * array.nbytes + array.size
    assert str(plan).splitlines()[0].split()[:4] == ["stage", "block", "blocks", "empty"]
    _, summary = stored(made, tmp_path, near)
    assert {int(path.name) for path in (tmp_path / "calls").iterdir()} == {*np.flatnonzero(kept)}
    task = summary["made"]
    assert (task.completed, task.empty, task.skipped) == (22, 78, 0)
    again = stored(made, tmp_path, near)[1]["made"]
    assert (again.completed, again.empty, again.skipped) == (0, 0, 100)
    status = dbw.status(tmp_path / "out.zarr/made")
    assert (status.done, status.empty) == (100, 78)
    assert "100 of 100 blocks are done, 78 of which are empty" in str(status)
    assert status.is_current


def refuses(array, begin):
    raise RuntimeError(f"Asked for {begin}.")


def test_nothing_outside_is_read(tmp_path, near):
    raw = Volume.from_array(RAW, chunks=(4, 6))
    failing = dbw.map_overlap(refuses, raw, dtype="uint8", halo=1, begin=0)
    _, summary = stored(failing, tmp_path, near, mask=Volume.from_array(np.zeros(SHAPE, bool)))
    assert summary["made"].empty == 9
    assert not failing.masked(Volume.from_array(np.zeros(SHAPE, bool)))[:].any()


def test_a_changed_mask_is_asked_about(tmp_path, near):
    raw = Volume.from_array(RAW, chunks=(4, 6))
    masks = tmp_path / "in.zarr/mask"
    Volume.from_array(WITHIN, chunks=(4, 6)).to_zarr(masks, client=near, progress=False)
    mask = dbw.open_volume(masks)
    stored(raw, tmp_path, near, mask=mask)
    with pytest.raises(dbw.OutputChanged):
        stored(raw, tmp_path, near)
    with pytest.raises(dbw.OutputChanged):
        stored(raw, tmp_path, near, mask=Roi((0, 0), (4, 6)))

    changed = WITHIN.copy()
    changed[:4, :6] = ~changed[:4, :6]
    Volume.from_array(changed, chunks=(4, 6)).to_zarr(
        masks, client=near, progress=False, on_change="redo"
    )
    with pytest.raises(dbw.OutputChanged, match="mask"):
        stored(raw, tmp_path, near, mask=dbw.open_volume(masks))
    values, summary = stored(raw, tmp_path, near, mask=dbw.open_volume(masks), on_change="redo")
    np.testing.assert_array_equal(values, np.where(changed, RAW, 0))
    task = summary["made"]
    assert task.completed + task.empty == 1


def test_what_becomes_empty_holds_nothing_any_more(tmp_path, near):
    raw, masks = Volume.from_array(RAW, chunks=(4, 6)), tmp_path / "in.zarr/mask"
    for within in np.ones(SHAPE, bool), np.zeros(SHAPE, bool):
        options = {"client": near, "progress": False, "on_change": "redo"}
        Volume.from_array(within, chunks=(4, 6)).to_zarr(masks, **options)
        values, summary = stored(
            raw, tmp_path, near, mask=dbw.open_volume(masks), fill_value=3, on_change="redo"
        )
        np.testing.assert_array_equal(values, np.where(within, RAW, 3))
    assert summary["made"].empty == 9
    assert dbw.status(tmp_path / "out.zarr/made").is_current
    same = stored(raw, tmp_path, near, mask=dbw.open_volume(masks), fill_value=3)[1]["made"]
    assert same.skipped == 9


def test_a_region_is_computed_again_within_its_mask(tmp_path, near):
    raw = Volume.from_array(RAW, chunks=(4, 6))
    stored(raw, tmp_path, near, mask=MASK)
    values, summary = stored(raw, tmp_path, near, mask=MASK, roi=Roi((0, 0), (4, 12)))
    np.testing.assert_array_equal(values, np.where(WITHIN, RAW, 0))
    task = summary["made"]
    assert (task.completed + task.empty, task.skipped) == (2, 7)


def test_time_points_have_masks_of_their_own(tmp_path, near):
    array = np.stack([RAW, RAW[::-1]])
    volume = Volume.from_array(array, axes="tyx", chunks=(1, 4, 6))
    objects = dbw.relabel(dbw.connected_components(volume > 90))
    labels, _ = stored(objects, tmp_path, near, mask=[Roi((0, 0, 0), (1, 12, 9))])
    assert not labels[1].any()
    assert same_objects(labels[0], label((RAW > 90) & (np.arange(18) < 9))[0])
    with pytest.raises(ValueError, match="has no time axis"):
        volume.masked(MASK)


def test_turned_and_other_blocks_of_what_is_masked_are_empty_too(tmp_path, near):
    masked = Volume.from_array(RAW, chunks=(3, 3)).masked(Roi((0, 0), (3, 6)))
    for name, volume in {"turned": masked.transpose(), "parts": masked.rechunk((6, 6))}.items():
        _, summary = stored(volume, tmp_path, near, name)
        assert summary[name].completed == (2 if name == "turned" else 1)


def test_checkpoints_and_channels_are_masked(tmp_path, near):
    array = np.stack([RAW, RAW[::-1]])
    raw = Volume.from_array(array, axes="cyx", chunks=(2, 4, 6))
    kept = raw.checkpoint(tmp_path / "out.zarr/kept", mask=MASK, fill_value=9)
    np.testing.assert_array_equal(kept[:], np.where(WITHIN, array, 9))
    values, summary = stored(dbw.argmax(kept), tmp_path, near)
    np.testing.assert_array_equal(values, np.where(WITHIN, array.argmax(0), 0))
    assert summary["kept"].empty == sum(
        not WITHIN[y : y + 4, x : x + 6].any() for y in (0, 4, 8) for x in (0, 6, 12)
    )


DARK = np.where(np.arange(18) < 12, 0, RAW)
DARK[0, 0] = 1


@pytest.mark.parametrize(
    ("skip_if", "skipped"),
    [
        (0, [1, 3, 4, 6, 7]),
        (lambda values: bool(values.max() < 2), [0, 1, 3, 4, 6, 7]),
        (("half", lambda values: bool((values == 0).all())), [1, 3, 4, 6, 7]),
    ],
    ids=["value", "function", "level"],
)
def test_dull_blocks_are_skipped(tmp_path, near, skip_if, skipped):
    raw = Volume.from_array(DARK, chunks=(4, 6))
    if isinstance(skip_if, tuple):
        skip_if = (raw.downsample(2, method="max"), skip_if[1])
    made = dbw.map_overlap(np.add, raw, raw, dtype="uint8", halo=1) + np.uint8(1)
    values, summary = stored(made, tmp_path, near, skip_if=skip_if, fill_value=2)
    expected = DARK * np.uint8(2) + np.uint8(1)
    for number in skipped:
        y, x = number // 3 * 4, number % 3 * 6
        expected[y : y + 4, x : x + 6] = 2
    np.testing.assert_array_equal(values, expected)
    assert summary["made"].empty == len(skipped)


def test_dull_blocks_have_no_objects(tmp_path, near):
    array = np.zeros((12, 12), np.uint8)
    array[1:3, 1:11], array[9:11, 2:4] = 9, 9
    raw = Volume.from_array(array, chunks=(4, 4))
    objects = dbw.relabel(dbw.segment(raw, squares, halo=2), match="iou")
    labels, summary = stored(objects, tmp_path, near, skip_if=0)
    assert same_objects(labels, label(array)[0])
    assert summary["made: segment"].empty == 5


UNITS = {"angstrom": 0.1, "nanometer": 1, "micrometer": 1000, "inch": 25.4e6}


@pytest.mark.parametrize("of_mask", UNITS)
@pytest.mark.parametrize("of_volume", UNITS)
def test_a_mask_in_another_unit(of_volume, of_mask):
    """The same places in the world, said otherwise."""
    bits = np.random.default_rng(3).random((4, 6)) > 0.5
    size, offset = np.array([3, 2]), np.array([-2, 5])
    scale = UNITS[of_mask] / UNITS[of_volume]
    raw = Volume.from_array(RAW, np.array([0.5, 2]) * scale, unit=of_volume)
    mask = Volume.from_array(bits, voxel_size=size, offset=offset, unit=of_mask)
    within = meets(bits, size / [0.5, 2], offset / [0.5, 2])
    np.testing.assert_array_equal(raw.masked(mask)[:], np.where(within, RAW, 0))


def test_a_mask_in_another_unit_that_changes(tmp_path, near):
    """As a level of an image, whose whole numbers are of another unit; lazily made, and stored."""
    bits = np.zeros((3, 3), np.uint8)
    bits[0, 0] = 1
    stored_as = {"progress": False, "client": near}
    coarse = Volume.from_array(bits, (4, 4), unit="micrometer", chunks=(1, 1))
    coarse.to_zarr(tmp_path / "a.zarr/coarse", **stored_as)
    raw = Volume.from_array(RAW[:12, :12], (1000, 1000), unit="nanometer", chunks=(4, 4))
    made = dbw.map_overlap(uniform_filter, raw, halo=1, size=3)
    tissue = dbw.threshold(dbw.open_volume(tmp_path / "a.zarr/coarse"), 0.5)
    for name, mask in ("lazy", tissue), ("kept", tissue.checkpoint(tmp_path / "a.zarr/tissue")):
        for row, left in (0, 8), (1, 7):
            bits[1, 1] = row
            dbw.open_volume(tmp_path / "a.zarr/coarse/s0")[dbw.Roi((4, 4), (4, 4))] = bits[1:2, 1:2]
            values, summary = stored(
                made, tmp_path, near, name, mask=mask, on_change="redo", fill_value=3
            )
            within = np.kron(bits, np.ones((4, 4), bool)) > 0
            expected = np.where(within, uniform_filter(RAW[:12, :12], 3), 3)
            np.testing.assert_array_equal(values, expected)
            assert summary[name].empty == left


def test_a_level_in_another_unit_says_which_blocks_are_dull(tmp_path, near):
    raw = Volume.from_array(DARK, (500, 500), unit="nanometer", chunks=(4, 6))
    level = Volume.from_array(DARK[::2, ::2], (1, 1), unit="micrometer")
    skip_if = (level, lambda values: bool(values.max() < 2))
    _, summary = stored(raw + np.uint8(0), tmp_path, near, skip_if=skip_if)
    assert summary["made"].empty == 6


def other(**place):
    return Volume.from_array(np.ones(SHAPE, bool), **place)


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        (other(unit="pixel"), ValueError, "unit is pixel, and the volume's nanometer"),
        (other(unit="micrometer", offset=(1, 0)), ValueError, "no voxel in common"),
        (other(), ValueError, "unit is unknown"),
        (other(unit="nanometer", offset=(90, 0)), ValueError, "no voxel in common"),
        (other(unit="nanometer", axes="tx"), ValueError, "has the axes"),
        (other(unit="nanometer").astype("float32"), TypeError, "threshold"),
        (np.ones(SHAPE, bool), TypeError, "from_array"),
        ([], TypeError, "must be a Volume"),
        (Roi((90, 90), (1, 1)), ValueError, "don't meet the volume's"),
        ([Roi((0,), (1,))], ValueError, "has 1 axes, and the volume 2"),
    ],
    ids=[
        "unit",
        "far",
        "no unit",
        "apart",
        "axes",
        "floats",
        "array",
        "nothing",
        "region",
        "axes of it",
    ],
)
def test_what_is_no_mask_is_refused(given, error, says):
    volume = Volume.from_array(RAW, unit="nanometer")
    with pytest.raises(error, match=says):
        volume.masked(given)


@pytest.mark.parametrize(
    ("skip_if", "error", "says"),
    [
        ("zero", TypeError, "skip_if must be a value"),
        ((RAW, np.any), TypeError, "skip_if must be a value"),
        ((other(unit="meter"), np.any), ValueError, "another unit"),
        ((other(axes="yz"), np.any), ValueError, "other axes"),
    ],
    ids=["word", "array", "unit", "axes"],
)
def test_what_says_nothing_of_blocks_is_refused(tmp_path, skip_if, error, says):
    with pytest.raises(error, match=says):
        Volume.from_array(RAW).to_zarr(tmp_path / "a.zarr/b", skip_if=skip_if)
    assert not (tmp_path / "a.zarr").exists()


def test_labels_are_0_outside(tmp_path):
    objects = dbw.relabel(dbw.connected_components(Volume.from_array(RAW) > 9))
    with pytest.raises(ValueError, match="leave fill_value out"):
        objects.to_zarr(tmp_path / "a.zarr/b", mask=MASK, fill_value=3)
