"""What coarser voxels are made of, beside numpy, fractions, and a count by brute force."""

from collections import Counter
from fractions import Fraction
from itertools import product
from math import ceil, prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dask_blockwise.volumes.cells import coarsened, margin_of


def cells(shape, factors):
    """Each coarser voxel, and the box of finer ones that there are of it."""
    for index in np.ndindex(*(ceil(n / f) for n, f in zip(shape, factors))):
        yield (
            index,
            tuple(
                slice(i * f, min((i + 1) * f, n))
                for i, f, n in zip(index, factors, shape, strict=True)
            ),
        )


def exact_mean(values):
    return round(sum(map(Fraction, map(int, values.ravel()))) / values.size)


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i4", "u8", "i8"])
def test_the_mean_of_integers_is_exact_and_rounded_half_to_even(dtype):
    limits = np.iinfo(dtype)
    rng = np.random.default_rng(0)
    values = rng.integers(limits.min, limits.max, (5, 7), dtype=dtype, endpoint=True)
    values[:2, :2] = limits.max
    made = coarsened(values, (2, 3), "mean")
    assert made.dtype == dtype
    for index, box in cells(values.shape, (2, 3)):
        assert int(made[index]) == exact_mean(values[box])


def test_halves_go_to_the_even_one():
    values = np.array([[0, 1, 1, 2, 2, 3, -1, 0, -1, -2]])
    assert coarsened(values, (1, 2), "mean").tolist() == [[0, 2, 2, 0, -2]]


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "c8"])
def test_the_mean_of_floats_is_numpys_and_nan_stays(dtype):
    values = np.random.default_rng(0).normal(size=(4, 6)).astype(dtype)
    values[0, 0], values[3, 5] = np.nan, np.inf
    made = coarsened(values, (2, 2), "mean")
    wide = values.astype(np.result_type(dtype, "f8"))
    with np.errstate(invalid="ignore"):
        expected = wide.reshape(2, 2, 3, 2).mean((1, 3)).astype(dtype)
    assert made.dtype == dtype
    np.testing.assert_array_equal(np.isnan(made), np.isnan(expected))
    np.testing.assert_allclose(made[~np.isnan(made)], expected[~np.isnan(expected)], rtol=1e-3)


def most_frequent(values, seen, background_counts):
    """By brute force: the most frequent, then the rarest in what is seen, then the smallest."""
    counts = Counter(values.ravel().tolist())
    if not background_counts and set(counts) != {0}:
        counts.pop(0, None)
    most = max(counts.values())
    around = Counter(seen.ravel().tolist()) if seen is not None else Counter()
    return min((around[v], v) for v, n in counts.items() if n == most)[1]


def around(box, factors, shape):
    return tuple(
        slice(max(0, s.start - (f > 1) * f), min(s.start + 2 * f if f > 1 else s.stop, n))
        for s, f, n in zip(box, factors, shape, strict=True)
    )


shapes = st.tuples(st.integers(1, 7), st.integers(1, 7), st.integers(1, 5))
factors = st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3))


@settings(max_examples=60)
@given(shape=shapes, by=factors, seed=st.integers(0, 1000), dtype=st.sampled_from(["u1", "u8"]))
def test_labels_and_modes_are_those_of_a_count(shape, by, seed, dtype):
    values = np.random.default_rng(seed).integers(0, 4, shape).astype(dtype)
    labels, mode = (coarsened(values, by, method) for method in ("labels", "mode"))
    for index, box in cells(shape, by):
        seen = values[around(box, by, shape)]
        assert labels[index] == most_frequent(values[box], seen, background_counts=False)
        assert mode[index] == most_frequent(values[box], None, background_counts=True)


@settings(max_examples=60)
@given(shape=shapes, by=factors, seed=st.integers(0, 1000), data=st.data())
def test_a_part_with_its_margin_is_the_part_of_the_whole(shape, by, seed, data):
    values = np.random.default_rng(seed).integers(0, 4, shape)
    coarse = [ceil(n / f) for n, f in zip(shape, by)]
    part = [sorted(data.draw(st.tuples(*[st.integers(0, n - 1)] * 2))) for n in coarse]
    inner = [(a * f, min((b + 1) * f, n)) for (a, b), f, n in zip(part, by, shape)]
    margin = margin_of("labels", by)
    low = [max(0, a - m) for (a, _), m in zip(inner, margin)]
    read = tuple(slice(lo, e + m) for lo, (_, e), m in zip(low, inner, margin))
    box = tuple(slice(a - lo, e - lo) for (a, e), lo in zip(inner, low))
    expected = coarsened(values, by, "labels")[tuple(slice(a, b + 1) for a, b in part)]
    np.testing.assert_array_equal(coarsened(values[read], by, "labels", box), expected)


def test_masks_keep_what_is_there():
    mask = np.zeros((4, 5), bool)
    mask[1, 1] = mask[2, 4] = True
    made = coarsened(mask, (2, 2), "labels")
    assert made.tolist() == [[True, False, False], [False, False, True]]
    assert made.dtype == bool


@pytest.mark.parametrize("method", ["max", "min", "first"])
def test_other_methods_are_numpys(method):
    values = np.random.default_rng(0).integers(0, 99, (5, 6))
    made = coarsened(values, (2, 4), method)
    take = {"max": np.max, "min": np.min, "first": lambda cell: cell.flat[0]}[method]
    for index, box in cells(values.shape, (2, 4)):
        assert made[index] == take(values[box])


def halved(labels):
    for _ in range(4):
        labels = coarsened(labels, (2,) * labels.ndim, "labels")
        yield np.unique(labels[labels > 0]).size


# By tinybrain 1.7, downsample_segmentation(labels, (2, 2, 2), num_mips=4, sparse=True).
@pytest.mark.parametrize(
    ("path", "name", "survived"),
    [
        ("connectomics_labels/labels_256.npz", "labels", (218, 197, 160, 98)),
        ("fib25/labels.npz", "neurons", (358, 197, 183, 118)),
        ("fib25/labels.npz", "supervoxels", (2803, 2480, 1264, 344)),
        ("fluorescence/ovule_nuclei_1135_100.h5", "label", (54, 54, 54, 53)),
        ("fluorescence/ovule_nuclei_1136_100.h5", "label", (32, 32, 32, 31)),
        ("fluorescence/ovule_cells_32x128x128.h5", "label", (45, 44, 37, 26)),
    ],
)
def test_no_fewer_objects_survive_than_with_tinybrain(data, path, name, survived):
    if path.endswith("npz"):
        labels = np.load(data / path)[name]
    else:
        h5py = pytest.importorskip("h5py")
        with h5py.File(data / path) as file:
            labels = file[name][:]
    assert all(ours >= theirs for ours, theirs in zip(halved(labels), survived, strict=True))


def test_all_factors_of_small_volumes_keep_their_shape():
    for shape, by in product([(1, 1), (2, 3), (5, 4)], [(1, 1), (2, 2), (3, 1)]):
        values = np.arange(prod(shape)).reshape(shape)
        for method in ("mean", "mode", "labels"):
            made = coarsened(values, by, method)
            assert made.shape == tuple(ceil(n / f) for n, f in zip(shape, by))
