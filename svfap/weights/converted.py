"""Converted weights: a file of tensors under this package's names, with the facts of its origin."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from svfap.config import ModelConfig
from svfap.errors import SvfapError
from svfap.models.convert_vit import from_public, sizes_of
from svfap.replacing import replacing
from svfap.weights.place import SUFFIX

_FACTS = "svfap"  # key of the facts in the header, and of the configuration of an exported folder
_OURS = "encoder.patch_embed.weight"
_NESTED = ("model", "module", "state_dict")  # keys under which training scripts store the weights


@dataclass(frozen=True)
class Converted:
    """The encoder of a public model.

    Attributes:
        encoder: state dict of an `Encoder`.
        sizes: keys of the `model` section that the weights need.
        notice: where the weights come from, and their licence; a fine-tuned model keeps it.
        where: the file.
    """

    encoder: Mapping[str, Tensor]
    sizes: Mapping[str, Any] = field(default_factory=dict)
    notice: str = ""
    where: str = ""

    def check_sizes(self, model: ModelConfig) -> None:
        """Compare the sizes with a configuration's.

        Raises:
            SvfapError: some differ; the message lists what to write.
        """
        own = json.loads(model.model_dump_json())
        wrong = {key: value for key, value in self.sizes.items() if own[key] != value}
        if wrong:
            found = ", ".join(f"{key} {own[key]}" for key in wrong)
            raise SvfapError(
                f"{self.where}: does not fit the section `model` ({found}); write model:"
                f" {json.dumps(wrong)}"
            )

    def write(self, path: Path) -> None:
        """Write the file whole or not at all.

        Raises:
            OSError: the file cannot be written; nothing is left of it.
        """
        from safetensors.torch import save

        facts = {"model": dict(self.sizes), "notice": self.notice}
        tensors = {f"encoder.{k}": v.contiguous().clone() for k, v in self.encoder.items()}
        content = save(tensors, metadata={"format": "pt", _FACTS: json.dumps(facts)})
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path, fsync=True) as partial:
            partial.write_bytes(content)


def read(path: Path, *, config: Path | None = None, notice: str = "") -> Converted:
    """Read weights of this package or of a family that it knows.

    Args:
        path: a converted file, the `model.safetensors` of an exported folder, or a public file.
        config: `config.json` of an exported model; None: the one beside the file.
        notice: where the weights come from; empty: what the file says.

    Raises:
        SvfapError: the file cannot be read, is damaged, or is no model that fits.
    """
    state, facts = _read_state(path)
    if _OURS not in state:
        weights, sizes = from_public(state, where=path), sizes_of(state, where=path)
    else:
        weights, sizes = state, facts.get("model") or _exported_sizes(config, path)
    prefix = "encoder."
    encoder = {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}
    return Converted(encoder, sizes, notice or facts.get("notice", ""), str(path))


def is_own(path: Path) -> bool:
    """Tell whether a file has this package's names, as an exported model has."""
    return _OURS in _read_state(path)[0]


def _exported_sizes(config: Path | None, path: Path) -> dict[str, Any]:
    """Return the sizes in the configuration of an exported folder."""
    config = config or path.with_name("config.json")
    try:
        sizes = json.loads(config.read_text(encoding="utf-8"))[_FACTS]["job"]["model"]
    except (OSError, ValueError, LookupError, TypeError):
        raise SvfapError(
            f"{config}: does not say the sizes of {path.name}; export the model again"
        ) from None
    # The decoder is not exported, and the size of the input may differ.
    return {k: v for k, v in sizes.items() if not k.startswith("decoder_")}


def _read_state(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors of a file by name, and the facts in its header."""
    try:
        return _read_safetensors(path) if path.suffix == SUFFIX else (_read_torch(path), {})
    except OSError as error:
        raise SvfapError(f"{path}: cannot be read ({error.strerror or error})") from None
    except Exception as error:  # whatever a damaged file makes the readers say
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise SvfapError(f"{path}: no whole file of weights ({reason}); fetch it again") from None


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        header = file.metadata() or {}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    return tensors, json.loads(header.get(_FACTS, "{}"))


def _read_torch(path: Path) -> dict[str, Tensor]:
    """Read a file of PyTorch without running its code; objects of training scripts are refused."""
    import argparse

    with torch.serialization.safe_globals([argparse.Namespace]):
        content = torch.load(path, map_location="cpu", weights_only=True)
    nested = next((content[key] for key in _NESTED if isinstance(content.get(key), dict)), content)
    return {name: value for name, value in nested.items() if isinstance(value, Tensor)}
