"""The processes of a run: one per device, started by torchrun, or a single one."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel


def device() -> torch.device:
    """Return this process's GPU, or the CPU if there is none."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


@dataclass(frozen=True)
class Ranks:
    """This process and the number of processes that share the run.

    Attributes:
        rank: number of this process, from 0.
        size: number of processes.
        device: the device that this process computes on.
    """

    rank: int = 0
    size: int = 1
    device: torch.device = field(default_factory=device)

    @property
    def first(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    def data_parallel(self, module: nn.Module) -> nn.Module:
        """Wrap a module so that backward passes average gradients over all processes."""
        if self.size == 1:
            return module
        # On a CPU, DistributedDataParallel accepts no device_ids.
        devices = [self.device] if self.device.type == "cuda" else None
        return DistributedDataParallel(module, device_ids=devices)

    def sum(self, values: Tensor) -> Tensor:
        """Sum a tensor over all processes in place, and return it."""
        if self.size > 1:
            distributed.all_reduce(values)
        return values

    def wait(self) -> None:
        """Wait until all processes have called this."""
        if self.size > 1:
            distributed.barrier()


@contextlib.contextmanager
def joined() -> Iterator[Ranks]:
    """Join torchrun's process group, yield this process's ranks, and leave the group at the end."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Ranks()
        return
    where = device()
    # NCCL puts its tensors on the current device. By default it is GPU 0 in every process.
    if where.type == "cuda":
        torch.cuda.set_device(where)
    distributed.init_process_group("nccl" if where.type == "cuda" else "gloo")
    try:
        yield Ranks(distributed.get_rank(), size, where)
    finally:
        distributed.destroy_process_group()
