"""Let the C library keep freed memory, so that the frames of the next video reuse it.

By default, glibc returns large freed blocks to the system at once. Then every kept frame is written
to new pages, which the system must first clear: that took a third of the time of decoding.
"""

import ctypes

# Numbers of glibc's parameters, from its malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEPT = 512 * 2**20  # bytes of freed memory to keep, more than `Replay` keeps in frames
_LARGEST = 32 * 2**20  # bytes of a block that is kept; glibc takes no more


def reuse_freed_memory() -> None:
    """Keep freed memory in this process; without effect where the C library is not glibc."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_TRIM_THRESHOLD, _KEPT)
        mallopt(_MMAP_THRESHOLD, _LARGEST)
