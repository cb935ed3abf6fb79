"""Several processes, one per device, as torchrun starts them; or just one."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel


def device() -> torch.device:
    """This process's GPU if there is one, else the CPU."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


@dataclass(frozen=True)
class Ranks:
    """The processes that share a run.

    Attributes:
        rank: number of this process; the first writes the files.
        size: how many there are.
        device: where this one computes.
    """

    rank: int = 0
    size: int = 1
    device: torch.device = field(default_factory=device)

    @property
    def first(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    def spread(self, module: nn.Module) -> nn.Module:
        """The module with its gradients averaged over all processes."""
        if self.size == 1:
            return module
        devices = [self.device] if self.device.type == "cuda" else None
        return DistributedDataParallel(module, device_ids=devices)

    def total(self, values: Tensor) -> Tensor:
        """Sum of a tensor over all processes."""
        if self.size > 1:
            distributed.all_reduce(values)
        return values

    def wait(self) -> None:
        """Wait until all processes have come here."""
        if self.size > 1:
            distributed.barrier()


@contextlib.contextmanager
def joined() -> Iterator[Ranks]:
    """Meet the other processes that torchrun started, and part from them at the end."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Ranks()
        return
    where = device()
    if where.type == "cuda":
        torch.cuda.set_device(where)
    distributed.init_process_group("nccl" if where.type == "cuda" else "gloo")
    try:
        yield Ranks(distributed.get_rank(), size, where)
    finally:
        distributed.destroy_process_group()
