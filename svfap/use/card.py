"""The model card: training data, intended use, limits and metrics of a model."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from svfap.datasets import DATASETS

if TYPE_CHECKING:
    from svfap.use.bundle import Bundle, ModelFacts

CARD = "card.md"
CAUTION = (
    "Scores tell how a face looks to people who labelled such videos, not what someone feels."
    " Not for decisions about people."
)
_INTENDED = """\
Research on how facial behaviour is perceived: scores over time of videos with one or more faces,
and embeddings for other heads. The people in the videos should have given consent."""
_INSTALL = """\
Install the package `svfap` first: `pip install .` in a checkout of SVFAP-pipeline, or `pip install`
and the file of a wheel."""
_LIMITS = f"""\
- {CAUTION} In particular not for hiring, teaching, policing, insurance, health or law.
- The labels come from the training data: expressions were acted, judged by others or self-reported.
- Scores may be worse for people, cameras, light, ages and cultures that the training data lack; how
  much worse has not been measured unless a table below says so.
- Faces must be cropped as for training (`preprocessor_config.json`); other crops ruin the scores.
- Some laws restrict emotion recognition, such as the EU's at work and in education
  (Regulation 2024/1689, article 5)."""


def model_card(
    bundle: "Bundle",
    *,
    name: str,
    dataset: str,
    exported: dict[str, float],
    license_link: str = "",
) -> str:
    """Return the card as Markdown with the header that the Hugging Face hub reads.

    Args:
        bundle: the model and its metrics.
        name: name of the model.
        dataset: dataset of fine-tuning; empty if unknown.
        exported: name of each ONNX or other file -> its largest difference from the model.
        license_link: file beside the card that has the text of `terms`; empty if there is none.
    """
    # Not above: the command line shows this module's CAUTION before it imports the hub's package.
    from svfap.use.card_header import header

    facts = bundle.facts
    sections = {
        "Intended use": _INTENDED,
        "Limits": _LIMITS,
        "Use": _use(name),
        "Data": terms(facts, dataset),
        "Outputs": "\n".join(_outputs(facts)),
        "Preprocessing": "\n".join(_preprocessing(facts)),
        "Results": "\n".join(_results(bundle)),
        "Other formats": "\n".join(_formats(exported)),
        "Made by": _made_by(facts),
    }
    top = header(bundle, name=name, license_link=license_link)
    lead = [top, f"# {name}", *([f"**{facts.notices}**"] if facts.notices else [])]
    parts = [f"## {title}\n\n{body}" for title, body in sections.items() if body]
    return "\n\n".join([*lead, _summary(facts, dataset), *parts]) + "\n"


def write_card(bundle: "Bundle", path: Path) -> None:
    """Write the card of a model beside its predictions, with its metrics if they are known."""
    # Not above: the command line shows this module's CAUTION before it imports torch.
    from svfap.use.fold_metrics import with_metrics

    bundle = with_metrics(bundle)
    text = model_card(bundle, name=bundle.title, dataset=bundle.dataset, exported={})
    path.write_text(text, encoding="utf-8")


def _summary(facts: "ModelFacts", dataset: str) -> str:
    verb = "classifies" if facts.job.task == "classification" else "rates"
    source = f" of {dataset}" if dataset else ""
    return (
        "A TPSBT video encoder (SVFAP, arXiv 2401.00416)"
        f" that {verb} the look of a face in short videos, fine-tuned on"
        f" {facts.clips or 'an unknown number of'} clips{source}."
    )


def _use(name: str) -> str:
    code = f"""\
import svfap

model = svfap.load("{name}")  # the path of the model, or its id on the hub
table = model.predict("video.mp4")  # a row per face and window
embeddings = model.features("video.mp4")  # (n, C), for a head of your own"""
    command = f"svfap predict video.mp4 --checkpoint {name} --output out"
    return f"{_INSTALL}\n\n```python\n{code}\n```\n\n`{command}`"


def terms(facts: "ModelFacts", dataset: str) -> str:
    """Return the licences of all data that the model has learnt from, as a list in Markdown."""
    return "\n".join(_data(facts, dataset))


def _data(facts: "ModelFacts", dataset: str) -> Iterator[str]:
    yield from _terms("Fine-tuned on", dataset or "unknown data")
    for source in facts.origin.datasets:
        yield from _terms("Pre-trained on", source)
    if facts.job.finetune.init == "pretrained" and not facts.origin.datasets:
        yield "- Pre-trained on: unknown; the checkpoint does not say."
    yield "- Weights may be shared only as far as the terms of all these data allow."


def _terms(role: str, name: str) -> Iterator[str]:
    """Yield a line with a dataset's people, licence, page and citation."""
    known = DATASETS.get(name)
    if known is None:
        yield f"- {role}: {name}. Whoever shares this model must state its licence and consent."
        return
    about = known.about
    facts = {
        "shows": about.people,
        "licence": about.licence,
        "page": about.homepage,
        "cite": about.citation,
    }
    terms = "; ".join(f"{key}: {value}" for key, value in facts.items() if value)
    yield f"- {role}: {name} ({terms})." + (f" {known.notice}" if known.notice else "")


def _outputs(facts: "ModelFacts") -> Iterator[str]:
    kind = "probability" if facts.job.task == "classification" else "value"
    yield f"One {kind} for each of: {', '.join(facts.job.targets)}."


def _preprocessing(facts: "ModelFacts") -> Iterator[str]:
    model = facts.job.model
    rate = f"{facts.fps:g} frames per second" if facts.fps else "the video's own frame rate"
    yield f"- crop preset `{facts.crop.get('preset', 'unknown')}`, {model.image_size} pixels"
    yield f"- windows of {model.num_frames} frames, {each(facts.stride)} frame, at {rate}"
    yield "- RGB, normalised with ImageNet's mean and standard deviation"


def each(stride: int) -> str:
    """Return which frames a stride takes, for example "every 3rd"."""
    if stride == 1:
        return "every"
    teen = stride % 100 in (11, 12, 13)
    return f"every {stride}{'th' if teen else {1: 'st', 2: 'nd', 3: 'rd'}.get(stride % 10, 'th')}"


def _results(bundle: "Bundle") -> Iterator[str]:
    """Yield a table with a row per fold and a column per metric."""
    if not bundle.metrics:
        yield "This model was not evaluated, or its predictions were not found."
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
    this = (
        "this model has learnt from all of their clips, so none of the figures is its own: they say"
        " what models of the same recipe do on clips that they have not seen"
        if bundle.facts.final
        else "this is one of these models"
    )
    yield (
        f"Each fold is the test set of its own model; {this}. The row pooled holds the metrics of"
        " all folds' predictions together."
    )


def _column(row: dict[str, str]) -> str:
    return f"{row['metric']} {row['target']}".strip()


def _formats(exported: dict[str, float]) -> Iterator[str]:
    for file, difference in exported.items():
        yield (
            f"- `{file}`: takes RGB frames (B, T, H, W, 3) uint8 of any batch size, returns"
            f" `scores` and `embedding`; they differ from the model's by at most {difference:.1e}"
        )


def _made_by(facts: "ModelFacts") -> str:
    commit = f", commit {facts.commit}" if facts.commit else ""
    return f"svfap {facts.version or 'of unknown version'}{commit}."
