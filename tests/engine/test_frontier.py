"""The order of blocks, against pairs compared one by one."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dask_blockwise.engine.conflicts import Conflicts, conflict_levels
from dask_blockwise.engine.frontier import Frontier
from dask_blockwise.geometry.blocks import BlockGrid, Roi

Key = tuple[int, int]


def make_grid(
    shape: Sequence[int],
    write: Sequence[int],
    before: Sequence[int],
    after: Sequence[int],
    fit: str,
) -> BlockGrid:
    total = [max(s, b + 1 + a) for s, b, a in zip(shape, before, after)]
    read = [w + b + a for w, b, a in zip(write, before, after)]
    begin = [-b for b in before]
    total_roi = Roi(begin, [max(t, r) for t, r in zip(total, read)])
    return BlockGrid(total_roi, Roi(begin, read), Roi((0,) * len(write), write), fit)  # type: ignore[arg-type]


@st.composite
def grid_lists(draw: st.DrawFn) -> list[BlockGrid]:
    dims = draw(st.integers(1, 3))
    most = {1: 30, 2: 14, 3: 8}[dims]
    shape = [draw(st.integers(1, most)) for _ in range(dims)]

    def numbers(low: int, high: int) -> list[int]:
        return [draw(st.integers(low, high)) for _ in range(dims)]

    return [
        make_grid(shape, numbers(1, 5), numbers(0, 6), numbers(0, 6), draw(st.sampled_from(FITS)))
        for _ in range(draw(st.integers(1, 3)))
    ]


FITS = ("valid", "overhang", "shrink")


def meets(one: Roi, other: Roi) -> bool:
    return all(a < d and c < b for a, b, c, d in zip(one.begin, one.end, other.begin, other.end))


def conflict(grid: BlockGrid, one: int, other: int) -> bool:
    (read, write), (other_read, other_write) = grid.rois(one), grid.rois(other)
    return meets(read, other_write) or meets(other_read, write)


def walk(frontier: Frontier, tasks: int, seed: int, fail: set[Key]) -> list[tuple[str, Key]]:
    """Run everything in a random order, a few at once; the log of begins and ends."""
    chance, running, log = random.Random(seed), [], []
    while True:
        for task in chance.sample(range(tasks), tasks):
            for number in frontier.take(task, chance.randint(0, 4) or 1):
                running.append((task, number))
                log.append(("begin", (task, number)))
        if not running:
            return log
        key = running.pop(chance.randrange(len(running)))
        log.append(("end", key))
        if key not in fail:
            frontier.done(*key)


@settings(max_examples=60, deadline=None)
@given(grid_lists(), st.integers(0, 1000), st.booleans(), st.data())
def test_every_block_once_dependencies_first_and_no_conflict_at_once(
    grids: list[BlockGrid], seed: int, ordered: bool, data: st.DataObject
) -> None:
    """In any graph of tasks: a chain, one that reads from two, two that read from one."""
    upstream = [[s for s in range(n) if data.draw(st.booleans())] for n in range(len(grids))]
    frontier = Frontier(grids, [ordered] * len(grids), upstream)
    log = walk(frontier, len(grids), seed, set())
    begins = [key for event, key in log if event == "begin"]
    assert sorted(begins) == [(t, n) for t, grid in enumerate(grids) for n in range(len(grid))]
    ended: set[Key] = set()
    running: set[Key] = set()
    for event, (task, number) in log:
        if event == "end":
            running.discard((task, number))
            ended.add((task, number))
            continue
        for t, n in running:
            assert not (ordered and t == task and conflict(grids[t], n, number))
        read = grids[task].rois(number)[0]
        for source in upstream[task]:
            needed = (n for n in range(len(grids[source])) if meets(grids[source].rois(n)[1], read))
            assert all((source, n) in ended for n in needed)
        running.add((task, number))


@settings(max_examples=40, deadline=None)
@given(grid_lists(), st.data())
def test_what_depends_on_a_failed_block_never_runs(
    grids: list[BlockGrid], data: st.DataObject
) -> None:
    upstream = [[n - 1] if n else [] for n in range(len(grids))]
    bad = data.draw(st.integers(0, len(grids[0]) - 1))
    frontier = Frontier(grids, [False] * len(grids), upstream)
    log = walk(frontier, len(grids), 1, {(0, bad)})
    ran = {key for event, key in log if event == "begin"}
    lost = {(0, bad)}
    for task in range(1, len(grids)):
        for number in range(len(grids[task])):
            read = grids[task].rois(number)[0]
            if any(t == task - 1 and meets(grids[t].rois(n)[1], read) for t, n in lost):
                lost.add((task, number))
    everything = {(t, n) for t, grid in enumerate(grids) for n in range(len(grid))}
    assert ran == everything - lost | {(0, bad)}


@settings(max_examples=40, deadline=None)
@given(grid_lists(), st.integers(0, 1000), st.data())
def test_what_conflicts_with_a_failed_block_and_comes_after_it_never_runs(
    grids: list[BlockGrid], seed: int, data: st.DataObject
) -> None:
    grid = grids[0]
    bad = data.draw(st.sets(st.integers(0, len(grid) - 1)))
    log = walk(Frontier([grid], [True], [[]]), 1, seed, {(0, number) for number in bad})
    levels, lost = conflict_levels(grid).ravel(), set()
    for number in sorted(range(len(grid)), key=lambda n: levels[n]):
        before = (n for n in (bad | lost) if levels[n] < levels[number])
        if any(conflict(grid, n, number) for n in before):
            lost.add(number)
    assert {key[1] for event, key in log if event == "begin"} == set(range(len(grid))) - lost


def test_blocks_that_neither_reads_of_the_other_run_at_once() -> None:
    """Where more is read after a block than before, those on a diagonal across don't conflict."""
    grid = BlockGrid(Roi((0, 0), (3, 3)), Roi((0, 0), (2, 2)), Roi((0, 0), (1, 1)))
    frontier = Frontier([grid], [True], [[]])
    assert frontier.take(0, 4) == [0]
    frontier.done(0, 0)
    assert frontier.take(0, 4) == [1, 2]


@settings(max_examples=60, deadline=None)
@given(grid_lists())
def test_a_block_waits_for_all_that_conflict_with_it_and_no_other(grids: list[BlockGrid]) -> None:
    grid = grids[0]
    conflicts = Conflicts.of(grid)
    levels, counted = conflicts.levels.ravel(), conflicts.earlier().ravel()
    for one in range(len(grid)):
        earlier = (n for n in range(len(grid)) if levels[n] < levels[one])
        assert counted[one] == sum(conflict(grid, one, n) for n in earlier)


@settings(max_examples=60, deadline=None)
@given(grid_lists())
def test_conflicting_blocks_differ_in_level(grids: list[BlockGrid]) -> None:
    grid = grids[0]
    levels = conflict_levels(grid).ravel()
    for one in range(len(grid)):
        for other in range(one):
            assert levels[one] != levels[other] or not conflict(grid, one, other)


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_few_levels_where_context_is_at_most_a_block(dims: int) -> None:
    grid = make_grid([60] * dims, [10] * dims, [10] * dims, [10] * dims, "shrink")
    assert conflict_levels(grid).max() == 2**dims - 1


def test_order_of_conflicting_blocks_is_the_same_whatever_ends_first() -> None:
    grid = make_grid((8, 8), (2, 2), (1, 1), (1, 1), "shrink")
    orders = []
    for seed in range(5):
        log = walk(Frontier([grid], [True], [[]]), 1, seed, set())
        place = {key[1]: at for at, (event, key) in enumerate(log) if event == "begin"}
        pairs = [(a, b) for a in range(len(grid)) for b in range(a) if conflict(grid, a, b)]
        orders.append([place[a] < place[b] for a, b in pairs])
    assert all(order == orders[0] for order in orders)


def test_take_gives_neighbours() -> None:
    grid = make_grid((4, 4), (1, 1), (0, 0), (0, 0), "valid")
    frontier = Frontier([grid], [False], [[]])
    assert frontier.take(0, 4) == [0, 1, 2, 3]
    assert frontier.ready(0) == 12


def test_tasks_over_other_axes_do_not_chain() -> None:
    flat, deep = (make_grid([4] * d, [2] * d, [0] * d, [0] * d, "valid") for d in (2, 3))
    with pytest.raises(ValueError, match="3 axes reads from an upstream task over 2"):
        Frontier([flat, deep], [False, False], [[], [0]])


def test_downstream_outside_upstream_runs_at_once() -> None:
    near, far = Roi((0,), (4,)), Roi((100,), (4,))
    block = Roi((0,), (2,))
    grids = [BlockGrid(near, block, block), BlockGrid(far, block, block)]
    assert Frontier(grids, [False, False], [[], [0]]).take(1, 5) == [0, 1]


@pytest.mark.parametrize("kind", ["conflict", "upstream", "barrier", "all to all"])
def test_costs_microseconds_a_block(kind: str) -> None:
    cube = make_grid([300] * 3, [10] * 3, [1] * 3, [1] * 3, "shrink")
    whole = BlockGrid(cube.total_roi, cube.total_roi, cube.total_roi)
    every = make_grid([300] * 3, [10] * 3, [300] * 3, [300] * 3, "shrink")
    grids, conflicts, upstream = {
        "conflict": ([cube], [True], [[]]),
        "upstream": ([cube, cube], [False] * 2, [[], [0]]),
        "barrier": ([cube, whole, cube], [False] * 3, [[], [0], [1]]),
        "all to all": ([cube, every], [False] * 2, [[], [0]]),
    }[kind]
    begin = time.process_time()
    frontier = Frontier(grids, conflicts, upstream)
    blocks = 0
    for task in range(len(grids)):
        while numbers := frontier.take(task, 100):
            blocks += len(numbers)
            for number in numbers:
                frontier.done(task, number)
    assert blocks == sum(map(len, grids))
    # Measured at 8 to 16; the bound leaves room for a busy machine.
    assert (time.process_time() - begin) / blocks < 100e-6
