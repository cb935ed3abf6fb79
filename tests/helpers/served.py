"""A real process of `svfap serve`."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import requests

OPENED = re.compile(r"open (http://\S+) ")


class Served:
    """A running server.

    Attributes:
        process: the process.
        url: the printed address, with the token if there is one.
        temporary: its temporary folder.
    """

    def __init__(self, process, temporary):
        self.process, self.temporary, self.lines = process, temporary, []
        self.url = ""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        for line in self.process.stderr:
            self.lines.append(line)

    def wait_until_open(self, seconds=90):
        line = self.process.stdout.readline()
        found = OPENED.search(line)
        assert found, (line, self.lines)
        self.url = found[1]
        return self

    @property
    def root(self):
        return self.url.partition("?")[0].rstrip("/")

    def post(self, path="/predict", *, body=None, video=None, timeout=90, **options):
        """Send a video as a form, or any body."""
        files = None if video is None else {"video": (Path(video).name, Path(video).read_bytes())}
        return requests.post(
            self.root + path, data=body, files=files, params=options, timeout=timeout
        )

    def get(self, path, **more):
        return requests.get(self.root + path, timeout=20, **more)

    def workers(self):
        """Processes that score."""
        return psutil.Process(self.process.pid).children()

    def busy(self, seconds=20):
        """Wait for a worker that reads a video, and return it."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for worker in self.workers():
                if any("upload" in file.path for file in worker.open_files()):
                    return worker
        raise AssertionError("no worker reads a video")

    def memory(self):
        """Bytes that the server and its workers hold, without pages that they share."""
        every = [psutil.Process(self.process.pid), *self.workers()]
        return sum(each.memory_full_info().uss for each in every)

    def left(self):
        """Files of requests in the temporary folder."""
        return [*self.temporary.glob("svfap-serve-*/*")]

    def until_nothing_is_left(self, seconds=20):
        deadline = time.monotonic() + seconds
        while self.left():
            assert time.monotonic() < deadline, self.left()
            time.sleep(0.05)

    def interrupt(self, number=signal.SIGINT, seconds=15):
        """End it as Ctrl-C does; return how long that took."""
        began = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(seconds)
        self._thread.join(5)
        return time.monotonic() - began


@contextlib.contextmanager
def served(model, temporary, *options, environment=None):
    """Run a server with its own temporary folder; end it afterwards."""
    temporary.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "svfap", "serve", str(model), "--port", "0", *options],
        env={**(environment or os.environ), "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield Served(process, temporary).wait_until_open()
        finally:
            if process.poll() is None:
                process.terminate()
            process.wait(20)
