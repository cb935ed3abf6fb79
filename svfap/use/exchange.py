"""A model for other programs: ONNX and `torch.export`, both checked against the model itself.

Both take RGB frames (B, T, H, W, 3) uint8 of any batch size as `video` and give `scores` and
`embedding`; normalisation and softmax are inside.
"""

import contextlib
import importlib.util
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from svfap.errors import SvfapError
from svfap.evaluation.scoring import Scorer
from svfap.use.bundle import Bundle

ONNX, PROGRAM = "model.onnx", "model.pt2"
TOLERANCE = 1e-3
_BATCHES = (1, 2, 5)
_NEEDED = ("onnx", "onnxruntime", "onnxscript")

Run = Callable[[Tensor], Sequence[NDArray[np.float32]]]


def scorer(bundle: Bundle) -> Scorer:
    """The model of a bundle as one function of frames."""
    return Scorer(bundle.network(), bundle.facts.job).eval()


def to_onnx(bundle: Bundle, path: Path) -> float:
    """Write an ONNX file and run it in onnxruntime.

    Returns:
        The largest difference of a score or a feature from the model's own.

    Raises:
        SvfapError: the packages are missing, or the file does not do what the model does.
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise SvfapError(f"ONNX needs {', '.join(missing)}: install svfap with the extra `onnx`")
    model = scorer(bundle)
    with _quiet():
        torch.onnx.export(
            model, (_frames(bundle, 2),), str(path), dynamo=True, external_data=False,
            input_names=["video"], output_names=["scores", "embedding"],
            dynamic_shapes=_dynamic(), verbose=False,
        )  # fmt: skip
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return _difference(bundle, model, path, lambda x: session.run(None, {"video": x.numpy()}))


def to_program(bundle: Bundle, path: Path) -> float:
    """Write what `torch.export.load` reads, and run it.

    Returns:
        The largest difference of a score or a feature from the model's own.

    Raises:
        SvfapError: the file does not do what the model does.
    """
    model = scorer(bundle)
    with _quiet():
        program = torch.export.export(model, (_frames(bundle, 2),), dynamic_shapes=_dynamic())
        torch.export.save(program, path)
        loaded = torch.export.load(path).module()
    return _difference(bundle, model, path, lambda x: [y.detach().numpy() for y in loaded(x)])


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporters tell of their own inner workings."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)


def _dynamic() -> dict[str, dict[int, object]]:
    return {"video": {0: torch.export.Dim("batch", min=1)}}


def _frames(bundle: Bundle, batch: int) -> Tensor:
    """Random frames, the same every time."""
    model = bundle.facts.job.model
    shape = (batch, model.num_frames, model.image_size, model.image_size, 3)
    generator = torch.Generator().manual_seed(batch)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


@torch.inference_mode()
def _difference(bundle: Bundle, model: Scorer, path: Path, run: Run) -> float:
    """The largest difference over several batch sizes."""
    worst = 0.0
    for batch in _BATCHES:
        frames = _frames(bundle, batch)
        for own, other in zip(model(frames), run(frames), strict=True):
            worst = max(worst, float(np.abs(own.numpy() - other).max()))
    if not worst < TOLERANCE:
        path.unlink()
        raise SvfapError(f"{path}: differs from the model by {worst:.2g}; not written")
    return worst
