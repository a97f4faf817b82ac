"""Rows of what blocks of a mutex watershed find: the same again, in as few numbers as may be."""

from __future__ import annotations

import numpy as np
import pytest

from dask_blockwise.relabelling.mutex_row import Found

CORE, VOLUME = (slice(2, 5), slice(0, 4)), (9, 7)


def some(edges):
    rng = np.random.default_rng(edges)
    keys = np.array([1, 2, 5 << 32 | 1, 7 << 32 | 1, 7 << 32 | 2], np.uint64)
    ends = rng.integers(0, 5, (2, edges)).astype(np.uint32)
    order = np.unique(rng.integers(0, 1 << 63, edges, np.uint64))
    counts = np.diff(np.linspace(0, edges, order.size + 1).astype(np.intp)) if edges else order
    voxels = rng.integers(0, 24, edges).astype(np.uint64)
    columns = *ends, voxels, order, counts.astype(np.intp)
    return Found(CORE, VOLUME, keys, *columns, np.array([-5, 7]))


@pytest.mark.parametrize("bits", [1, 64])
@pytest.mark.parametrize("edges", [0, 1, 50])
def test_the_same_again(monkeypatch, edges, bits):
    monkeypatch.setattr("dask_blockwise.relabelling.mutex_row._BITS", bits)
    found = some(edges)
    for one, other in zip(Found.of(found.row()), found, strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_edge_takes_one_number_where_there_is_room(monkeypatch):
    found = some(60)
    least = found.row().size
    monkeypatch.setattr("dask_blockwise.relabelling.mutex_row._BITS", 1)
    assert found.row().size - least == 60


def test_places_are_those_of_the_volume():
    raster = np.arange(63).reshape(VOLUME)[CORE].ravel()
    found = some(50)
    voxels, attracts = np.divmod(found.voxels, 2)
    np.testing.assert_array_equal(found.places, 2 * raster[voxels.astype(int)] + attracts)
