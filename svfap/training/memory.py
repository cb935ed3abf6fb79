"""Reuse of memory in training: buffers shared with loader processes, and freed arrays.

A pre-training batch of 256 clips takes 315 MB. Usually, each batch gets newly allocated memory, and
the kernel maps its pages three times: in the loader process, in the training process and in the
page-locked copy for a GPU. Mapping takes longer than reading the clips from raw shards
(`benchmarks/README.md`). Besides, PyTorch shares tensors through /dev/shm, which is too small in
containers.
"""

import ctypes
import mmap
import os
import weakref
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from svfap.errors import SvfapError
from svfap.training.free_memory import free_memory

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # parameters of mallopt, from glibc's malloc.h


class Ring:
    """Buffers of one size in memory that forked processes share.

    Batches take the buffers in turn: batch n overwrites batch n - `buffers`.

    Args:
        buffers: number of buffers.
        size: size of each buffer in bytes.
        pinned: whether to page-lock the buffers, so that a GPU can copy without the CPU.

    Raises:
        SvfapError: the system refuses the memory.
    """

    def __init__(self, buffers: int, size: int, *, pinned: bool) -> None:
        self.buffers = buffers
        self.size = -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
        self.pinned = pinned
        try:
            # -1: anonymous, shared by fork
            self._memory = mmap.mmap(-1, self.buffers * self.size)
        except OSError as error:
            raise self._refused(error.strerror or str(error)) from None
        self._registered: set[int] = set()

    def array(self, number: int, shape: Sequence[int]) -> NDArray[np.uint8]:
        """Return the start of the buffer of a batch as an array of bytes."""
        start = number % self.buffers * self.size
        return np.ndarray(tuple(shape), np.uint8, self._memory, start)

    def tensor(self, number: int, shape: Sequence[int]) -> Tensor:
        """Return the start of the buffer of a batch as a tensor, page-locked if `pinned`."""
        buffer = number % self.buffers
        # Each buffer is page-locked on first use, so that start-up need not wait for all buffers.
        if self.pinned and buffer not in self._registered:
            self._pin(self.array(buffer, (self.size,)))
            self._registered.add(buffer)
        return torch.from_numpy(self.array(number, shape))

    def _pin(self, buffer: NDArray[np.uint8]) -> None:
        """Page-lock a buffer for as long as the ring lives."""
        # Tensor.pin_memory() would copy into other memory; cudaHostRegister locks this one.
        runtime, address = torch.cuda.cudart(), buffer.ctypes.data
        try:
            torch.cuda.check_error(runtime.cudaHostRegister(address, buffer.nbytes, 0))
        except RuntimeError as error:
            raise self._refused(f"cannot be page-locked, {error}") from None
        weakref.finalize(self, runtime.cudaHostUnregister, address)

    def _refused(self, reason: str) -> SvfapError:
        total = self.buffers * self.size / 1e9
        return SvfapError(
            f"the system refuses {total:.2f} GB for {self.buffers} batches ahead ({reason});"
            f" set machine.ring_gb below {total:.2f}, or lower optim.batch_size"
        )


def choose_buffers(size: int, least: int, most: int, budget: float) -> int:
    """Return the number of buffers for loaded batches, as many as useful and affordable.

    Args:
        size: size of a buffer in bytes.
        least: number of buffers without which nothing can be loaded ahead.
        most: number of buffers above which more are of no use.
        budget: GB of memory for them, the key `machine.ring_gb`.

    Raises:
        SvfapError: the budget or this machine's free memory is too small for `least` buffers.
    """
    # Several training processes on this machine share its memory.
    free = free_memory() / int(os.environ.get("LOCAL_WORLD_SIZE", "1")) / 1e9
    needed = (
        f"loaded batches take {least * size / 1e9:.2f} GB at least ({least} x {size / 1e6:.0f} MB)"
    )
    if least * size > budget * 1e9:
        raise SvfapError(
            f"{needed}, machine.ring_gb is {budget:g}; raise it, or lower optim.batch_size"
        )
    if least * size > free * 1e9:
        raise SvfapError(
            f"{needed}, only {free:.2f} GB of memory are free (machine.ring_gb: {budget:g});"
            " free some memory, or lower optim.batch_size"
        )
    return min(most, int(min(budget, free) * 1e9 // size))


def keep() -> None:
    """Make this process keep the memory of freed arrays for later arrays.

    glibc maps every array above 32 MB (its largest M_MMAP_THRESHOLD) separately, and unmaps it when
    the array is freed. Touching new pages takes longer than cutting the clips in them. With another
    C library, this function does nothing.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)  # take large arrays from the heap, too
        mallopt(M_TRIM_THRESHOLD, -1)  # never return the top of the heap to the kernel
