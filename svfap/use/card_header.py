"""The header of a model card, which the Hugging Face hub reads: tags, licence and results."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

    from svfap.use.bundle import Bundle

_TASKS = {"classification": "video-classification", "regression": "other"}
# Metric -> type and configuration as the hub's metrics have them; it has no CCC and no 1 - MAE.
_HUB_METRICS = {
    "UAR": ("recall", "macro"),
    "WAR": ("accuracy", None),
    "WF1": ("f1", "weighted"),
    "MF1": ("f1", "macro"),
    "MicroF1": ("f1", "micro"),
    "PCC": ("pearsonr", None),
    "CCC": ("concordance_correlation", None),
    "ACC": ("one_minus_mae", None),
}
_POOLED = "pooled"


def header(bundle: "Bundle", *, name: str, license_link: str) -> str:
    """Return the header in YAML, between lines of dashes.

    Args:
        bundle: the model and its metrics.
        name: name of the model.
        license_link: file with the terms, beside the card; empty if there is none.
    """
    from huggingface_hub import ModelCardData  # takes a while, and most cards need no hub

    facts = bundle.facts
    data = ModelCardData(
        library_name="svfap",
        pipeline_tag=_TASKS[facts.job.task],
        license="other",
        license_name="terms-of-the-training-data",
        license_link=license_link or None,
        tags=["svfap", "video", "face", "affect", *(["synthetic"] if facts.notices else [])],
        model_name=name,
        eval_results=[*_results(bundle)] or None,
    )
    return f"---\n{data.to_yaml()}\n---"


def _results(bundle: "Bundle") -> Iterator["EvalResult"]:
    """Yield the metrics of each dataset, of all folds pooled if there are several."""
    from huggingface_hub import EvalResult

    pooled = {row["dataset"] for row in bundle.metrics if row["fold"] == _POOLED}
    for row in bundle.metrics:
        if row["dataset"] in pooled and row["fold"] != _POOLED:
            continue
        kind, config = _HUB_METRICS.get(row["metric"], (str(row["metric"]).lower(), None))
        yield EvalResult(
            task_type=_TASKS[bundle.facts.job.task],
            task_name=_meaning(bundle, row),
            dataset_type=str(row["dataset"]).lower(),
            dataset_name=str(row["dataset"]),
            dataset_config=str(row["fold"]),
            dataset_split="test",
            metric_type=kind,
            metric_name=f"{row['metric']} {row['target']}".strip(),
            metric_config=config,
            metric_value=row["value"],
        )


def _meaning(bundle: "Bundle", row: dict[str, Any]) -> str:
    """Return which models a result belongs to: one fold's, or the models of all folds."""
    if bundle.facts.final or row["fold"] == _POOLED:
        return "Facial affect in videos, cross-validation of models of this recipe"
    return "Facial affect in videos"
