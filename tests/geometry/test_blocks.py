"""Tilings, against daisy's."""

from __future__ import annotations

import pickle
from dataclasses import replace

import daisy.v2 as daisy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dask_blockwise.geometry.blocks import Block, BlockGrid, Roi

FITS = ("valid", "overhang", "shrink")


def line(total: int, fit: str, context: int = 2) -> BlockGrid:
    read, write = Roi((0,), (10 + 2 * context,)), Roi((context,), (10,))
    return BlockGrid(Roi((0,), (total,)), read, write, fit)  # type: ignore[arg-type]


@st.composite
def grids(draw: st.DrawFn) -> BlockGrid:
    dims = draw(st.integers(1, 4))

    def numbers(low: int, high: int) -> list[int]:
        return [draw(st.integers(low, high)) for _ in range(dims)]

    write, before, after = numbers(1, 6), numbers(0, 9), numbers(0, 9)
    read = [w + b + a for w, b, a in zip(write, before, after)]
    offset, room = numbers(-20, 20), numbers(0, 12)
    fit = draw(st.sampled_from(FITS))
    small = 0 if fit == "valid" else -min(write) + 1
    shape = [r + more + (small if more == 0 else 0) for r, more in zip(read, room)]
    read_roi = Roi(numbers(-20, 20), read)
    write_roi = Roi([r + b for r, b in zip(read_roi.begin, before)], write)
    return BlockGrid(Roi(offset, shape), read_roi, write_roi, fit)


def daisy_rois(grid: BlockGrid) -> set[tuple[str, str]]:
    graph = daisy.BlockwiseDependencyGraph(
        "task", grid.read_roi, grid.write_roi, False, grid.fit, grid.total_roi
    )
    blocks = [block for block, _ in graph.enumerate_all_dependencies()]
    assert graph.num_blocks == len(blocks)
    return {(repr(block.read_roi), repr(block.write_roi)) for block in blocks}


@given(grids())
def test_tiling_is_daisys(grid: BlockGrid) -> None:
    rois = [grid.rois(number) for number in range(len(grid))]
    ours = {(repr(read), repr(write)) for read, write in rois}
    assert len(ours) == len(grid)
    assert ours == daisy_rois(grid)


@given(grids())
def test_blocks_are_dense_in_raster_order_and_disjoint(grid: BlockGrid) -> None:
    blocks = list(grid.blocks("task"))
    assert [block.block_id for block in blocks] == [("task", n) for n in range(len(grid))]
    begins = [tuple(block.write_roi.begin) for block in blocks]
    assert begins == sorted(set(begins))
    written = sum(block.write_roi.intersect(grid.writable_roi).size or 0 for block in blocks)
    assert written + grid.unwritten == grid.writable


@pytest.mark.parametrize(
    ("total", "fit", "writes"),
    [
        (42, "valid", [(2, 12), (12, 22), (22, 32)]),
        (42, "overhang", [(2, 12), (12, 22), (22, 32), (32, 42)]),
        (42, "shrink", [(2, 12), (12, 22), (22, 32), (32, 40)]),
        (13, "valid", []),
        (13, "shrink", [(2, 11)]),
        (4, "shrink", []),
        (4, "overhang", []),
    ],
)
def test_design_table(total: int, fit: str, writes: list[tuple[int, int]]) -> None:
    grid = line(total, fit)
    rois = [grid.rois(number)[1] for number in range(len(grid))]
    assert [(roi.begin[0], roi.end[0]) for roi in rois] == writes


def test_last_overhanging_block_reads_beyond_the_total() -> None:
    assert line(42, "overhang").rois(3)[0] == Roi((30,), (14,))


def test_valid_counts_what_it_leaves() -> None:
    block = Roi((0,) * 3, (64,) * 3)
    grid = BlockGrid(Roi((0,) * 3, (100,) * 3), block, block)
    assert grid.unwritten == 100**3 - 64**3


@pytest.mark.parametrize(
    ("total", "read", "write", "fit", "message"),
    [
        (Roi((0, 0), (9, 9)), Roi((0,), (3,)), Roi((0,), (3,)), "valid", "same number of axes"),
        (Roi((0,), (9,)), Roi((0,), (3,)), Roi((0,), (4,)), "valid", "does not contain"),
        (Roi((0,), (9,)), Roi((0,), (3,)), Roi((0,), (0,)), "valid", "empty"),
        (Roi((0,), (9,)), Roi((0,), (3,)), Roi((0,), (3,)), "loose", "fit must be one of"),
        (Roi((0,), (None,)), Roi((0,), (3,)), Roi((0,), (3,)), "valid", "a begin and an end"),
    ],
)
def test_what_cannot_tile(total: Roi, read: Roi, write: Roi, fit: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BlockGrid(total, read, write, fit)  # type: ignore[arg-type]


def test_block_names() -> None:
    block = Block(Roi((0,), (9,)), Roi((0,), (5,)), Roi((1,), (3,)), ("task", 4))
    assert (block.task_id, block.number, block.roi) == ("task", 4, block.write_roi)


def test_a_block_of_a_grid_is_as_one_that_has_its_rois() -> None:
    grid = BlockGrid(Roi((0,), (42,)), Roi((0,), (14,)), Roi((2,), (10,)), "shrink")
    block = grid.block("task", 3)
    whole = Block(grid.total_roi, Roi((30,), (12,)), Roi((32,), (8,)), ("task", 3))
    assert pickle.loads(pickle.dumps(grid.block("task", 3))) == block == whole
    assert repr(grid.block("task", 3)) == repr(whole)
    assert replace(grid.block("task", 3), read_roi=whole.write_roi).write_roi == whole.write_roi
    with pytest.raises(AttributeError, match="'Block' object has no attribute 'rio'"):
        getattr(grid.block("task", 3), "rio")  # noqa: B009
