"""Objects of region graphs, against the rules, and in parts against all at once."""

import mwatershed
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dask_blockwise.relabelling.contacts import RegionGraph
from dask_blockwise.relabelling.pairs import pack
from dask_blockwise.relabelling.partition import partition

METHODS = ["mean", "mutex", "multicut"]


def graph_of(near, far=()):
    """A graph of pairs with their mean affinities over the threshold, each of one voxel pair."""
    pairs = sorted({pair for pair, _ in [*near, *far]})
    columns = []
    for found in (dict(near), dict(far)):
        columns.append(np.array([round(found.get(pair, 0) * 2**32) for pair in pairs], np.int64))
        columns.append(np.array([pair in found for pair in pairs], np.uint32))
    return RegionGraph(pack(*np.array(pairs, np.uint64).reshape(-1, 2).T), *columns)


CHAIN = [((0, 1), 0.4), ((1, 2), 0.3), ((2, 3), 0.2)]


@pytest.mark.parametrize(
    ("method", "near", "far", "expected"),
    [
        ("mean", CHAIN, [], [0, 0, 0, 0]),
        ("mean", [((0, 1), 0.4), ((1, 2), -0.1)], [], [0, 0, 1, 2]),
        ("mean", [((0, 1), 0.4), ((0, 2), 0.2), ((1, 2), -0.3)], [], [0, 0, 1, 2]),
        ("mean", [((0, 1), 0.4)], [((0, 1), -0.5)], [0, 1, 2, 3]),
        ("mean", [((0, 1), 0.4)], [((0, 2), 0.5)], [0, 0, 1, 2]),
        ("mutex", CHAIN, [], [0, 0, 0, 0]),
        ("mutex", CHAIN, [((0, 3), -0.25)], [0, 0, 0, 1]),
        ("mutex", CHAIN, [((0, 3), -0.1)], [0, 0, 0, 0]),
        ("mutex", CHAIN, [((0, 2), -0.35)], [0, 0, 1, 1]),
        ("multicut", CHAIN, [((0, 3), -0.25)], [0, 0, 0, 1]),
        ("multicut", CHAIN, [((0, 3), -0.1)], [0, 0, 0, 0]),
        ("multicut", [((0, 1), 0.4)], [((0, 2), 0.5)], [0, 0, 1, 2]),
        *((method, [], [], [0, 1, 2, 3]) for method in METHODS),
    ],
)
def test_partitions(method, near, far, expected):
    assert partition(4, graph_of(near, far), method).tolist() == expected


@given(st.integers(2, 12), st.data())
def test_mutex_equals_mwatershed(nodes, data):
    pair = st.tuples(st.integers(0, nodes - 1), st.integers(0, nodes - 1)).map(sorted).map(tuple)
    pairs = data.draw(st.lists(pair.filter(lambda p: p[0] < p[1]), unique=True, min_size=1))
    signs = data.draw(st.lists(st.booleans(), min_size=len(pairs), max_size=len(pairs)))
    strength = data.draw(st.permutations(range(1, len(pairs) + 1)))
    weights = [n / 256 if s else -n / 256 for n, s in zip(strength, signs, strict=True)]
    near = list(zip(pairs, weights, strict=True))
    found = partition(nodes, graph_of(near), "mutex")
    ordered = sorted(near, key=lambda edge: -abs(edge[1]))
    theirs = dict(mwatershed.cluster([(weight > 0, *pair) for pair, weight in ordered]))
    for a in theirs:
        for b in theirs:
            assert (found[a] == found[b]) == (theirs[a] == theirs[b])


@st.composite
def graphs(draw):
    """Fragments, and pairs of them with different affinities."""
    nodes = draw(st.integers(2, 24))
    pair = st.tuples(*[st.integers(0, nodes - 1)] * 2).filter(lambda p: p[0] < p[1])
    near, far = (draw(st.lists(pair, unique=True, max_size=60)) for _ in range(2))
    values = np.random.default_rng(draw(st.integers(0, 99))).uniform(-0.5, 0.6, len(near + far))
    weights = list(zip(near + far, values.tolist(), strict=True))
    return nodes, graph_of(weights[: len(near)], weights[len(near) :])


@given(graphs(), st.sampled_from(METHODS), st.integers(1, 20))
def test_solved_in_parts_as_at_once(problem, method, at_once):
    whole = partition(*problem, method)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dask_blockwise.relabelling.partition._PAIRS_AT_ONCE", at_once)
        patch.setattr("dask_blockwise.relabelling.partition._PIECE", 3)
        assert partition(*problem, method).tolist() == whole.tolist()


@pytest.mark.parametrize("method", METHODS)
def test_solved_in_parts_where_all_are_equally_strong(method, monkeypatch):
    monkeypatch.setattr("dask_blockwise.relabelling.partition._PAIRS_AT_ONCE", 2)
    ring = graph_of([((n, n + 1), 0.25 if n != 4 else -0.25) for n in range(9)])
    assert partition(11, ring, method).tolist() == [0] * 5 + [1] * 5 + [2]
