"""Contraction of graphs, against a mutex watershed in plain words."""

from __future__ import annotations

import numpy as np
import pytest
from contracting import contracted
from hypothesis import given
from hypothesis import strategies as st

from dask_blockwise.segmentation.contraction import Contraction

NODES = st.integers(2, 14)


def graph(data, nodes):
    """Distinct edges of a random graph, in the order in which they come."""
    ends = st.tuples(st.integers(0, nodes - 1), st.integers(0, nodes - 1), st.booleans())
    return data.draw(st.lists(ends.filter(lambda edge: edge[0] != edge[1]), max_size=60))


def watershed(nodes, edges):
    """Clusters as sets, and pairs of nodes that are kept apart."""
    cluster, apart = [{n} for n in range(nodes)], set()
    for one, other, attracts in edges:
        a, b = cluster[one], cluster[other]
        rivals = any((m in a and n in b) or (n in a and m in b) for m, n in apart)
        if a is b or (attracts and rivals):
            continue
        if not attracts:
            apart.add((one, other))
            continue
        a |= b
        for node in a:
            cluster[node] = a
    return [min(nodes) for nodes in cluster]


def arrays(edges):
    one, other, attracts = (np.array([edge[n] for edge in edges]) for n in range(3))
    return one.astype(int), other.astype(int), attracts.astype(bool)


def same(found, expected):
    return len(set(zip(found, expected))) == len(set(found)) == len(set(expected))


@given(st.data(), NODES)
def test_without_edges_that_leave_it_is_the_mutex_watershed(data, nodes):
    edges = graph(data, nodes)
    assert same(contracted(nodes, *arrays(edges)).tolist(), watershed(nodes, edges))


@given(st.data(), NODES)
def test_what_a_part_merges_the_whole_merges_and_solves_to_the_same(data, nodes):
    """Two parts of a graph, each with what is next to it alone, and then both together."""
    edges = graph(data, nodes)
    inside = data.draw(st.integers(0, nodes))
    names = np.arange(nodes)
    for part in (range(inside), range(inside, nodes)):
        known = []
        for one, other, attracts in edges:
            ends = [part.index(n) if n in part else len(part) + n for n in (one, other)]
            if min(ends) < len(part):
                known.append((*ends, attracts))
        names[part.start : part.stop] = part.start + contracted(len(part), *arrays(known))
    whole = watershed(nodes, edges)
    assert all(whole[node] == whole[name] for node, name in enumerate(names.tolist()))
    left = [(*names[[one, other]].tolist(), attracts) for one, other, attracts in edges]
    solved = watershed(nodes, [edge for edge in left if edge[0] != edge[1]])
    assert same([solved[name] for name in names], whole)


@given(st.data(), NODES)
def test_the_first_edge_of_each_pair_is_enough(data, nodes):
    edges = graph(data, nodes)
    kept = list({frozenset(edge[:2]): edge for edge in reversed(edges)}.values())[::-1]
    kept.sort(key=edges.index)
    assert same(contracted(nodes, *arrays(kept)).tolist(), watershed(nodes, edges))


@given(st.data(), NODES)
def test_edges_that_come_by_and_by(data, nodes):
    """Ends may be named by nodes that they were merged with."""
    edges = graph(data, nodes)
    cut = data.draw(st.integers(0, len(edges)))
    contraction = Contraction(nodes, nodes)
    contraction.take(*arrays(edges[:cut]))
    names = contraction.clusters().tolist()
    rest = [(names[one], names[other], attracts) for one, other, attracts in edges[cut:]]
    contraction.take(*arrays(rest))
    assert same(contraction.clusters().tolist(), watershed(nodes, edges))


@pytest.mark.parametrize("most", [0, 40, 4000])
def test_numbers_grow_wide_where_there_are_many(monkeypatch, most):
    monkeypatch.setattr("dask_blockwise.segmentation.contraction._MOST_OF_FEW", most)
    some = np.random.default_rng(0).integers(0, 30, (2, 900))
    one, other = some[:, some[0] != some[1]]
    attracts = np.random.default_rng(1).random(one.size) < 0.1
    contraction = Contraction(30, 30)
    for part in np.array_split(np.arange(one.size), 9):
        contraction.take(one[part], other[part], attracts[part])
    edges = list(zip(one.tolist(), other.tolist(), attracts.tolist()))
    assert contraction.clusters().itemsize == (4 if most == 4000 else 8)
    assert same(contraction.clusters().tolist(), watershed(30, edges))


def test_rivals_that_are_known_apart_threaten_nothing():
    """Two of which one leaves are both kept apart from what else is outside, and so may merge."""
    outside = [(1, 4, True), (0, 3, False), (1, 3, False)]
    assert contracted(3, *arrays([*outside[1:], outside[0], (0, 1, True)])).tolist() == [0, 0, 2]
    # Where the first alone is kept apart from that, the second may be one with it.
    assert contracted(3, *arrays([*outside[:2], (0, 1, True)])).tolist() == [0, 1, 2]


def test_tables_grow():
    one, other = np.random.default_rng(0).integers(0, 3000, (2, 40_000))
    differ = one != other
    one, other = one[differ], other[differ]
    cluster = contracted(3000, one, other, np.zeros(one.size, bool))
    assert cluster.tolist() == list(range(3000))
