"""Large arrays of a step get the memory of the step before."""

import ctypes

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of mallopt(3)


def keep() -> None:
    """Let this process keep the memory that large arrays were in, instead of returning it.

    glibc maps arrays of more than 32 MB anew each time; touching their pages takes longer than
    cutting the clips in them. Elsewhere than on glibc nothing changes.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, -1)
