"""Checkpoints: written whole or not at all, read without running code from them."""

import functools
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from svfap import __version__
from svfap.config.stage_sections import FinetuneJob
from svfap.config.yaml_file import parse
from svfap.errors import SvfapError
from svfap.models.encoder import VideoModel
from svfap.replacing import replacing
from svfap.tracking.stage_run import git_commit
from svfap.training.distributed import device


@functools.cache
def provenance() -> dict[str, str]:
    """The code that a checkpoint was written by."""
    return {"version": __version__, "commit": git_commit()}


def save(path: Path, content: Mapping[str, Any]) -> None:
    """Write a checkpoint atomically: temporary file, fsync, rename.

    Raises:
        OSError: it cannot be written; what was there before stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with replacing(path, fsync=True) as partial, partial.open("wb") as file:
            torch.save(dict(content), file)
    except RuntimeError as error:
        if isinstance(error.__context__, OSError):  # torch's writer stumbles over its own end
            raise error.__context__ from None
        raise


def load(path: Path, *, allowed: Sequence[type] = ()) -> dict[str, Any]:
    """Read a checkpoint onto the CPU.

    Args:
        path: the file.
        allowed: plain classes that it may hold beside tensors and plain values.

    Raises:
        SvfapError: it is missing, cut short, or holds more than tensors and plain values.
    """
    try:
        with torch.serialization.safe_globals(list(allowed)):
            content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise SvfapError(f"{path}: cannot be read ({error.strerror})") from None
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, KeyError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SvfapError(
            f"{path}: not a whole checkpoint ({reason}); delete it and run again"
        ) from None
    return content


def load_weights(module: nn.Module, weights: Mapping[str, Tensor], *, where: object) -> None:
    """Load weights strictly.

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
            f"{where}: does not fit the model ({_widths(own, weights)}{'; '.join(problems[:3])}"
            f"{more}); use the `model` section that it was trained with"
        )
    module.load_state_dict(dict(weights))


def _widths(own: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> str:
    """The commonest mistakes in words: another width, another number of classes."""
    for ending, what in (("patch_embed.bias", "wide"), ("head.bias", "outputs in the head")):
        for key in own:
            pair = [len(w[key]) for w in (weights, own) if key in w]
            if key.endswith(ending) and len({*pair}) > 1:
                return f"{pair[0]} {what}, the model {pair[1]}: "
    return ""


def load_model(path: Path) -> tuple[VideoModel, FinetuneJob]:
    """A fine-tuned model, ready to predict, and the job that made it.

    Raises:
        SvfapError: the checkpoint is damaged or not of a fine-tuned model.
    """
    content = load(path)
    job = parse(FinetuneJob, content.get("config"), where=str(path))
    settings = job.finetune
    model = VideoModel(
        job.model, len(job.targets), activation=settings.activation, fusion=settings.fusion
    )
    load_weights(model, content["model"], where=path)
    return model.to(device()).eval(), job
