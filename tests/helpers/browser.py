"""A headless Chromium with a real pointer, driven through a pipe by the DevTools protocol."""

import base64
import contextlib
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

NAMES = ("chromium", "chromium-browser", "google-chrome")
PROGRAM = next(filter(None, map(shutil.which, NAMES)), "")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-pipe")

# With --remote-debugging-pipe the browser reads commands from descriptor 3 and writes to 4. Popen
# cannot choose descriptors, so this program moves the pipes there and becomes the browser.
LAUNCH = """
import fcntl, os, sys
for place, end in enumerate([fcntl.fcntl(int(e), fcntl.F_DUPFD, 20) for e in sys.argv[1:3]], 3):
    os.dup2(end, place)
os.execv(sys.argv[3], sys.argv[3:])
"""


class BrowserPage:
    """An open page of the browser."""

    def __init__(self, reader, writer):
        self._reader, self._writer = reader, writer
        self._ids = itertools.count(1)
        self._session = {}

    def open(self, url, *, size=(1400, 800)):
        target = self._send("Target.createTarget", url="about:blank")["targetId"]
        attached = self._send("Target.attachToTarget", targetId=target, flatten=True)
        self._session = {"sessionId": attached["sessionId"]}
        shape = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": False}
        self._send("Emulation.setDeviceMetricsOverride", **shape)
        self._send("Page.navigate", url=url)
        self.until("document.readyState === 'complete' && location.href !== 'about:blank'")
        return self

    def evaluate(self, expression):
        """Return the value of a JavaScript expression."""
        answer = self._send(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def until(self, expression, seconds=20):
        deadline = time.monotonic() + seconds
        while not self.evaluate(expression):
            assert time.monotonic() < deadline, f"not within {seconds} s: {expression}"
            time.sleep(0.05)

    def point(self, x, y, *, click=False):
        """Move the pointer; press and release its button if asked to click."""
        for kind in ("mouseMoved", *(["mousePressed", "mouseReleased"] if click else [])):
            button = {"button": "left", "clickCount": 1} if kind != "mouseMoved" else {}
            self._send("Input.dispatchMouseEvent", type=kind, x=x, y=y, **button)

    def press(self, key):
        for kind in ("keyDown", "keyUp"):
            self._send("Input.dispatchKeyEvent", type=kind, key=key)

    def drop(self, x, y, files):
        """Drag files from outside the browser to a place, and drop them there."""
        data = {"items": [], "files": [*map(str, files)], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            self._send("Input.dispatchDragEvent", type=kind, x=x, y=y, data=data)

    def screenshot(self, path):
        data = self._send("Page.captureScreenshot", format="png")["data"]
        path.write_bytes(base64.b64decode(data))

    def _send(self, method, **params):
        number = next(self._ids)
        message = {"id": number, "method": method, "params": params, **self._session}
        self._writer.write(json.dumps(message).encode() + b"\0")
        self._writer.flush()
        while True:
            answer = json.loads(self._read())
            if answer.get("id") == number:
                assert "error" not in answer, answer["error"]
                return answer["result"]

    def _read(self):
        """Read one message; a zero byte ends it."""
        text = bytearray()
        while (byte := self._reader.read(1)) != b"\0":
            assert byte, "the browser has closed the pipe"
            text += byte
        return text


@contextlib.contextmanager
def browser(*flags):
    """Open a browser with one page, started with further flags; close it at the end."""
    commands, answers = os.pipe(), os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        ends = commands[0], answers[1]
        program = [PROGRAM, *FLAGS, *flags, f"--user-data-dir={profile}"]
        process = subprocess.Popen(
            [sys.executable, "-c", LAUNCH, *map(str, ends), *program],
            pass_fds=ends,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(commands[0])
        os.close(answers[1])
        with open(answers[0], "rb") as reader, open(commands[1], "wb") as writer:  # noqa: PTH123
            try:
                yield BrowserPage(reader, writer)
            finally:
                process.terminate()
                process.wait(20)
