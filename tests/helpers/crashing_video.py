"""A video that kills any process that reads it."""

import os
import signal
from pathlib import Path


class CrashingPath(type(Path())):
    """The path of a file on which a decoder crashes, simulated by a segmentation fault."""

    def stat(self, **_):
        os.kill(os.getpid(), signal.SIGSEGV)
