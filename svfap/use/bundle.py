"""A bundle: the weights of a model with its sizes, labels, preprocessing and metrics.

It is read from a checkpoint of the stage `finetune` or `pretrain`, from a folder or an ONNX file
that `python -m svfap export` wrote, or from such a folder on the Hugging Face hub.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import Field
from torch import Tensor

from svfap.config import FinetuneConfig
from svfap.config.section import Section
from svfap.config.stage_sections import FinetuneJob, PretrainJob
from svfap.config.yaml_file import parse
from svfap.errors import SvfapError
from svfap.evaluation.scoring import Scorer
from svfap.experiment.layout import FINAL, FINETUNED
from svfap.models import VideoModel
from svfap.training.checkpoint import Checkpoint, Origin, build_model, foreign
from svfap.use.model_source import HUB_ID, NO_HEAD, check_source
from svfap.use.onnx_file import SUFFIX as ONNX_SUFFIX
from svfap.use.onnx_file import OnnxScorer, read_facts
from svfap.use.shared_files import CONFIG, METRICS, PREPROCESSING, WEIGHTS


class ModelFacts(Section):
    """Everything known about a model except its weights and metrics."""

    job: FinetuneJob = Field(description="sizes, task, targets and recipe; no targets: no head")
    crop: dict[str, Any] = Field(default_factory=dict, description="the training clips' crop keys")
    fps: float | None = Field(default=None, gt=0, description="median of the training clips")
    clips: int = Field(default=0, description="number of training clips")
    origin: Origin = Origin()
    version: str = ""
    commit: str = ""

    @property
    def notices(self) -> str:
        """Notices of the training data, to be shown with all results of the model.

        They say that they are about the training: the video that is scored may be of another kind.
        The sentence of public weights says so itself.
        """
        origin = "Pre-trained on: " if self.origin.datasets else ""
        notices = {"Trained on: ": self.job.notice, origin: self.origin.notice}
        return " ".join(words + notice for words, notice in notices.items() if notice)

    @property
    def final(self) -> bool:
        """Whether the model has learnt from all clips of its dataset, the test clips included."""
        return self.job.finetune.final

    @property
    def stride(self) -> int:
        """Number of frames from one sampled frame of a training clip to the next."""
        return self.job.finetune.stride or self.job.stride


@dataclass(frozen=True)
class Bundle:
    """A model with everything that predicting and sharing need.

    Attributes:
        name: the path or hub id that it was loaded from.
        facts: sizes, labels and preprocessing of the model.
        weights: state dict of `network()`.
        metrics: rows of dataset, fold, metric, target, value and clips; empty without an
            evaluation.
        onnx: the ONNX file that computes the scores; None: the weights do.
        figure: the sentence of `fold_metrics.own_figure`, once it has been computed.
    """

    name: str
    facts: ModelFacts
    weights: dict[str, Tensor]
    metrics: tuple[dict[str, Any], ...] = ()
    onnx: Path | None = None
    figure: list[str] = field(default_factory=list, init=False, repr=False, compare=False)

    @property
    def title(self) -> str:
        """Name for people elsewhere, without the folders of this machine."""
        path = Path(self.name)
        if names := FINETUNED.parse(path.absolute()):
            return f"{names['dataset']}-{names['fold']}"
        of_hub = HUB_ID.match(self.name) and not path.exists()
        return self.name if of_hub else path.resolve().name

    @property
    def dataset(self) -> str:
        """Dataset of fine-tuning according to the metrics; empty without metrics."""
        return next((str(row["dataset"]) for row in self.metrics), "")

    def network(self) -> VideoModel:
        """Build the model on the CPU, in evaluation mode.

        Raises:
            SvfapError: the weights do not fit the model's sizes, or the model is an ONNX file.
        """
        if self.onnx:
            raise SvfapError(f"{self.name}: an ONNX file only predicts; name the checkpoint")
        return build_model(self.facts.job, self.weights, where=self.name)

    def scorer(self) -> Scorer | OnnxScorer:
        """Return the model as one function of frames, in evaluation mode."""
        if self.onnx:
            return OnnxScorer(self.onnx, self.facts.job.model.image_size)
        return Scorer(self.network(), self.facts.job).eval()

    def require_head(self) -> None:
        """Raise if the model has no head to predict with.

        Raises:
            SvfapError: the model was only pre-trained.
        """
        if not self.facts.job.targets:
            raise SvfapError(f"{self.name}: {NO_HEAD}")


def load(source: str | Path) -> Bundle:
    """Load a bundle from a checkpoint, exported folder or ONNX file, or hub id as `name/model`.

    Of a folder of results, or of a dataset's models in it, the final model is loaded.

    Raises:
        SvfapError: the source does not exist, is damaged, or is not a model of this package.
    """
    check_source(source)
    path = Path(source)
    if path.is_dir():
        final = None if (path / CONFIG).exists() else _final_model(path)
        return read_checkpoint(final) if final else read_folder(path)
    if not path.exists():
        return read_folder(_from_hub(str(source)), name=str(source))
    if path.suffix == ONNX_SUFFIX:
        facts = parse(ModelFacts, read_facts(path), where=str(path))
        return Bundle(str(path), facts, {}, onnx=path)
    return read_checkpoint(path)


def read_checkpoint(path: Path) -> Bundle:
    """Read the bundle of a checkpoint that a stage wrote."""
    found = Checkpoint.read(path)
    if found.job is None:
        raise foreign(path)
    weights, job = dict(found.model), found.job
    if isinstance(job, PretrainJob):
        weights, job = _without_decoder(weights, job)
    facts = {key: getattr(found, key) for key in ModelFacts.model_fields if key != "job"}
    known = {key: value for key, value in facts.items() if value is not None}
    return Bundle(str(path), parse(ModelFacts, known | {"job": job}, where=str(path)), weights)


def read_folder(folder: Path, *, name: str = "") -> Bundle:
    """Read the bundle in a folder that `python -m svfap export` wrote."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    config, preprocessing = (_read_json(folder / file) for file in (CONFIG, PREPROCESSING))
    values = config.get("svfap", {}) | {key: preprocessing.get(key) for key in ("crop", "fps")}
    facts = parse(ModelFacts, values, where=str(folder / CONFIG))
    metrics = _read_json(folder / METRICS)["figures"] if (folder / METRICS).is_file() else ()
    try:
        weights = load_file(folder / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise SvfapError(
            f"{folder / WEIGHTS}: cannot be read ({error}); export the model again"
        ) from None
    return Bundle(name or str(folder), facts, weights, tuple(metrics))


def _final_model(folder: Path) -> Path | None:
    """Find the model of all clips in a folder of results; None if it holds no models.

    Raises:
        SvfapError: the folder has models of folds alone, or final models of several datasets.
    """
    place = Path(FINETUNED.pattern)  # ...finetune/DATASET/FOLD/checkpoint.pt
    below = (f"*/{place.name}", f"finetune/*/*/{place.name}")
    models = sorted(path for pattern in below for path in folder.glob(pattern))
    found = [path for path in models if FINETUNED.parse(path.absolute())]
    finals = [path for path in found if path.parent.name == FINAL]
    if len(finals) > 1:
        raise SvfapError(f"{folder}: models of several datasets; name one, such as {finals[0]}")
    if found and not finals:
        raise SvfapError(
            f"{folder}: models of folds, none of all clips; set finetune.final: true and run the"
            f" workflow again, or name the model of a fold, such as {found[0]}"
        )
    return finals[0] if finals else None


def _from_hub(source: str) -> Path:
    """Return the local folder of a model on the hub; download it unless the cache holds it."""
    from huggingface_hub import snapshot_download

    name, _, revision = source.partition("@")
    try:
        return Path(snapshot_download(name, revision=revision or None))
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise SvfapError(
            f"{source}: no such file or folder here, and the hub did not deliver it ({reason})"
        ) from None


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SvfapError(
            f"{path}: cannot be read ({' '.join(str(error).split())}); a shared model is a folder"
            " that `python -m svfap export` wrote"
        ) from None
    return content


def _without_decoder(
    weights: dict[str, Tensor], job: PretrainJob
) -> tuple[dict[str, Tensor], FinetuneJob]:
    """Return the weights that fine-tuning starts from, without a head, and the model's job."""
    bare = FinetuneJob(
        seed=job.seed,
        task="classification",
        targets=(),
        stride=job.pretrain.stride,
        notice=job.notice,
        model=job.model,
        finetune=FinetuneConfig(),
    )
    initial = VideoModel(job.model, 0).state_dict()  # includes the layers that pre-training lacks
    initial |= {k: v for k, v in weights.items() if k.startswith("encoder.")}
    return initial, bare
