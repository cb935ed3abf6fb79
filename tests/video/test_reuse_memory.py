"""Freed memory is used again."""

import subprocess
import sys

_CODE = """
import resource
from svfap.video.reuse_memory import reuse_freed_memory

def new_pages():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    blocks = [bytearray(300_000) for _ in range(100)]
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

{call}
new_pages()
print(new_pages())
"""


def pages(call: str) -> int:
    """Return how many new pages a process writes to when it fills 30 MB for the second time."""
    command = [sys.executable, "-c", _CODE.format(call=call)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def test_memory_is_filled_again_without_new_pages() -> None:
    assert pages("reuse_freed_memory()") < 500 < pages("")
