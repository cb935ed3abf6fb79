"""Checkpoints: a trained model, the settings that it was trained with, and facts about its clips.

All code writes and reads checkpoints through `Checkpoint`, so only this module lists their keys.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from svfap.config import TrainingMachine
from svfap.config.made_by import MadeBy, file_hash, recipe
from svfap.config.section import Section
from svfap.config.stage_sections import FinetuneJob, PretrainJob
from svfap.config.yaml_file import parse
from svfap.errors import SvfapError
from svfap.models.video_model import VideoModel
from svfap.training import tensor_file
from svfap.training.distributed import device
from svfap.training.target_scale import TargetScale


class Origin(Section):
    """Facts about the pre-training of a fine-tuned model; they are empty without pre-training.

    Attributes:
        datasets: names of its datasets.
        notice: their notices.
        clips: number of its clips.
        checkpoint: SHA-256 of its checkpoint.
        recipe: hash of its settings, see `svfap.config.made_by`.
    """

    datasets: tuple[str, ...] = ()
    notice: str = ""
    clips: int = 0
    checkpoint: str = ""
    recipe: str = ""


@dataclass(frozen=True)
class Checkpoint:
    """A trained model and what is known about it.

    A fact that is None is unknown: converted and older files lack some facts.

    Attributes:
        model: state dict of an `Autoencoder` or a `VideoModel`, on the CPU.
        job: all settings of the training run; None if the file has weights alone.
        clips: number of training clips.
        crop: settings that the training clips were cropped with.
        fps: median of the training clips' frames per second.
        origin: the pre-training that fine-tuning started from.
        scale: the scale of the training clips' targets; the model's head has absorbed it.
        version: version of the code that wrote the file; `write` always records its own.
        commit: Git commit of the code that wrote the file.
    """

    model: Mapping[str, Tensor]
    job: PretrainJob | FinetuneJob | None
    clips: int | None = None
    crop: Mapping[str, Any] | None = None
    fps: float | None = None
    origin: Origin | None = None
    scale: TargetScale | None = None
    version: str = ""
    commit: str = ""

    def write(self, path: Path) -> None:
        """Write the file atomically, without unknown facts.

        Raises:
            OSError: the file cannot be written; the previous file is unchanged.
        """
        facts = {
            "model": dict(self.model),
            "config": None if self.job is None else self.job.model_dump(mode="json"),
            "clips": self.clips,
            "crop": self.crop,
            "fps": self.fps,
            # Leave out unset fields: without pre-training, files have always held an empty dict.
            "origin": None
            if self.origin is None
            else self.origin.model_dump(mode="json", exclude_unset=True),
            "scale": self.scale.model_dump(mode="json") if self.scale else None,
        }
        known = {key: value for key, value in facts.items() if value is not None}
        tensor_file.write(path, tensor_file.provenance() | known)

    @classmethod
    def read(cls, path: Path) -> "Checkpoint":
        """Read a checkpoint that this or an earlier version wrote.

        Raises:
            SvfapError: the file is missing, incomplete, or not a checkpoint of this package.
        """
        try:
            content = tensor_file.read(path)
        except tensor_file.ForeignFileError:
            raise foreign(path) from None
        if not isinstance(content, dict) or not isinstance(content.get("model"), dict):
            raise foreign(path)
        origin, scale = content.get("origin"), content.get("scale")
        return cls(
            model=content["model"],
            job=_job(content["config"], path) if "config" in content else None,
            clips=content.get("clips"),
            crop=content.get("crop"),
            fps=content.get("fps"),
            origin=None if origin is None else parse(Origin, origin, where=str(path)),
            scale=None if scale is None else parse(TargetScale, scale, where=str(path)),
            version=content.get("version", ""),
            commit=content.get("commit", ""),
        )


def foreign(path: Path) -> SvfapError:
    """Return the error for a file of weights that this package did not write."""
    return SvfapError(
        f"{path}: weights without this package's configuration; convert the authors' checkpoints"
        " with `python -m svfap convert`, other public models with `python -m svfap weights`"
    )


def build_model(job: FinetuneJob, weights: Mapping[str, Tensor], *, where: object) -> VideoModel:
    """Build the model of a fine-tuning job on the CPU, ready to predict.

    Args:
        job: settings of the model; without targets the model has no head.
        weights: state dict of the model.
        where: origin of the weights, for error messages.

    Raises:
        SvfapError: the weights do not fit the settings.
    """
    settings = job.finetune
    with torch.device("cpu"):  # whatever default device and type the caller has set
        model = VideoModel(
            job.model,
            len(job.targets),
            activation=settings.activation,
            fusion=settings.fusion,
            pool=settings.pool,
        ).float()
    load_weights(model, weights, where=where)
    return model.eval()


def made_by(path: Path) -> MadeBy:
    """Return the record that predictions of a fine-tuned model carry."""
    found = Checkpoint.read(path)
    origin = found.origin or Origin()
    return MadeBy(
        model=file_hash(path),
        recipe=recipe(found.job) if found.job else "",
        pretrained=origin.checkpoint,
        pretrain_recipe=origin.recipe,
        pretrain_datasets=origin.datasets,
    )


def load_model(path: Path) -> tuple[VideoModel, FinetuneJob]:
    """Load a fine-tuned model onto this process's device, ready to predict, with its settings.

    Raises:
        SvfapError: the checkpoint is damaged, or its model is not fine-tuned.
    """
    found = Checkpoint.read(path)
    if found.job is None:
        raise foreign(path)
    if isinstance(found.job, PretrainJob):
        raise SvfapError(f"{path}: pre-trained only, without a head; fine-tune it first")
    return build_model(found.job, found.model, where=path).to(device()), found.job


def load_weights(module: nn.Module, weights: Mapping[str, Tensor], *, where: object) -> None:
    """Load a state dict whose keys and shapes must all match.

    Raises:
        SvfapError: keys are missing or unknown, or shapes differ; the message names them.
    """
    own = module.state_dict()
    problems = [f"{key} is missing" for key in own if key not in weights]
    problems += [f"{key} is unknown" for key in weights if key not in own]
    problems += [
        f"{key} is {tuple(weights[key].shape)}, the model's is {tuple(own[key].shape)}"
        for key in own
        if key in weights and weights[key].shape != own[key].shape
    ]
    if problems:
        more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise SvfapError(
            f"{where}: does not fit the model ({_size_difference(own, weights)}"
            f"{'; '.join(problems[:3])}{more}); use the `model` section that it was trained with"
        )
    module.load_state_dict(dict(weights))


def _size_difference(own: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> str:
    """Describe the two most common mistakes: another width, or another number of classes."""
    for ending, what in (("patch_embed.bias", "wide"), ("head.bias", "outputs in the head")):
        for key in own:
            pair = [len(w[key]) for w in (weights, own) if key in w]
            if key.endswith(ending) and len({*pair}) > 1:
                return f"{pair[0]} {what}, the model {pair[1]}: "
    return ""


def _job(values: Mapping[str, Any], path: Path) -> PretrainJob | FinetuneJob:
    """Check the settings of a run; only those for pre-training have a section `pretrain`."""
    stage = "pretrain" if isinstance(values, dict) and "pretrain" in values else "finetune"
    job: type[PretrainJob | FinetuneJob] = PretrainJob if stage == "pretrain" else FinetuneJob
    return parse(job, _without_machine(values, stage), where=str(path))


def _without_machine(values: Mapping[str, Any], stage: str) -> Mapping[str, Any]:
    """Return the settings without the keys of the machine, which version 0.1.0 also recorded."""
    try:
        section = values[stage]
        optim = {k: v for k, v in section["optim"].items() if k not in TrainingMachine.model_fields}
        return {**values, stage: {**section, "optim": optim}}
    except (LookupError, TypeError, AttributeError):
        return values  # damaged; the check explains it
