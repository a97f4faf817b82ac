"""What a window shows of the face in its middle."""

import numpy as np
import pytest

from dask_blockwise.reports.seam_measures import named_alike, parts, planes


def test_names_are_those_of_the_partners():
    labels = np.arange(1, 26).reshape(5, 5).repeat(4, 0).repeat(4, 1)
    shuffled = np.random.default_rng(0).permutation(26)[labels] + 1
    np.testing.assert_array_equal(named_alike(parts(shuffled), parts(labels)), parts(labels))


def test_negative_labels_are_no_objects():
    with pytest.raises(ValueError, match="must not be negative, got -1"):
        parts(np.array([[-1, 0, 0, 4]]))


def test_flat_ends_are_told_from_round_ones():
    labels = np.zeros((12, 16, 16), int)
    labels[:6, :8, :8] = 1
    # A cone ends at the same plane, and a plate is too thin to say.
    for layer in range(6):
        labels[layer, 8 : 14 - layer, 8 : 14 - layer] = 2
    labels[5, 8:, :6] = 3
    seen = planes(labels, 0)
    assert seen.flat.tolist() == [0] * 5 + [1] + [0] * 5
    assert seen.face == 5
