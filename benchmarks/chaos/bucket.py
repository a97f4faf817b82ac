"""A bucket of an S3 server on this machine, behind a proxy that refuses now and then."""

from __future__ import annotations

import http.client
import logging
import random
import threading
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["Bucket", "unsteady_bucket"]

_PASSED_ON_NOT = {"connection", "transfer-encoding", "content-length", "date", "server"}
# Of all requests.
_REFUSED, _BROKEN_OFF = 0.02, 0.005


class Bucket(ThreadingHTTPServer):
    """The proxy, with what it did; it is steady until told."""

    daemon_threads = True

    def __init__(self, host: str, port: int, generator: random.Random) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind, self.generator = (host, port), generator
        self.unsteady = False
        self.made: Counter[str] = Counter()

    @property
    def url(self) -> str:
        """Where it is asked."""
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A process that is killed hangs up on it."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Bucket

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        luck = self.server.generator.random() if self.server.unsteady else 1.0
        if luck < _REFUSED:
            self.server.made["503"] += 1
            self._send(503, {}, b"<Error><Code>SlowDown</Code></Error>")
            return
        connection = http.client.HTTPConnection(*self.server.behind, timeout=60)
        connection.request(self.command, self.path, body or None, dict(self.headers.items()))
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        if luck < _REFUSED + _BROKEN_OFF:
            # It was done, and nobody is told.
            self.server.made["answer lost"] += 1
            self.close_connection = True
            return
        headers = {k: v for k, v in answer.getheaders() if k.lower() not in _PASSED_ON_NOT}
        length = answer.getheader("content-length") if self.command == "HEAD" else None
        self._send(answer.status, headers, content, length)

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = answer  # noqa: N815

    def _send(
        self, status: int, headers: dict[str, str], content: bytes, length: str | None = None
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", length or str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Nothing; there are thousands."""


@contextmanager
def unsteady_bucket(generator: random.Random) -> Iterator[tuple[Bucket, dict[str, str]]]:
    """The proxy, and the variables by which processes find it."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    proxy = Bucket(host, port, generator)
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    put = urllib.request.Request(f"{proxy.url}/bucket", method="PUT")
    urllib.request.urlopen(put).close()
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    try:
        yield proxy, {"AWS_ENDPOINT_URL": proxy.url, **keys}
    finally:
        proxy.unsteady = False
        with suppress(OSError):
            proxy.shutdown()
        server.stop()
