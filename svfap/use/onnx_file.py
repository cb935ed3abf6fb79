"""ONNX files that say what they hold: labels and preprocessing; run them without the checkpoint."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from svfap.errors import SvfapError
from svfap.evaluation.scoring import ScoredClips
from svfap.video.resize import resize

SUFFIX = ".onnx"
FACTS = "svfap"  # key of the metadata that holds everything known about the model


def describe(path: Path, values: Mapping[str, Any]) -> None:
    """Add values to the metadata of an ONNX file, as texts or JSON."""
    import onnx

    proto = onnx.load(str(path))
    texts = {k: v if isinstance(v, str) else json.dumps(v) for k, v in values.items()}
    onnx.helper.set_model_props(proto, texts)
    # torch 2.6 lists shapes of weights, which differ from the weights that int8 transposes.
    del proto.graph.value_info[:]
    onnx.save(proto, str(path))


def read_facts(path: Path) -> dict[str, Any]:
    """Return the facts about a model in the metadata of an ONNX file.

    Raises:
        SvfapError: the file is damaged, or `python -m svfap export` did not write it.
    """
    found = _session(path).get_modelmeta().custom_metadata_map.get(FACTS)
    if not found:
        raise SvfapError(
            f"{path}: does not say what it is; write it with `python -m svfap export --format onnx`"
        )
    facts: dict[str, Any] = json.loads(found)
    return facts


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
