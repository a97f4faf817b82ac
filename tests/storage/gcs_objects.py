"""Objects as Google's XML interface keeps them, with the conditions of its puts."""

import threading
from email.utils import formatdate
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Objects(ThreadingHTTPServer):
    """A server on a free port of this machine."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.kept, self.lock, self.generation = {}, threading.Lock(), 0
        self.url = f"http://127.0.0.1:{self.server_port}"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_PUT(self):
        content = self.rfile.read(int(self.headers["content-length"]))
        wanted = self.headers.get("x-goog-if-generation-match")
        with self.server.lock:
            there = self.server.kept.get(self.path, (0,))[0]
            if wanted is not None and int(wanted) != there:
                return self.answer(412, None)
            self.server.generation += 1
            kept = self.server.generation, content, formatdate(usegmt=True)
            self.server.kept[self.path] = kept
        return self.answer(200, kept, b"")

    def do_GET(self):
        kept = self.server.kept.get(self.path)
        self.answer(200 if kept else 404, kept)

    do_HEAD = do_GET  # noqa: N815

    def do_DELETE(self):
        self.answer(204 if self.server.kept.pop(self.path, None) else 404, None)

    def answer(self, status, kept, body=None):
        self.send_response(status)
        content = b""
        if kept is not None:
            generation, content, modified = kept
            self.send_header("ETag", f'"{md5(content).hexdigest()}"')
            self.send_header("x-goog-generation", str(generation))
            self.send_header("Last-Modified", modified)
        content = content if body is None else body
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_):
        pass
