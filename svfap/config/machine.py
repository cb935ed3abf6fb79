"""What describes the machine, not the experiment: none of these keys is a parameter of a job.

A changed key therefore reruns nothing, and a stopped training resumes with other values. The keys
fit into the configuration, or into a profile of Snakemake as `config: {machine: {...}}`.
"""

from typing import Literal

from pydantic import Field

from svfap.config.section import Section

Trained = Literal["pretrain", "finetune"]


class TrainingMachine(Section):
    """How a training uses its machine; results depend on none of these keys (up to rounding)."""

    workers: int | None = Field(
        default=None,
        ge=0,
        description="loader processes per device; null: with a GPU all cores but one",
    )
    device_batch: int | None = Field(
        default=None,
        ge=1,
        description="clips per forward pass on one device;"
        " null: all of the step's clips on this device",
    )
    ring_gb: float = Field(
        default=4,
        gt=0,
        description="most GB of memory, page-locked with a GPU, for loaded batches; 256 clips of"
        " 160 x 160 pixels take 1.3, or 0.9 with one step ahead",
    )
    threads: int | None = Field(
        default=None,
        ge=1,
        description="cores that a job reserves (a download too); null: as many as help large ones",
    )
    compile: bool = Field(default=False, description="torch.compile the model")
    save_minutes: float = Field(default=10, gt=0, description="minutes between two saved states")


DEFAULT_MACHINE = TrainingMachine()


class ScoringMachine(Section):
    """How the stage `evaluate` uses its machine."""

    batch_size: int = Field(default=16, ge=1, description="views per forward pass")


DEFAULT_SCORING = ScoringMachine()


class MachineConfig(TrainingMachine):
    """Keys of every training, and of single stages, which win."""

    pretrain: TrainingMachine = Field(
        default=TrainingMachine(), description="keys that differ in pre-training"
    )
    finetune: TrainingMachine = Field(
        default=TrainingMachine(), description="keys that differ in fine-tuning"
    )
    evaluate: ScoringMachine = ScoringMachine()
    image: str | None = Field(
        default=None,
        min_length=1,
        description="image that jobs run in with `--sdm apptainer`: a file or an address",
    )

    def training(self, stage: Trained) -> TrainingMachine:
        """Return the keys of a training stage."""
        common = self.model_dump(include={*TrainingMachine.model_fields}, exclude_unset=True)
        own = self.pretrain if stage == "pretrain" else self.finetune
        return TrainingMachine.model_validate(common | own.model_dump(exclude_unset=True))

    def threads_by_stage(self) -> dict[str, int]:
        """Return stage -> cores of its jobs, for the stages for which they are set."""
        stages: tuple[Trained, ...] = ("pretrain", "finetune")
        found = {"download": self.threads} | {s: self.training(s).threads for s in stages}
        return {stage: cores for stage, cores in found.items() if cores}

    def flags(self) -> dict[str, str]:
        """Return stage -> its argument of `--machine`, as JSON."""
        sections: dict[str, Section] = {
            "pretrain": self.training("pretrain"),
            "finetune": self.training("finetune"),
            "evaluate": self.evaluate,
        }
        # `threads` is for the scheduler, which tells a job its number of cores.
        return {
            stage: section.model_dump_json(exclude_defaults=True, exclude={"threads"})
            for stage, section in sections.items()
        }
