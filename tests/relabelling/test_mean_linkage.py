"""Agglomeration by mean affinity, against merging in plain words and bioimage-cpp."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from bioimage_cpp.graph import UndirectedGraph, agglomeration
from hypothesis import given
from hypothesis import strategies as st

from dask_blockwise.relabelling.mean_linkage import mean_linkage


def drawn_graph(nodes, tried, seed):
    """Pairs, each once, what they sum up to, of how many; all means differ, half attract."""
    rng = np.random.default_rng(seed)
    pairs = np.sort(rng.integers(0, nodes, (tried, 2)), axis=1)
    pairs = np.unique(pairs[pairs[:, 0] < pairs[:, 1]], axis=0)
    count = rng.integers(1, 20, len(pairs))
    return pairs, rng.integers(-(2**40), 2**40, len(pairs)) * count, count


def in_plain_words(nodes, pairs, total, count, least):
    """The smallest node of each cluster, by exact fractions."""
    names, known = list(range(nodes)), {}
    for (one, other), *figures in zip(pairs.tolist(), total.tolist(), count.tolist()):
        known[one, other] = figures
    while known:
        (one, other), best = max(known.items(), key=lambda item: Fraction(*item[1]))
        if Fraction(*best) <= least:
            break
        names = [one if name == other else name for name in names]
        fewer = {}
        for ends, figures in known.items():
            a, b = sorted(one if end == other else end for end in ends)
            if a != b:
                so_far = fewer.get((a, b), (0, 0))
                fewer[a, b] = [sum(pair) for pair in zip(so_far, figures)]
        known = fewer
    return names


def same(found, expected):
    found, expected = np.asarray(found).tolist(), np.asarray(expected).tolist()
    return len(set(zip(found, expected))) == len(set(found)) == len(set(expected))


@given(
    st.integers(2, 14),
    st.integers(0, 60),
    st.integers(0, 999),
    st.sampled_from([0, 2**38, -(2**39)]),
)
def test_as_in_plain_words(nodes, tried, seed, least):
    graph = drawn_graph(nodes, tried, seed)
    assert same(mean_linkage(nodes, *graph, least), in_plain_words(nodes, *graph, least))


@pytest.mark.parametrize("tried", [3_000, 60_000])
def test_as_bioimage_cpp(tried):
    nodes = 20_000
    pairs, total, count = drawn_graph(nodes, tried, seed=7)
    graph = UndirectedGraph.from_unique_edges(nodes, pairs.astype(np.uint64))
    solver = agglomeration.GaspClusterPolicy(linkage="mean")
    mean = total / count / 2**40
    theirs = solver.optimize(graph, mean, edge_sizes=count.astype(np.float64))
    found = mean_linkage(nodes, pairs, total, count, 0)
    assert same(found, theirs)
    assert len(np.unique(found)) < nodes - 1000


def test_a_hub_with_many_rivals():
    """One cluster takes in all that attracts, and what is against it is added up."""
    spokes = np.stack([np.zeros(9_000, int), np.arange(1, 9_001)], 1)
    rim = np.stack([np.arange(1, 9_000), np.arange(2, 9_001)], 1)
    pairs = np.concatenate([spokes, rim])
    total = np.concatenate([np.arange(9_000) + 1, np.full(len(rim), -20_000)])
    found = mean_linkage(9_001, pairs, total, np.ones(len(pairs), int), 0)
    # The strongest spoke is merged first; each neighbour on the rim is then kept apart.
    alone = np.bincount(found, minlength=9_001)[found] == 1
    assert alone[1::2].sum() + alone[2::2].sum() == 4_500
    assert len(set(found[~alone].tolist())) == 1


def test_nothing_attracts():
    none = np.empty((0, 2), int)
    assert mean_linkage(3, none, none[:, 0], none[:, 0], 0).tolist() == [0, 1, 2]
