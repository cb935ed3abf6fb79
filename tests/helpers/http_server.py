"""A local HTTP server; a test scripts its responses to misbehave as real servers do."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    """Call the server's script with each request and its number."""

    server: "Server"

    def do_GET(self) -> None:
        self.server.ranges.append(self.headers.get("Range"))
        self.server.script(self, len(self.server.ranges))

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:
        pass

    def answer(
        self, status: int, body: bytes = b"", *, length: int | None = None, **headers: str
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self.wfile.write(body)

    def serve_range(
        self,
        body: bytes,
        *,
        etag: str = '"one"',
        limit: int | None = None,
        name: str = "ETag",
        kind: str = "application/octet-stream",
    ) -> None:
        """Respond correctly to If-Range and Range; break off after `limit` bytes."""
        asked = self.headers.get("Range")
        headers = {name: etag, "Content-Type": kind}
        if asked and self.headers.get("If-Range", etag) == etag:
            begin, _, end = asked.removeprefix("bytes=").partition("-")
            first, last = int(begin), min(int(end or len(body)), len(body) - 1)
            if first >= len(body):
                return self.answer(416, Content_Range=f"bytes */{len(body)}")
            rest = body[first : last + 1]
            place = f"bytes {first}-{last}/{len(body)}"
            return self.answer(206, rest[:limit], length=len(rest), Content_Range=place, **headers)
        return self.answer(200, body[:limit], length=len(body), **headers)


class Server(ThreadingHTTPServer):
    """A server whose responses a test scripts."""

    ranges: list[str | None]
    script: Callable[[Handler, int], None]
    url: str


def serve_files(files: dict[str, bytes]) -> Callable[[Handler, int], None]:
    """Return a script that serves files by their paths."""

    def script(handler: Handler, _: int) -> None:
        path = handler.path.lstrip("/")
        if path not in files:
            return handler.answer(404)
        kind = "text/html" if path.endswith(".html") else "application/octet-stream"
        return handler.serve_range(files[path], etag=f'"{path}"', kind=kind)

    return script


@contextlib.contextmanager
def running() -> Iterator[Server]:
    """Run a server in a thread."""
    with Server(("127.0.0.1", 0), Handler) as server:
        server.ranges = []
        server.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()
