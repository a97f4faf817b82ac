"""Mutex watershed by blocks: the very objects of the volume in one piece."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from distributed import Client
from hypothesis import given, settings
from hypothesis import strategies as st
from objects import assert_same_objects, assert_same_up_to_names
from scipy import ndimage

from dask_blockwise import Roi, Volume, open_volume, predict, relabel, segment, watershed
from dask_blockwise.demo import samples
from dask_blockwise.relabelling.mutex_graph import strongest_first
from dask_blockwise.segmentation.watershed import segment_function

OFFSETS = ((-1, 0, 0), (0, -1, 0), (0, 0, -1), (-3, 0, 0), (0, 4, 0), (1, 0, -2))
SHAPE = (11, 13, 12)


def noise(offsets, shape, seed=0):
    """Smooth affinities as bytes, among which many are alike."""
    values = np.random.default_rng(seed).random((len(offsets), *shape))
    smooth = np.stack([ndimage.gaussian_filter(channel, 1) for channel in values])
    return np.rint(255 * (smooth - smooth.min()) / np.ptp(smooth)).astype(np.uint8)


AFFINITIES = noise(OFFSETS, SHAPE)
MASK = ndimage.gaussian_filter(np.random.default_rng(1).random(SHAPE), 2) > 0.48


def volume(array, block, **place):
    space = len(block)
    chunks = (*array.shape[: array.ndim - space], *block)
    axes = ("t", "c", "z", "y", "x")[-array.ndim :]
    return Volume.from_array(array, chunks=chunks, axes=axes, stands_for=(0, 1), **place)


def computed(labels):
    return labels.data.compute(scheduler="synchronous")


@settings(max_examples=40)
@given(
    block=st.tuples(*[st.integers(2, 13)] * 3),
    attract=st.sampled_from(["all", "nearest"]),
    strides=st.sampled_from([None, (2, 1, 3)]),
    bias=st.sampled_from([0.5, 0.4, [0.5, 0.45, 0.5, 0.6, 0.5, 0.55]]),
    masked=st.booleans(),
    weak=st.booleans(),
    min_size=st.sampled_from([0, 5]),
)
def test_blocks_of_any_shape_are_as_one_piece(
    block, attract, strides, bias, masked, weak, min_size
):
    options = {
        "offsets": OFFSETS,
        "bias": bias,
        "attract": attract,
        "strides": strides,
        "filter_fragments": weak,
        "min_size": min_size,
    }
    mask = {"mask": MASK} if masked else {}
    expected = segment_function(AFFINITIES, **options, **mask)
    labels = watershed(
        volume(AFFINITIES, block),
        **options,
        mask=Volume.from_array(MASK) if masked else None,
    )
    found = computed(relabel(labels))
    assert_same_objects(found, expected)
    assert found.max(initial=0) == len(np.unique(expected[expected > 0]))


@pytest.mark.parametrize("parts", [3, 1000])
def test_edges_come_in_several_parts(monkeypatch, parts):
    few = partial(strongest_first, parts=parts)
    monkeypatch.setattr("dask_blockwise.relabelling.mutex_rule.strongest_first", few)
    found = computed(relabel(watershed(volume(AFFINITIES, (5, 4, 6)), offsets=OFFSETS)))
    assert_same_objects(found, segment_function(AFFINITIES, offsets=OFFSETS))


def test_edges_of_time_points_come_in_several_parts(monkeypatch):
    """Those of a block are in order at each point alone."""
    few = partial(strongest_first, parts=20)
    monkeypatch.setattr("dask_blockwise.relabelling.mutex_rule.strongest_first", few)
    points = np.stack([noise(OFFSETS, SHAPE, seed) for seed in range(4)])
    source = Volume.from_array(points, axes="tczyx", chunks=(3, 6, 5, 6, 7), stands_for=(0, 1))
    for point, values in zip(computed(relabel(watershed(source, offsets=OFFSETS))), points):
        assert_same_objects(point, segment_function(values, offsets=OFFSETS))


def test_two_dimensions_and_floats():
    offsets = [(-1, 0), (0, -1), (-4, 0), (0, 5)]
    values = noise(offsets, (40, 44)).astype(np.float32) / 255
    labels = watershed(Volume.from_array(values, axes="cyx", chunks=(4, 9, 16)), offsets=offsets)
    assert_same_objects(computed(relabel(labels)), segment_function(values, offsets=offsets))


def test_each_time_point_by_itself():
    points = np.stack([noise(OFFSETS, SHAPE, seed) for seed in range(3)])
    source = Volume.from_array(points, axes="tczyx", chunks=(2, 6, 5, 6, 7), stands_for=(0, 1))
    found = computed(relabel(watershed(source, offsets=OFFSETS)))
    ids = [set(np.unique(point[point > 0])) for point in found]
    assert not ids[0] & ids[1] | ids[1] & ids[2] | ids[0] & ids[2]
    for point, values in zip(found, points):
        assert_same_objects(point, segment_function(values, offsets=OFFSETS))


def test_a_part_of_a_volume_is_as_if_there_were_no_more():
    source = volume(AFFINITIES, (5, 6, 7), voxel_size=(2, 1, 1))
    roi = Roi((4, 3, 2), (14, 9, 10))
    labels = segment(source, segment_function, halo=2, roi=roi, offsets=OFFSETS)
    expected = segment_function(AFFINITIES[:, 2:9, 3:12, 2:12], offsets=OFFSETS)
    objects = relabel(labels, match="mutex")
    assert objects.roi == roi
    assert_same_objects(computed(objects), expected)


def test_small_objects_go_when_they_are_small_as_a_whole():
    labels = watershed(volume(AFFINITIES, (3, 4, 5)), offsets=OFFSETS)
    found, every = computed(relabel(labels, min_size=30)), computed(relabel(labels))
    sizes = np.bincount(every.ravel().astype(np.intp))
    assert 0 < (sizes[1:] < 30).sum() < len(sizes) - 1
    assert_same_up_to_names(found, renumbered(np.where(sizes[every] >= 30, every, 0)))


def renumbered(labels):
    return np.unique(np.append(labels.ravel(), 0), return_inverse=True)[1][:-1].reshape(
        labels.shape
    )


def test_a_region_is_labelled_as_one_piece():
    labels = watershed(volume(AFFINITIES, (5, 6, 7)), offsets=OFFSETS, halo=20)
    objects = relabel(labels)
    assert_same_objects(objects[:], segment_function(AFFINITIES, offsets=OFFSETS))
    assert_same_objects(objects[2:9, 4:9, 3:], labels[2:9, 4:9, 3:])


def test_stored_by_processes_as_in_memory_and_kept_for_other_rules(
    tmp_path: Path, client: Client
) -> None:
    source = volume(AFFINITIES, (5, 6, 7))
    objects = relabel(watershed(source, offsets=OFFSETS), keep_scratch=True)
    plan = objects.plan()
    assert [stage.name for stage in plan.stages][:2] == ["result: segment", "result: stitch"]
    (solved,) = (stage for stage in plan.stages if stage.name == "result: solve")
    assert solved.worker_bytes == plan.worker_bytes == (42 + 60) * source.data.size // len(OFFSETS)
    summary = objects.to_zarr(tmp_path / "a.zarr/ids", client=client, progress=False)
    assert summary.tasks[0].completed == 18
    np.testing.assert_array_equal(open_volume(tmp_path / "a.zarr/ids")[:], computed(objects))
    again = relabel(str(tmp_path / "a.zarr/ids.scratch"), match="touch")
    assert computed(again).shape == SHAPE


def test_real_neurons_are_as_one_piece(data: Path) -> None:
    raw = samples.fib25().raw
    options = samples.FIB25.options | {"block_shape": (30, 80, 80)}
    some = predict(raw, **options).isel(z=slice(160, 190), y=slice(80), x=slice(90, 170))[:]
    how = {"offsets": samples.FIB25.channels, "attract": "nearest"}
    expected = segment_function(some, **how)
    labels = watershed(volume(some, (30, 33, 48)), **how, halo=4)
    assert_same_objects(computed(relabel(labels)), expected)


LABELS = watershed(volume(AFFINITIES, (5, 6, 7)), offsets=OFFSETS)


@pytest.mark.parametrize(
    ("labels", "options", "message"),
    [
        (LABELS, {"connectivity": 2}, "nothing else .* got connectivity=2: leave"),
        (LABELS, {"min_size": -1}, "^min_size must be at least 0 voxels, got -1"),
        (LABELS, {"match": "mutex", "min_iou": 0.7}, "nothing else .* min_iou=0.7"),
        (
            watershed(volume(AFFINITIES, (5, 6, 7)), seeds="distance", offsets=OFFSETS),
            {"match": "mutex"},
            "is for what watershed",
        ),
        (replace(LABELS, frame=replace(LABELS.frame, shape=(1 << 12,) * 3)), {}, "too many"),
    ],
)
def test_mistakes_are_explained(labels, options, message):
    with pytest.raises(ValueError, match=message):
        relabel(labels, **options)


BYTES, FLAT = volume(AFFINITIES, (5, 6, 7)), volume(AFFINITIES[0], (5, 6, 7))


@pytest.mark.parametrize(
    ("source", "parameters", "error", "message"),
    [
        (BYTES, {}, ValueError, "needs 6 offsets, got none"),
        (BYTES, {"offsets": OFFSETS[:3]}, ValueError, "needs 6 offsets, got 3"),
        (BYTES, {"offsets": OFFSETS, "attract": "neerest"}, ValueError, "got 'neerest'"),
        (BYTES, {"offsets": OFFSETS, "bias": 7}, ValueError, r"must be in \[0, 1\]"),
        (BYTES, {"offsets": OFFSETS, "strides": (0, 1)}, ValueError, "strides must be"),
        (BYTES, {"offsets": [(1, 0)] * 6}, ValueError, "each of the 3 axes"),
        (FLAT, {"offsets": OFFSETS}, ValueError, "a channel for each offset"),
        (
            Volume.from_array(AFFINITIES.astype(np.int16)),
            {"offsets": OFFSETS},
            TypeError,
            "got int16",
        ),
    ],
)
def test_what_the_function_would_refuse_is_refused_before_any_work(
    source, parameters, error, message
):
    labels = segment(source, segment_function, halo=0, **parameters)
    with pytest.raises(error, match=message):
        relabel(labels)


def test_an_offset_has_its_place_in_the_order_also_where_a_block_has_no_edge_of_it():
    values = np.array([[1, 0, 0], [1, 0, 1], [1, 0, 0]], np.float32)
    source = Volume.from_array(values, axes="cx", chunks=(3, 1))
    labels = watershed(source, offsets=[(2,), (1,), (-1,)], filter_fragments=False)
    assert computed(relabel(labels)).tolist() == [1, 1, 1]


def test_what_is_held_by_edges_that_a_block_does_not_see_counts():
    values = np.full((2, 30), 0.45, np.float32)
    values[1, [8, 13, 14, 9]], values[0, [18, 8]] = (0.99, 0.98, 0.96, 0.1), (0.97, 0.8)
    how = {"offsets": [(1,), (5,)], "filter_fragments": False}
    expected = segment_function(values, **how)
    assert expected[8] != expected[9]
    source = Volume.from_array(values, axes="cx", chunks=(2, 10))
    assert_same_objects(computed(relabel(watershed(source, **how))), expected)


def test_weak_objects_are_told_by_the_same_sums():
    for near, far, bias in (0.9, 0.1, 0.5), (0.5, 0.5, [0.4, 0.6]), (0.5, 0.25, 0.4):
        values = np.empty((2, 1, 2), np.float32)
        values[0], values[1] = near, far
        how = {"offsets": [(0, -1), (-1, 0)], "bias": bias}
        source = Volume.from_array(values, axes="cyx", chunks=(2, 1, 1))
        found = computed(relabel(watershed(source, **how)))
        np.testing.assert_array_equal(found > 0, segment_function(values, **how) > 0)


def test_fragments_that_take_many_bits(monkeypatch):
    expected = computed(relabel(LABELS))
    monkeypatch.setattr("dask_blockwise.relabelling.mutex_row._BITS", 1)
    np.testing.assert_array_equal(computed(relabel(LABELS)), expected)


def test_what_is_given_of_a_rule_says_which_is_meant():
    objects = [
        relabel(LABELS, **options) for options in ({}, {"min_iou": 0.4}, {"min_fraction": 0.8})
    ]
    assert [type(each.source.rule).__name__ for each in objects] == [
        "MutexRule",
        "MatchRule",
        "MatchRule",
    ]
