"""The text of a configuration that `svfap new` writes: YAML with a reason beside each choice."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from svfap.commands.new_list import OwnList

Recipe = Literal["probe", "small", "paper"]
TITLES: Mapping[Recipe, str] = {
    "probe": "a head on a public model (probe)",
    "small": "a small model",
    "paper": "the paper's model, SVFAP-B",
}
CONFIGS = Path(__file__).parents[2] / "config"
UNEVEN, VERY_UNEVEN = 2, 10  # the most frequent class over the rarest
# config/small.yaml and config/config.yaml were tuned with so many clips. Other numbers of clips
# get about as many steps, within limits.
TUNED_CLIPS, TUNED_UNLABELLED = 336, 320
FEWEST_EPOCHS, MOST_EPOCHS = 30, 600

_PROBE = """\
pretrain:
  checkpoint: videomae-base            # `python -m svfap weights` lists other public models
  accept_licences: [CC-BY-NC-4.0]      # its licence: no commercial use

finetune:
  tune: probe         # a head on features of the frozen model; lora or full: with a GPU
  pool: attention     # the head learns where and when to look
"""
_PAPER = """\
pretrain:
  datasets: [{name}]   # masked autoencoding on the same videos; it sees no labels
  # The paper pre-trains on 1.1 million videos: add `VoxCeleb2: {{}}` above, and its name here.

machine:
  compile: true       # faster training; needs a C compiler
"""


def configuration(
    videos: OwnList, recipe: Recipe, reason: str, *, stride: int | None = None
) -> str:
    """Return a configuration for a list of videos.

    Args:
        videos: facts of the list.
        recipe: what to train.
        reason: why this recipe, in one sentence.
        stride: distance between sampled frames; None for the recipe's.
    """
    head = f"""\
# yaml-language-server: $schema=schema.json
# Written by `svfap new {videos.csv}`: {summary(videos)}.
# Recipe: {TITLES[recipe]}: {reason}.
# Change what you like: a misspelt key stops the run and names the nearest valid one.
# All keys: docs/configuration.md

data: data
results: results/{videos.name}   # tables, figures and models of this experiment alone
"""
    training = _training(videos, recipe)
    if stride:
        training = _with_stride(training, stride)
    return "\n".join([head, _datasets(videos), training])


def summary(videos: OwnList) -> str:
    """Return in words what a list holds."""
    people = f" of {videos.people} people" if videos.people else ""
    labels = ", ".join(f"{name} {count}" for name, count in videos.labels.items())
    about = {
        "classification": f"{len(videos.labels)} classes ({labels})",
        "regression": f"values to predict: {', '.join(videos.labels)}",
        "unlabelled": "no labels",
    }[videos.task]
    return f"{videos.videos:,} videos{people}, {about}"


def _datasets(videos: OwnList) -> str:
    """Return the section `datasets`."""
    lines = ["datasets:", f"  {videos.name}:", f"    csv: {_yaml(str(videos.csv))}"]
    if videos.columns:
        each = "   # each video counts as another person"
        alone = each if videos.columns.get("subject") == "path" else "   # as your list calls them"
        lines.append(f"    columns: {_yaml(videos.columns)}{alone}")
    if videos.task != "classification":
        lines.append(f"    task: {videos.task}")
    if videos.task == "regression":
        lines.append(f"    classes: {_yaml([*videos.labels])}   # columns to predict")
    if videos.folds:
        lines.append(
            f"    folds: {videos.folds}            # each tests people whom its model never saw"
        )
    if videos.task == "unlabelled":
        lines.append(
            "  CREMA-D: {}           # your videos have no labels; these do, and fetch themselves"
        )
    return "\n".join(lines) + "\n"


def _training(videos: OwnList, recipe: Recipe) -> str:
    """Return the sections below `datasets`."""
    if videos.task == "unlabelled":
        demo = _sections(CONFIGS / "config.yaml")
        pretrain = re.sub(r"datasets: \[.*?\]", f"datasets: [{videos.name}]", demo["pretrain"])
        demo["pretrain"] = re.sub(r"^  held_out:.*\n", "", pretrain, flags=re.MULTILINE)
        kept = ("crop", "model", "pretrain", "finetune", "machine")
        demo["pretrain"] = _with_epochs(demo["pretrain"], TUNED_UNLABELLED, videos.videos)
        return "\n".join(demo[name] for name in kept)
    if recipe == "small":
        small = _sections(CONFIGS / "small.yaml")
        trained = round(videos.videos * (1 - 1 / max(2, videos.folds)))
        small["finetune"] = _with_epochs(small["finetune"], TUNED_CLIPS, trained)
        small["finetune"] = _with_labels(small["finetune"], videos)
        kept = ("crop", "model", "finetune", "baseline", "machine")
        return "\n".join(small[name] for name in kept)
    if recipe == "probe":
        return _with_labels(_PROBE, videos)
    return _with_labels(_PAPER.format(name=videos.name) + "\nfinetune:\n", videos)


def _with_labels(finetune: str, videos: OwnList) -> str:
    """Add the keys that the labels decide to the end of a section `finetune`."""
    lines = ["  final: true         # one more model, of all clips: for new videos"]
    counts = videos.labels.values()
    ratio = max(counts) / max(1, min(counts)) if videos.task == "classification" else 1
    if ratio >= UNEVEN:
        way = "loss" if ratio >= VERY_UNEVEN else "sampler"
        about = "reweights" if way == "loss" else "oversamples"
        times = f"the most frequent has {ratio:.0f} times more"
        lines.append(f"  balance: {way:<10} # {about} rare classes: {times}")
    return finetune.rstrip("\n") + "\n" + "\n".join(lines) + "\n"


def _with_epochs(section: str, tuned: int, clips: int) -> str:
    """Scale the epochs of a section, so that any number of clips gets about as many steps."""

    def scaled(found: re.Match[str]) -> str:
        epochs = round(int(found[2]) * tuned / max(1, clips), -1)
        return f"{found[1]}{min(MOST_EPOCHS, max(FEWEST_EPOCHS, int(epochs)))}"

    # The comment of the recipe tells other numbers of clips.
    return re.sub(r"(\bepochs: )(\d+)( *#.*)?", scaled, section, count=1)


def _with_stride(training: str, stride: int) -> str:
    """Set the distance between sampled frames, in pre-training and fine-tuning."""
    line = f"  stride: {stride:<10}  # the clips are too short for more\n"
    without = re.sub(r"^  stride:.*\n", "", training, flags=re.MULTILINE)
    return re.sub(r"^(pretrain|finetune):\n", rf"\g<0>{line}", without, flags=re.MULTILINE)


def _sections(path: Path) -> dict[str, str]:
    """Return the top-level sections of a YAML file as text, without the comments between them."""
    blocks = re.split(r"^(?=\w+:)", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return {
        block.partition(":")[0]: re.sub(r"^(#.*)?\n", "", block, flags=re.MULTILINE)
        for block in blocks
    }


def _yaml(value: object) -> str:
    """Return a value as YAML; JSON is YAML, and keeps texts such as `no` and `1` texts."""
    return json.dumps(value, ensure_ascii=False)
