"""ONNX files that say what they hold: labels and preprocessing; run them without the checkpoint."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from svfap.config.yaml_file import parse
from svfap.errors import SvfapError
from svfap.evaluation.scoring import ScoredClips
from svfap.training.objectives import IMAGENET_MEAN, IMAGENET_STD
from svfap.video.resize import resize

if TYPE_CHECKING:
    from svfap.use.bundle import ModelFacts

SUFFIX = ".onnx"
_FACTS = "svfap"


def describe(path: Path, facts: "ModelFacts") -> None:
    """Add labels and preprocessing to an ONNX file, as its metadata; values are texts or JSON.

    Each value has a key of its own for programs that know nothing of this package, and the key
    `svfap` has all of them for `read_facts`.
    """
    import onnx

    model = facts.job.model
    values: dict[str, Any] = {
        "task": facts.job.task,
        "labels": facts.job.targets,
        "layout": "video: batch, frame, row, column, RGB; uint8",
        "frames": model.num_frames,
        "stride": facts.stride,
        "fps": facts.fps,
        "size": model.image_size,
        "crop": facts.crop,
        "mean": IMAGENET_MEAN,
        "std": IMAGENET_STD,
        "normalisation": "inside: the model divides by 255, subtracts `mean` and divides by `std`",
        "scores": "probabilities" if facts.job.task == "classification" else "values",
        "notice": facts.notices,
        _FACTS: facts.model_dump(mode="json"),
    }
    proto = onnx.load(str(path))
    texts = {k: v if isinstance(v, str) else json.dumps(v) for k, v in values.items()}
    onnx.helper.set_model_props(proto, texts)
    onnx.save(proto, str(path))


def read_facts(path: Path) -> "ModelFacts":
    """Return the facts in the metadata of an ONNX file.

    Raises:
        SvfapError: the file is damaged, or `python -m svfap export` did not write it.
    """
    from svfap.use.bundle import ModelFacts

    found = _session(path).get_modelmeta().custom_metadata_map.get(_FACTS)
    if not found:
        raise SvfapError(
            f"{path}: does not say what it is; write it with `python -m svfap export --format onnx`"
        )
    return parse(ModelFacts, json.loads(found), where=str(path))


class OnnxScorer(nn.Module):
    """A model in an ONNX file as one function of frames, in place of `evaluation.scoring.Scorer`.

    It runs on the CPU, on as many threads as torch uses.

    Args:
        path: the file.
        size: side of the model's pictures in pixels.
    """

    def __init__(self, path: Path, size: int) -> None:
        super().__init__()
        self._session, self._size = _session(path), size

    def score(self, clips: Sequence[NDArray[np.uint8]]) -> ScoredClips:
        """Score clips (T, H, W, 3), RGB, of any size as one batch."""
        video = np.stack([resize(clip, self._size) for clip in clips])
        scores, embeddings = self._session.run(["scores", "embedding"], {"video": video})
        return ScoredClips(scores, embeddings)


def _session(path: Path) -> Any:  # noqa: ANN401
    """Open an ONNX file in onnxruntime.

    Raises:
        SvfapError: the file does not exist or is damaged.
    """
    import onnxruntime

    if not path.is_file():
        raise SvfapError(f"{path}: no such file")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    try:
        return onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has a class of its own for each kind of damage
        reason = str(error).splitlines()[0]
        raise SvfapError(f"{path}: cannot be read ({reason}); export the model again") from None
