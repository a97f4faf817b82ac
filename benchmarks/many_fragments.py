"""What it takes to give ids to very many fragments, on made-up faces between blocks.

Run ``python benchmarks/many_fragments.py`` (10 million fragments, 20 million edges) or with the
number of fragments; 100_000_000 is what a volume of a few cubic millimetres has. With
``--method mean`` or ``mutex``, fragments are agglomerated rather than relabelled; ``--method mean
--rival`` does the same by bioimage-cpp too, and prints the ratio of the seconds that a core worked.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from bioimage_cpp.graph import UndirectedGraph, agglomeration
from numpy.typing import NDArray
from scipy.cluster.hierarchy import DisjointSet

from dask_blockwise.labels.ids import merge
from dask_blockwise.relabelling.contacts import RegionGraph, means, sum_contacts
from dask_blockwise.relabelling.match_rule import ByTouch, MatchRule
from dask_blockwise.relabelling.pairs import as_rows
from dask_blockwise.relabelling.partition import Method, partition
from dask_blockwise.relabelling.scratch import Scratch
from dask_blockwise.relabelling.steps import solve_blocks

_A_BLOCK = 20_000
_RIVAL = 300_000


@dataclass(frozen=True)
class Faces:
    """Rows of edges as blocks leave them: two edges a fragment, most to the next blocks."""

    blocks: int

    def __iter__(self) -> Iterator[NDArray[np.uint64]]:
        for block in range(self.blocks):
            rng = np.random.default_rng(block)
            others = (block + rng.integers(1, 500, 2 * _A_BLOCK)) % self.blocks
            pieces = rng.integers(1, _A_BLOCK + 1, (2, 2 * _A_BLOCK))
            blocks = np.stack([np.full(others.shape, block), others])
            yield (blocks << 32 | pieces).T.astype(np.uint64).ravel()


@dataclass(frozen=True)
class Contacts:
    """Rows of affinities as blocks leave them: two pairs a fragment, half of which attract."""

    blocks: int

    def __iter__(self) -> Iterator[NDArray[np.uint64]]:
        for block in range(self.blocks):
            rng = np.random.default_rng(block)
            one = block * _A_BLOCK + rng.integers(0, _A_BLOCK, 2 * _A_BLOCK)
            other = (one + rng.integers(1, 3 * _A_BLOCK, one.size)) % (self.blocks * _A_BLOCK)
            count = rng.integers(1, 50, one.size)
            total = rng.integers(-(2**31), 2**31, one.size) * count
            far = np.zeros((2, one.size), int)
            ends = np.minimum(one, other), np.maximum(one, other)
            yield np.stack([*ends, total, count, *far], 1).astype(np.uint64)


def peak() -> float:
    """The most memory that this process has held, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def main() -> None:
    """Agglomerate or relabel made-up fragments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("fragments", type=int, nargs="?", default=10_000_000)
    parser.add_argument("--method", choices=["mean", "mutex"])
    parser.add_argument("--rival", action="store_true")
    options = parser.parse_args()
    blocks = options.fragments // _A_BLOCK
    if options.method:
        agglomerated(blocks, options.method, options.rival)
    else:
        relabelled(blocks)


def agglomerated(blocks: int, method: Method, rival: bool) -> None:
    """Print seconds and memory of the sums of affinities, and of solving the graph."""
    # What is compiled when it is first called.
    partition(2 * _A_BLOCK, sum_contacts(Contacts(2)), method)
    fragments, before, began = blocks * _A_BLOCK, peak(), time.perf_counter()
    graph = sum_contacts(Contacts(blocks))
    seconds, began = time.perf_counter() - began, time.perf_counter()
    pairs = graph.pairs.size
    print(f"{fragments:,} fragments, {pairs:,} pairs: {seconds:.0f} s, peak {peak():.2f} GB")
    given = [graph]
    if not rival:
        del graph
    worked = time.process_time()
    # Which lets go of it as soon as it can.
    objects = partition(fragments, given.pop(), method).max() + 1
    worked, seconds = time.process_time() - worked, time.perf_counter() - began
    print(f"{method}: {seconds:.0f} s, {objects:,} objects, peak {peak():.2f} GB", end="")
    print(f", of which {before:.2f} before, {(peak() - before) * 1e9 / pairs:.0f} B a pair")
    if rival:
        theirs = by_bioimage_cpp(fragments, graph)
        print(f"bioimage-cpp works {theirs / worked:.1f} times as long, peak {peak():.2f} GB")


def by_bioimage_cpp(fragments: int, graph: RegionGraph) -> float:
    """Seconds that it works on the whole graph."""
    count = graph.near_count.astype(np.float64) + graph.far_count
    began = time.process_time()
    whole = UndirectedGraph.from_unique_edges(fragments, as_rows(graph.pairs).astype(np.uint64))
    solver = agglomeration.GaspClusterPolicy(linkage="mean")
    solver.optimize(whole, means(graph.near + graph.far, count), edge_sizes=count)
    return time.process_time() - began


def relabelled(blocks: int) -> None:
    """Print seconds, memory, what a block reads, and the ratio to scipy's DisjointSet."""
    fragments, before = blocks * _A_BLOCK, peak()
    sizes = [np.full(_A_BLOCK, 100)] * blocks
    began = time.perf_counter()
    made_up = sum(row.size // 2 for row in Faces(blocks))
    making, began = time.perf_counter() - began, time.perf_counter()
    starts, ids = solve_blocks(MatchRule(ByTouch()), sizes, Faces(blocks))
    seconds = time.perf_counter() - began - making
    print(f"{fragments:,} fragments, {made_up:,} edges: {seconds:.1f} s, {ids.max():,} objects")
    print(
        f"peak {peak():.2f} GB, of which {before:.2f} before, {peak() * 1e9 / fragments:.0f} B each"
    )
    with tempfile.TemporaryDirectory() as folder:
        scratch = Scratch(f"{folder}/made-up.scratch")
        scratch.write_table(starts, ids)
        began = time.perf_counter()
        own = Scratch(scratch.path).read_table(blocks // 2)
        print(f"a block reads {own.nbytes / 1e3:.0f} kB in {time.perf_counter() - began:.4f} s")
    edges = np.random.default_rng(0).integers(0, _RIVAL, (2 * _RIVAL, 2))
    began = time.perf_counter()
    merge(_RIVAL, [edges])
    ours, began = time.perf_counter() - began, time.perf_counter()
    found = DisjointSet(range(_RIVAL))
    for one, other in edges.tolist():
        found.merge(one, other)
    rival = time.perf_counter() - began
    print(f"{_RIVAL:,} fragments: scipy DisjointSet takes {rival / ours:.0f} times as long")


if __name__ == "__main__":
    main()
