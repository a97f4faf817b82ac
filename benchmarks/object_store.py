"""How much of the bandwidth of a distant store is used: each answer comes after 30 ms.

    python benchmarks/object_store.py [voxels along each axis]

A server on this machine keeps chunks that don't compress. All of its answers together come at
200 MB/s at most. Two workers read them for a threshold, which is stored on this machine's disk.
The figure is what was sent a second over that bandwidth, from the first request to the last, how
a run begins included: some 0.2 s, in which nothing of the array is asked for.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import zarr
from distributed import Client

import dask_blockwise as dbw

LATENCY, BANDWIDTH, PIECE = 0.03, 200e6, 1 << 18
BLOCK, CHUNK = 128, 64


class Wire:
    """One line that all answers share."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._free = 0.0
        self.first = self.last = 0.0
        self.sent = 0

    def take(self, size: int) -> None:
        """Wait until so many bytes have gone through."""
        with self._turn:
            now = time.perf_counter()
            self.first = self.first or now
            self._free = max(self._free, now) + size / BANDWIDTH
            self.last, self.sent, wait = self._free, self.sent + size, self._free - now
        time.sleep(max(0.0, wait))


def handler(folder: Path, wire: Wire) -> type[BaseHTTPRequestHandler]:
    """What answers requests for files of a folder, whole or in part."""

    class Answer(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Else the system keeps what follows a header back for 40 ms.
        disable_nagle_algorithm = True

        def log_message(self, *told: object) -> None:
            """Say nothing."""

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def _answer(self, with_body: bool) -> None:
            time.sleep(LATENCY)
            path = folder / self.path.lstrip("/")
            if not path.is_file():
                self.send_response(404)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            size = path.stat().st_size
            begin, end = self._range(size)
            self.send_response(206 if "Range" in self.headers else 200)
            self.send_header("Content-Length", str(end - begin))
            self.send_header("Content-Range", f"bytes {begin}-{end - 1}/{size}")
            self.send_header("ETag", f'"{path.stat().st_mtime_ns}"')
            self.end_headers()
            with path.open("rb") as content:
                for at in range(begin, end if with_body else begin, PIECE):
                    count = min(PIECE, end - at)
                    wire.take(count)
                    self.connection.sendfile(content, at, count)

        def _range(self, size: int) -> tuple[int, int]:
            first, _, last = (
                self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")
            )
            if not first:
                return max(0, size - int(last)), size
            return int(first), min(size, int(last) + 1) if last else size

    return Answer


def serve(folder: Path, pipe: Connection) -> None:
    """Answer until told to end; then say how much was sent, and in how many seconds."""
    wire = Wire()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(folder, wire))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    pipe.send(server.server_port)
    while pipe.recv():
        pipe.send((wire.sent, wire.last - wire.first))
        wire.sent, wire.first = 0, 0.0


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, Connection]]:
    """A server in a process of its own, which takes none of the workers' time in Python."""
    ours, theirs = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=serve, args=(folder, theirs))
    process.start()
    yield f"http://127.0.0.1:{ours.recv()}", ours
    ours.send(False)
    process.join()


def main() -> None:
    """Measure, and print the part of the bandwidth."""
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 768
    values = np.random.default_rng(0).random((size,) * 3, np.float32)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        zarr.create_array(folder / "raw", data=values, chunks=(CHUNK,) * 3, compressors=None)
        del values
        with (
            served(folder) as (url, pipe),
            dbw.local_cluster(n_workers=2) as cluster,
            Client(cluster) as client,
        ):
            mask = dbw.threshold(dbw.open_volume(f"{url}/raw", stands_for=None), 0.5)
            for name in ("starts what workers need", "is measured"):
                where, how = folder / f"out.zarr/{name}", {"client": client, "progress": False}
                summary = mask.to_zarr(where, block_shape=(BLOCK,) * 3, **how)
                pipe.send(True)
                sent, seconds = pipe.recv()
    print(summary)
    part = sent / seconds / BANDWIDTH
    print(f"{sent / 1e6:.0f} MB in {seconds:.2f} s: {part:.2f} of {BANDWIDTH / 1e6:.0f} MB/s")


if __name__ == "__main__":
    main()
