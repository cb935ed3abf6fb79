"""CPU time of what a calibration does."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from svfap.tracking.stage_run import cpu_seconds


def timed(work: Callable[[], object]) -> float:
    """CPU seconds that some work takes."""
    began = cpu_seconds()
    work()
    return cpu_seconds() - began


def silent(metrics: Mapping[str, float], step: int = 0) -> None:
    """Take metrics and keep none."""


@dataclass
class Steps:
    """Takes the metrics of a training, a row per step, and notes when they come.

    Attributes:
        ends: CPU seconds at each step's end.
        waited: share of each step that passed in loading.
    """

    ends: list[float] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)

    def __call__(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Note a step."""
        self.ends.append(cpu_seconds())
        self.waited.append(metrics["data_share"])

    def split(self, clips: float) -> tuple[float, float]:
        """CPU seconds to load a clip and to learn from it, the first step left out.

        Args:
            clips: of a step.
        """
        lasted = [end - begin for begin, end in pairwise(self.ends)]
        loading = sum(
            seconds * share for seconds, share in zip(lasted, self.waited[1:], strict=True)
        )
        shown = clips * len(lasted)
        return loading / shown, (sum(lasted) - loading) / shown

    @property
    def lasted(self) -> float:
        """CPU seconds from the first step's end to the last's."""
        return self.ends[-1] - self.ends[0]
