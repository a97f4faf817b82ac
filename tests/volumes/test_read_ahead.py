"""What blocks will read of a distant store is asked for while the one before is computed."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from distributed import Client
from numpy.typing import NDArray
from scipy import ndimage

import dask_blockwise as dbw
from dask_blockwise.storage.formats import read_once

SIZE, CHUNK = 24, 4
asked: Counter[str] = Counter()
# Chunks that were asked for, and blocks that were begun, as each block is computed.
seen: list[tuple[int, int]] = []
begun: list[int] = []


class Server(SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        if "/c/" in self.path:
            asked[self.path] += 1
        super().do_GET()

    def log_message(self, *_: Any) -> None:
        pass


VALUES = np.random.default_rng(0).integers(0, 255, (SIZE, SIZE), np.uint8)


@pytest.fixture
def raw(tmp_path: Path) -> Iterator[dbw.Volume]:
    zarr.create_array(tmp_path / "raw", data=VALUES, chunks=(CHUNK, CHUNK), fill_value=0)
    handler = partial(Server, directory=str(tmp_path))
    asked.clear(), seen.clear(), begun.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield dbw.open_volume(f"http://127.0.0.1:{server.server_port}/raw", stands_for=None)
        server.shutdown()


def largest(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    begun.append(1)
    time.sleep(0.02)
    seen.append((len(asked), len(begun)))
    found: NDArray[np.uint8] = ndimage.maximum_filter(values, 3)
    return found


def test_chunks_are_asked_for_beforehand(raw: dbw.Volume, near: Client, tmp_path: Path) -> None:
    made = dbw.map_overlap(largest, raw, dtype="uint8")
    summary = made.to_zarr(tmp_path / "out.zarr", client=near, progress=False)
    assert summary.tasks[0].completed == len(asked) == (SIZE // CHUNK) ** 2
    assert sum(asked.values()) < 1.5 * len(asked)
    assert any(chunks > blocks for chunks, blocks in seen)
    assert summary.tasks[0].spent.bytes_read == SIZE * SIZE


def slowly(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    time.sleep(0.15)
    return values


def test_a_batch_that_ends_early_has_read_nothing_in_vain(
    raw: dbw.Volume, near: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first ones are of eight blocks and a quarter of a second."""
    # So that chunks pass the cache by.
    monkeypatch.setattr(read_once, "_LARGE_CHUNK", 0)
    made = dbw.map_overlap(slowly, raw, dtype="uint8")
    made.to_zarr(tmp_path / "out.zarr", client=near, progress=False)
    assert set(asked.values()) == {1}
    np.testing.assert_array_equal(dbw.open_volume(tmp_path / "out.zarr")[:], VALUES)


@pytest.mark.parametrize("boundary", ["none", "periodic"])
@pytest.mark.parametrize("halo", [1, 3, CHUNK])
def test_with_halos_it_equals_the_whole(
    raw: dbw.Volume, near: Client, tmp_path: Path, halo: int, boundary: str
) -> None:
    made = dbw.map_overlap(largest, raw, halo=halo, boundary=boundary, dtype="uint8")
    made.to_zarr(tmp_path / "out.zarr", client=near, progress=False)
    mode = "wrap" if boundary == "periodic" else "nearest"
    expected = ndimage.maximum_filter(VALUES, 3, mode=mode)
    np.testing.assert_array_equal(dbw.open_volume(tmp_path / "out.zarr")[:], expected)
    # Two threads may open the array at once, and ask for a chunk each.
    assert sum(asked.values()) < 2 * len(asked)


def test_what_has_changed_since_an_earlier_run_is_read_anew(
    raw: dbw.Volume, near: Client, tmp_path: Path
) -> None:
    made = dbw.map_overlap(largest, raw, dtype="uint8")
    made.to_zarr(tmp_path / "a.zarr", client=near, progress=False)
    zarr.open_array(tmp_path / "raw")[:] = VALUES[::-1]
    made.to_zarr(tmp_path / "b.zarr", client=near, progress=False)
    for name, values in (("a", VALUES), ("b", VALUES[::-1])):
        blocks = values.reshape(SIZE // CHUNK, CHUNK, SIZE // CHUNK, CHUNK).swapaxes(1, 2)
        found = dbw.open_volume(tmp_path / f"{name}.zarr")[:]
        of_blocks = found.reshape(SIZE // CHUNK, CHUNK, SIZE // CHUNK, CHUNK).swapaxes(1, 2)
        for row, column in np.ndindex(blocks.shape[:2]):
            expected = ndimage.maximum_filter(blocks[row, column], 3)
            np.testing.assert_array_equal(of_blocks[row, column], expected)
