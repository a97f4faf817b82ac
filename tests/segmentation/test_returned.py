"""What a segment function returns is told in its own name."""

import numpy as np
import pytest
from scipy import ndimage

from dask_blockwise import BlocksFailed, Volume, segment
from dask_blockwise.segmentation.returned import labels_of

MASK = Volume.from_array(np.array([[1, 1, 0, 1], [0, 0, 0, 1]], np.uint8), chunks=(2, 2))


def both(array):
    return ndimage.label(array)


def listed(array):
    return [array, array]


def nothing(array):
    return None


def text(array):
    return np.full(array.shape, "a")


def probabilities(array):
    return array / 2


def cut(array):
    return array[:, 1:]


def number(array):
    return 3


def negative(array):
    return array.astype(np.int8) - 1


CASES = [
    (both, TypeError, r"^both returned a tuple of 2; .* one array of labels.*label\(array\)\[0\]"),
    (listed, TypeError, "^listed returned a list of 2; .* one array"),
    (nothing, TypeError, "^nothing returned None; .* let it end with return labels"),
    (text, TypeError, "^text returned <U1; a segment function returns integers"),
    (probabilities, TypeError, r"^probabilities returned float\d+; .*astype\('uint32'\)"),
    (cut, ValueError, r"^cut returned labels of shape \(2, 3\), but was given \(2, 4\) without"),
    (number, ValueError, r"^number returned labels of shape \(\), but was given"),
    (negative, ValueError, "^The labels that negative returned must not be negative, got -1"),
]


@pytest.mark.parametrize(("function", "error", "message"), CASES)
def test_mistakes_are_explained(function, error, message):
    with pytest.raises(error, match=message):
        segment(MASK, function, halo=2)[:]


def test_a_run_says_the_same(threads, tmp_path):
    with (
        threads.as_current(),
        pytest.raises(BlocksFailed, match="both returned a tuple of 2; a segment function"),
    ):
        segment(MASK, both, halo=0).to_zarr(f"{tmp_path}/a.zarr/b", progress=False, max_retries=0)


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint16, np.int64, np.uint64])
def test_all_integers_are_labels(dtype):
    labels = np.eye(3, dtype=dtype)
    assert labels_of(labels, "eye", (3, 3)) is labels
    np.testing.assert_array_equal(labels_of(memoryview(labels), "eye", (3, 3)), labels)


def test_channels_are_not_part_of_the_shape():
    volume = Volume.from_array(np.ones((3, 4, 5), np.float32), axes="cyx")
    labels = segment(volume, lambda array: np.ones(array.shape[1:], int), halo=1)
    np.testing.assert_array_equal(labels[:], np.ones((4, 5)))
    with pytest.raises(ValueError, match=r"shape \(3, 4, 5\), but was given \(4, 5\) without"):
        segment(volume, lambda array: np.ones(array.shape, int), halo=1)[:]
