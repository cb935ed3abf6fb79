"""Messages between the server and a worker: a line of JSON, and perhaps bytes after it."""

import json
from typing import Any, BinaryIO

BYTES = "bytes"  # the key that says how many bytes follow the line


def encode(message: dict[str, Any], body: bytes = b"") -> bytes:
    """Return a message as it is sent."""
    return json.dumps(message | ({BYTES: len(body)} if body else {})).encode() + b"\n" + body


def read(file: BinaryIO) -> tuple[dict[str, Any], bytes] | None:
    """Read a message; None if the other side has ended."""
    line = file.readline()
    if not line:
        return None
    message: dict[str, Any] = json.loads(line)
    return message, file.read(message.get(BYTES, 0))
