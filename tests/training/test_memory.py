"""The ring of buffers shared by forked processes, and freed arrays that are used again."""

import mmap
import os
import sys

import numpy as np
import pytest
import torch

from svfap.training import memory
from svfap.training.memory import Ring


def test_batches_take_buffers_in_turn():
    ring = Ring(3, 100, pinned=False)
    arrays = [ring.array(number, (2, 50)) for number in range(6)]
    for number, array in enumerate(arrays[:3]):
        array[:] = number
    assert [int(array[0, 0]) for array in arrays] == [0, 1, 2, 0, 1, 2]
    assert all((array == array[0, 0]).all() for array in arrays)
    assert arrays[1].ctypes.data % mmap.PAGESIZE == 0


def test_a_forked_process_writes_into_the_ring():
    ring = Ring(2, 10_000, pinned=False)
    child = os.fork()
    if not child:
        ring.array(1, (100, 100))[:] = 7
        os._exit(0)
    os.waitpid(child, 0)
    tensor = ring.tensor(1, (100, 100))
    assert tensor.dtype == torch.uint8
    assert (tensor == 7).all()
    assert not ring.tensor(0, (100, 100)).any()


def test_an_array_outlives_its_ring():
    array = Ring(1, 10, pinned=False).array(0, (10,))
    array[:] = 3
    assert array.sum() == 30


@pytest.mark.skipif(sys.platform != "linux", reason="mallopt is glibc's")
def test_freed_arrays_are_used_again():
    """Run in a child process, since the setting cannot be undone."""
    child = os.fork()
    if not child:
        memory.keep()
        addresses = {np.empty(200 * 2**20, np.uint8).ctypes.data for _ in range(5)}
        os._exit(len(addresses))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
