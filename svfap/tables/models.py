"""The models behind the figures: which checkpoints made them, and whether they are the right ones.

Predictions of another configuration are never shown as this run's: they are refused.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from svfap.config.made_by import MadeBy, digest, file_hash
from svfap.config.stage_sections import ExpectedModel, TabulateConfig
from svfap.errors import SvfapError
from svfap.evaluation.predictions import read_made_by, read_names
from svfap.experiment.layout import MAIN
from svfap.tables.render import Table

DIGITS = 12  # hexadecimal digits that tables show of a hash
UNKNOWN = "unknown"
COLUMNS = ("run", "dataset", "fold", "model", "pretrained", "pretrain_datasets", "predictions")


class ScoredModel(NamedTuple):
    """Predictions of a fold and what made them.

    Attributes:
        run: the run; empty for the main run.
        dataset: the dataset.
        fold: the fold.
        predictions: SHA-256 of the file.
        made_by: the model; None if an earlier version wrote the file.
    """

    run: str
    dataset: str
    fold: str
    predictions: str
    made_by: MadeBy | None


def read_models(paths: Mapping[str, Sequence[Path]]) -> list[ScoredModel]:
    """Return the models that made the predictions of each run."""
    return [
        ScoredModel(run, *read_names(path), file_hash(path), read_made_by(path))
        for run, files in paths.items()
        for path in files
    ]


def refuse_stale(models: Sequence[ScoredModel], expected: Mapping[str, ExpectedModel]) -> None:
    """Refuse predictions that another configuration than the present one made.

    Args:
        models: what made the predictions; models of earlier versions are not known, and pass.
        expected: run -> its models as the configuration has them; runs without one pass.

    Raises:
        SvfapError: settings or pre-training differ; the message says how to make new predictions.
    """
    hashes: dict[Path, str] = {}
    for model in models:
        wanted, found = expected.get(model.run), model.made_by
        if wanted is None or found is None:
            continue
        difference = ""
        if wanted.recipes.get(model.dataset, found.recipe) != found.recipe:
            difference = "other settings of fine-tuning"
        elif found.pretrained:
            path = wanted.checkpoint
            if path is not None and path.is_file() and path not in hashes:
                hashes[path] = file_hash(path)
            if wanted.pretraining and found.pretrain_recipe not in ("", wanted.pretraining):
                difference = "other settings of pre-training"
            elif path in hashes and hashes[path] != found.pretrained:
                difference = f"another checkpoint than {path}"
        if difference:
            run = f"variant {model.run}, " if model.run else ""
            raise SvfapError(
                f"{run}{model.dataset} fold {model.fold}: its predictions come from {difference};"
                " train again: snakemake --forcerun finetune, without --touch and"
                " --rerun-triggers"
            )


def with_notices(config: TabulateConfig, models: Sequence[ScoredModel]) -> TabulateConfig:
    """Return the configuration with a notice on datasets whose test videos pre-training saw."""
    changed = dict(config.datasets)
    for name, facts in config.datasets.items():
        seen = {
            model.run or "the main run"
            for model in models
            if model.dataset == name
            and model.made_by
            and {*model.made_by.pretrain_datasets} & {name, *facts.same_videos}
        }
        if seen:
            notice = (
                f"Pre-training of {', '.join(sorted(seen))} has seen the videos of the test people"
                f" of {name}, without labels."
            )
            changed[name] = facts.model_copy(update={"notice": f"{facts.notice} {notice}".strip()})
    return config.model_copy(update={"datasets": changed})


def source_note(models: Sequence[ScoredModel]) -> str:
    """Return a sentence that names the checkpoints behind the main run's figures."""
    made = [model.made_by for model in models if model.run == MAIN and model.made_by]
    note = f"Made from predictions {digest(model.predictions for model in models)[:DIGITS]}"
    if made:
        note += f" of {len(made)} models {digest(m.model for m in made)[:DIGITS]}"
    pretrained = sorted({m.pretrained[:DIGITS] for m in made if m.pretrained})
    if pretrained:
        note += f", fine-tuned from checkpoint {', '.join(pretrained)}"
    unknown = sum(model.made_by is None for model in models)
    return note + "." + (f" {unknown} models are unknown: evaluate again." if unknown else "")


def model_rows(models: Sequence[ScoredModel]) -> list[dict[str, str]]:
    """Return a row of `models.csv` for each model, with whole hashes."""
    rows = []
    for model in models:
        made = model.made_by or MadeBy(model=UNKNOWN)
        cells = (
            *(model.run or "main", model.dataset, model.fold, made.model, made.pretrained),
            *(" ".join(made.pretrain_datasets), model.predictions),
        )
        rows.append(dict(zip(COLUMNS, cells, strict=True)))
    return rows


def model_table(models: Sequence[ScoredModel]) -> Table:
    """Return a row for each model, with the first digits of its hashes."""
    rows = tuple(
        tuple(
            text[:DIGITS] if column in ("model", "pretrained", "predictions") else text
            for column, text in row.items()
        )
        for row in model_rows(models)
    )
    headers = ("Run", "Dataset", "Fold", "Model", "Pre-trained", "on", "Predictions")
    note = f"The first {DIGITS} digits of each file's SHA-256; models.csv has all of them."
    return Table("Models", headers, rows, "l" * len(headers), (note,))
