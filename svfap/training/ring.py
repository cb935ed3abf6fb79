"""Memory that loader processes fill and a device is fed from, used again and again.

A batch of 256 clips has 315 MB. Handed over in fresh memory, as is usual, its pages are mapped anew
in the loader, in the trainer, and in the copy that is pinned for a GPU; that takes longer than
reading the clips from raw shards (`benchmarks/README.md`).
"""

import mmap
import weakref
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Ring:
    """So many buffers of one size, in memory that forked processes share.

    Batches take them in turn: what lies in one is there until that many more batches were asked
    for.

    Args:
        buffers: how many.
        size: bytes of each.
        pinned: whether a GPU copies from them by itself.
    """

    def __init__(self, buffers: int, size: int, *, pinned: bool) -> None:
        self.buffers = buffers
        self.size = -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
        self.pinned = pinned
        self._memory = mmap.mmap(-1, self.buffers * self.size)
        self._registered: set[int] = set()

    def array(self, number: int, shape: Sequence[int]) -> NDArray[np.uint8]:
        """The beginning of the buffer of a batch, as bytes of some shape."""
        start = number % self.buffers * self.size
        return np.ndarray(tuple(shape), np.uint8, self._memory, start)

    def tensor(self, number: int, shape: Sequence[int]) -> Tensor:
        """The same as a tensor, pinned where that was asked for."""
        buffer = number % self.buffers
        if self.pinned and buffer not in self._registered:
            self._pin(self.array(buffer, (self.size,)))
            self._registered.add(buffer)
        return torch.from_numpy(self.array(number, shape))

    def _pin(self, buffer: NDArray[np.uint8]) -> None:
        """Let the GPU copy from a buffer, for as long as the ring lives."""
        runtime, address = torch.cuda.cudart(), buffer.ctypes.data
        torch.cuda.check_error(runtime.cudaHostRegister(address, buffer.nbytes, 0))
        weakref.finalize(self, runtime.cudaHostUnregister, address)
