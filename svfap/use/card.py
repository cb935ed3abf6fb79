"""The model card: what a shared model was made from, what it is for, and how good it is."""

from collections.abc import Iterator
from pathlib import Path

from svfap.datasets import DATASETS
from svfap.use.bundle import Bundle, Facts
from svfap.use.figures import evaluated

CARD = "card.md"
CAUTION = (
    "Scores tell how a face looks to people who labelled such videos, not what someone feels."
    " Not for decisions about people."
)
_TASKS = {"classification": "video-classification", "regression": "other"}
_INTENDED = """\
Research on how facial behaviour is perceived: scores of videos that show one face or several,
over time, and embeddings for other heads. The people shown should have agreed."""
_LIMITS = f"""\
- {CAUTION} In particular not for hiring, teaching, policing, insurance, health or law.
- Labels are those of the training data: acted, judged by others, or said of oneself.
- People, cameras, light, ages and cultures that the training data lack may be scored worse; how
  much worse has not been measured unless a table below says so.
- Faces must be cropped as they were for training (`{{preprocessing}}`); other crops ruin scores.
- The law restricts emotion recognition in places, such as the EU's at work and in education
  (Regulation 2024/1689, article 5)."""


def card(bundle: Bundle, *, name: str, dataset: str, exchange: dict[str, float]) -> str:
    """The card as Markdown with the hub's header.

    Args:
        bundle: the model and its figures.
        name: what the model is called.
        dataset: what it was fine-tuned on; empty if unknown.
        exchange: file -> largest difference from the model, for ONNX and the like.
    """
    facts = bundle.facts
    sections = {
        "Intended use": _INTENDED,
        "Limits": _LIMITS.format(preprocessing="preprocessor_config.json"),
        "Use": _use(name),
        "Data": "\n".join(_data(facts, dataset)),
        "Outputs": "\n".join(_outputs(facts)),
        "Preprocessing": "\n".join(_preprocessing(facts)),
        "Results": "\n".join(_results(bundle)),
        "Other formats": "\n".join(_formats(exchange)),
        "Made by": _made(facts),
    }
    lead = [_header(facts), f"# {name}", *([f"**{facts.notices}**"] if facts.notices else [])]
    parts = [f"## {title}\n\n{body}" for title, body in sections.items() if body]
    return "\n\n".join([*lead, _summary(facts, dataset), *parts]) + "\n"


def write_card(bundle: Bundle, path: Path) -> None:
    """Write the card of a model beside what it predicted, with its figures where they are known."""
    bundle = evaluated(bundle)
    text = card(bundle, name=bundle.name, dataset=bundle.dataset, exchange={})
    path.write_text(text, encoding="utf-8")


def _header(facts: Facts) -> str:
    tags = ["svfap", "video", "face", "affect", *(["synthetic"] if facts.notices else [])]
    lines = ["library_name: svfap", f"pipeline_tag: {_TASKS[facts.job.task]}", "license: other",
             "license_name: terms-of-the-training-data", f"tags: [{', '.join(tags)}]"]  # fmt: skip
    return "\n".join(["---", *lines, "---"])


def _summary(facts: Facts, dataset: str) -> str:
    what = "classifies" if facts.job.task == "classification" else "rates"
    of = f" of {dataset}" if dataset else ""
    return (
        "A TPSBT video encoder (SVFAP, arXiv 2401.00416)"
        f" that {what} the look of a face in short videos, fine-tuned on"
        f" {facts.clips or 'an unknown number of'} clips{of}."
    )


def _use(name: str) -> str:
    code = f"""\
import svfap

model = svfap.load("{name}")  # this folder, or its id on the hub
table = model.predict("video.mp4")  # a row per face and window
embeddings = model.features("video.mp4")  # (n, C), for a head of your own"""
    return f"```python\n{code}\n```\n\n`svfap predict video.mp4 --checkpoint {name} --output out`"


def _data(facts: Facts, dataset: str) -> Iterator[str]:
    yield from _terms("Fine-tuned on", dataset or "unknown data")
    for source in facts.origin.datasets:
        yield from _terms("Pre-trained on", source)
    if facts.job.finetune.init == "pretrained" and not facts.origin.datasets:
        yield "- Pre-trained on: not written down in the checkpoint."
    yield "- Weights may be shared only as far as the terms of all these data allow."


def _terms(role: str, name: str) -> Iterator[str]:
    """A dataset and its terms."""
    known = DATASETS.get(name)
    if known is None:
        yield f"- {role}: {name}. Its licence and consent must be stated by whoever shares this."
        return
    about = known.about
    facts = {
        "shows": about.people,
        "licence": about.licence,
        "page": about.homepage,
        "cite": about.citation,
    }
    told = "; ".join(f"{key}: {value}" for key, value in facts.items() if value)
    yield f"- {role}: {name} ({told})." + (f" {known.notice}" if known.notice else "")


def _outputs(facts: Facts) -> Iterator[str]:
    kind = "probability" if facts.job.task == "classification" else "value"
    yield f"A {kind} of each of: {', '.join(facts.job.targets)}."


def _preprocessing(facts: Facts) -> Iterator[str]:
    model = facts.job.model
    rate = f"{facts.fps:g} frames per second" if facts.fps else "the video's own frame rate"
    yield f"- crop preset `{facts.crop.get('preset', 'unknown')}`, {model.image_size} pixels"
    yield f"- windows of {model.num_frames} frames, every {facts.stride}. frame at {rate}"
    yield "- RGB, ImageNet mean and deviation"


def _results(bundle: Bundle) -> Iterator[str]:
    """A row per fold, a column per figure."""
    if not bundle.metrics:
        yield "This model was not evaluated, or its predictions were not at hand."
        return
    columns = list(dict.fromkeys(_column(row) for row in bundle.metrics))
    yield f"| dataset | test fold | clips | {' | '.join(columns)} |"
    yield "|" + " --- |" * (3 + len(columns))
    for dataset, fold in dict.fromkeys((row["dataset"], row["fold"]) for row in bundle.metrics):
        rows = [r for r in bundle.metrics if (r["dataset"], r["fold"]) == (dataset, fold)]
        values = {_column(row): f"{row['value']:.4f}" for row in rows}
        cells = [dataset, fold, str(rows[0]["clips"]), *(values.get(c, "") for c in columns)]
        yield f"| {' | '.join(cells)} |"
    yield ""
    yield "Folds are tested by a model each, of which this is one; pooled is one figure of all."


def _column(row: dict[str, str]) -> str:
    return f"{row['metric']} {row['target']}".strip()


def _formats(exchange: dict[str, float]) -> Iterator[str]:
    for file, difference in exchange.items():
        yield (
            f"- `{file}`: RGB frames (B, T, H, W, 3) uint8 in, `scores` and `embedding` out, any"
            f" batch size; differs from the weights here by at most {difference:.1e}"
        )


def _made(facts: Facts) -> str:
    commit = f", commit {facts.commit}" if facts.commit else ""
    return f"svfap {facts.version or 'of unknown version'}{commit}."
