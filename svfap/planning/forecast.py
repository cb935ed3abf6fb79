"""A planned experiment: its jobs, the machine, the rates, and what each stage takes."""

from dataclasses import dataclass

from svfap.planning.estimate import StagePlan
from svfap.planning.machines import Machine
from svfap.planning.rates import Rates
from svfap.planning.workload import Workload


@dataclass(frozen=True)
class Forecast:
    """A planned experiment.

    Attributes:
        work: its jobs.
        machine: what they run on.
        rates: how fast they go.
        share: of the GPUs' peak that is reached.
        stages: what each stage takes.
        measured: stage -> (CPU seconds measured, planned for the same jobs).
    """

    work: Workload
    machine: Machine
    rates: Rates
    share: float
    stages: list[StagePlan]
    measured: dict[str, tuple[float, float]]
