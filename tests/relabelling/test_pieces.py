"""What of a block's labels is its own."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from dask_blockwise.relabelling.pieces import cut, labels_seen

CORES = st.tuples(*[st.tuples(st.integers(0, 2), st.integers(3, 5))] * 3)


def parts(mask):
    return ndimage.label(mask, np.ones((3,) * mask.ndim))


@given(hnp.arrays(np.uint16, (5, 5, 5), elements=st.sampled_from([0, 3, 900])), CORES)
def test_pieces_are_what_the_core_joins_unless_the_label_was_made_of_parts(labels, bounds):
    core = tuple(slice(*b) for b in bounds)
    pieces = cut(labels, core)
    inside = pieces.values[core]
    np.testing.assert_array_equal(
        np.unique(inside[inside > 0]), np.arange(1, pieces.sizes.size + 1)
    )
    np.testing.assert_array_equal(
        np.bincount(inside.ravel(), minlength=pieces.sizes.size + 1)[1:], pieces.sizes
    )
    for label in (3, 900):
        mask = labels == label
        found = inside[mask[core]]
        scattered = parts(mask)[1] > 1
        own, count = parts(mask[core])
        assert len(np.unique(found)) == (min(count, 1) if scattered else count)
        if not scattered:
            assert len(np.unique(np.stack([found, own[mask[core]]]), axis=1).T) == count


@given(hnp.arrays(np.uint16, (4, 6, 5), elements=st.integers(0, 3)), CORES)
def test_labels_come_back_from_pieces(labels, bounds):
    pieces = cut(labels, tuple(slice(*b) for b in bounds))
    seen = labels_seen(pieces.values, pieces.owners)
    pairs = np.unique(np.stack([seen.ravel(), labels.ravel()]), axis=1)
    assert pairs.shape[1] == len(np.unique(labels)) == len(np.unique(seen))


def test_without_a_halo_nothing_is_cut():
    labels = np.array([[1, 0, 1], [0, 0, 2]])
    pieces = cut(labels, (slice(None),) * 2)
    assert pieces.values.tolist() == labels.tolist()
    assert pieces.owners.tolist() == [1, 2]


def test_time_points_are_cut_by_themselves():
    arch = np.array([[[1, 1, 1], [1, 0, 1]], [[0, 0, 0], [0, 2, 0]]])
    pieces = cut(arch, (slice(None), slice(1, 2), slice(None)), points=True)
    assert pieces.values[:, 1].tolist() == [[2, 0, 3], [0, 1, 0]]
    assert pieces.owners.tolist() == [2, 1, 1]
