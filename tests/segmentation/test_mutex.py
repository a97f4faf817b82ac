"""Mutex watershed of arrays and of boxes of them, against mwatershed and bioimage-cpp."""

from __future__ import annotations

from itertools import compress

import bioimage_cpp
import mwatershed
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from objects import assert_same_objects
from scipy import ndimage

from dask_blockwise.segmentation.mutex import MutexEdges, are_nearest

OFFSETS = ((-1, 0, 0), (0, 0, -1), (0, -1, 0), (-2, 0, 0), (0, 3, 0), (1, 0, -2))
BIAS = (0.5,) * 3 + (0.4, 0.5, 0.6)
SHAPES = st.tuples(*[st.integers(1, 9)] * 3)
STRIDES = st.none() | st.tuples(*[st.integers(1, 3)] * 3)


def noise(shape, seed, levels=None):
    values = np.random.default_rng(seed).random((len(OFFSETS), *shape), np.float32)
    smooth = np.stack([ndimage.gaussian_filter(channel, 0.7) for channel in values])
    unit = (smooth - smooth.min()) / max(np.ptp(smooth), 1e-6)
    return unit if levels is None else np.rint(unit * levels).astype(np.float32) / levels


def whole(shape):
    return tuple(slice(0, n) for n in shape)


def by_bioimage_cpp(weights, strides, mask):
    """Nearest neighbours attract; without voxels that nothing holds."""
    near = are_nearest(OFFSETS)
    shape = weights.shape[1:]
    held = np.zeros(shape, bool)
    for weight, offset in zip(weights[near], compress(OFFSETS, near)):
        for index in zip(*np.nonzero(weight > 0)):
            there = tuple(np.add(index, offset))
            if all(0 <= i < n for i, n in zip(there, shape)):
                held[index] = held[there] = True
    order = np.argsort(np.invert(near), kind="stable")
    edges = np.concatenate([weights[near], -weights[np.invert(near)]])
    return bioimage_cpp.segmentation.mutex_watershed(
        edges, [OFFSETS[n] for n in order], sum(near), strides=strides, mask=held & mask
    )


@given(SHAPES, st.integers(0, 99), STRIDES, st.booleans(), st.sampled_from([None, 3, 12]))
def test_nearest_equals_bioimage_cpp_whatever_is_equally_strong(
    shape, seed, strides, masked, levels
):
    rule = MutexEdges(OFFSETS, BIAS, "nearest", strides)
    weights = rule.weights(noise(shape, seed, levels))
    mask = np.random.default_rng(seed).random(shape) < (0.8 if masked else 2)
    if any(abs(step) >= n for offset in OFFSETS for step, n in zip(offset, shape)):
        assert rule.labels(weights, whole(shape), (0, 0, 0), mask).shape == shape
        return
    found = rule.labels(weights, whole(shape), (0, 0, 0), mask)
    assert_same_objects(found, by_bioimage_cpp(weights, strides, mask))


@given(SHAPES, st.integers(0, 99), STRIDES)
def test_all_equals_mwatershed(shape, seed, strides):
    rule = MutexEdges(OFFSETS, BIAS, "all", strides)
    weights = rule.weights(noise(shape, seed))
    # It panics at an offset that no edge has.
    short = [all(abs(s) < n for s, n in zip(offset, shape)) for offset in OFFSETS]
    if not any(short):
        return
    steps = [[1] * 3 if near else strides or [1] * 3 for near in are_nearest(OFFSETS)]
    expected = mwatershed.agglom(
        weights[short].astype(np.float64),
        [list(offset) for offset in compress(OFFSETS, short)],
        strides=[list(step) for step in compress(steps, short)],
    )
    found = rule.labels(weights, whole(shape), (0, 0, 0))
    if expected.flat[0] == 0:
        # Alone, it gets its own number there, which is 0.
        assert (found == found.flat[0]).sum() == 1 or found.flat[0] == 0
        found.flat[0] = 0
    assert_same_objects(found, expected)


@given(SHAPES, st.integers(0, 99), STRIDES, st.sampled_from(["all", "nearest"]), st.data())
def test_what_a_box_merges_the_whole_merges(shape, seed, strides, attract, data):
    rule = MutexEdges(OFFSETS, BIAS, attract, strides)
    weights = rule.weights(noise(shape, seed, 6))
    mask = np.random.default_rng(seed).random(shape) < 0.9
    objects = rule.labels(weights, whole(shape), (0, 0, 0), mask)
    ends = [sorted(data.draw(st.tuples(*[st.integers(0, n)] * 2))) for n in shape]
    core = tuple(
        slice(low, max(low + 1, high)) if low < n else slice(n - 1, n)
        for (low, high), n in zip(ends, shape)
    )
    seen = tuple(
        slice(max(0, c.start - n - 1), min(size, c.stop + n + 1))
        for c, n, size in zip(core, rule.reach, shape)
    )
    inner = tuple(slice(c.start - s.start, c.stop - s.start) for c, s in zip(core, seen))
    at = tuple(s.start for s in seen)
    parts = rule.labels(weights[(slice(None), *seen)], inner, at, mask[seen])
    np.testing.assert_array_equal(parts > 0, objects[core] > 0)
    pairs = np.unique(np.stack([parts.ravel(), objects[core].ravel()]), axis=1)
    assert len(np.unique(pairs[0])) == pairs.shape[1]


def test_more_edges_than_are_counted_are_refused(monkeypatch):
    monkeypatch.setattr("dask_blockwise.segmentation.edge_order._MOST_EDGES", 23)
    rule = MutexEdges(((-1, 0), (0, -1)), (0.5, 0.5))
    with pytest.raises(ValueError, match="takes 23 edges at most, got 24, 2 a voxel: label it by"):
        rule.labels(np.ones((2, 3, 4), np.float32), whole((3, 4)), (0, 0))


@pytest.mark.parametrize("attract", ["all", "nearest"])
def test_too_small_for_any_edge(attract):
    rule = MutexEdges(((-1,), (2,)), (0.5, 0.5), attract)
    assert rule.labels(np.ones((2, 1), np.float32), (slice(0, 1),), (0,)).tolist() == [0]
