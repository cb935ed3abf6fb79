"""What a job of the workflow takes, in units that a rate turns into seconds."""

from collections.abc import Mapping
from dataclasses import dataclass

THREADS = {"download": 4, "pretrain": 16, "finetune": 8}  # as workflow/rules ask for
TRAINED = ("pretrain", "finetune", "evaluate")


@dataclass(frozen=True)
class Job:
    """One job of the workflow.

    Attributes:
        stage: what it does.
        place: of its record below the results; of the data stages, stage and place in the data.
        uses: units of work by the name of their rate, all done by CPUs.
        loads: frames that are read, decoded and augmented for the model.
        clips: that the model is shown, over all epochs.
        multiply_adds: of the model, backward passes included.
        workers: loader processes of each training process; None for all spare CPUs.
        stored: bytes that stay on the disk.
        fetched: bytes that come over the network.
    """

    stage: str
    place: str
    uses: Mapping[str, float]
    loads: float = 0
    clips: float = 0
    multiply_adds: float = 0
    workers: int | None = 0
    stored: float = 0
    fetched: float = 0

    def loaders(self, cpus: int, gpus: int) -> int:
        """Loader processes on a machine with so many CPUs and GPUs."""
        if self.workers is not None:
            return self.workers
        return max(1, cpus // gpus - 1) if gpus else 0

    @property
    def threads(self) -> int:
        """CPUs that the workflow asks for."""
        return THREADS.get(self.stage, 1)

    @property
    def trains(self) -> bool:
        """Whether a model runs in it, on a GPU if there is one."""
        return self.stage in TRAINED
