"""Write a model as ONNX or `torch.export` file, and compare the file with the model.

All files take RGB frames (B, T, H, W, 3) uint8 of any batch size as `video` and return `scores`
and `embedding`. They normalise the frames and apply the softmax themselves.
"""

import contextlib
import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from svfap.errors import SvfapError, require
from svfap.evaluation.scoring import Scorer
from svfap.training.objectives import IMAGENET_MEAN, IMAGENET_STD
from svfap.use.bundle import Bundle, ModelFacts
from svfap.use.onnx_file import FACTS, describe

TOLERANCE = 1e-3  # generous for float32: the tests' toy model differs by less than 1e-5
_MOST_CLIPS = 2**31 - 1  # of a batch; torch 2.6 refuses one without a bound
INT8_TOLERANCE = 0.5  # random frames are harder than faces; this refuses a broken file only
_BATCH_SIZES = (1, 2, 5)  # batch sizes at which files are compared with the model

RunExported = Callable[[Tensor], Sequence[NDArray[np.float32]]]


def to_onnx(bundle: Bundle, path: Path) -> float:
    """Write an ONNX file and compare it, in onnxruntime, with the model.

    Returns:
        The largest difference in scores and embeddings.

    Raises:
        SvfapError: packages are missing, or the file's results differ from the model's.
    """
    require("ONNX", "onnx", "onnxscript")
    model = Scorer(bundle.network(), bundle.facts.job).eval()
    _write_onnx(bundle, model, path)
    return _difference(bundle, model, path, _onnx_runner(path))


def to_int8(bundle: Bundle, path: Path) -> float:
    """Write an ONNX file whose matrices are whole numbers of 8 bits: smaller, faster, less exact.

    The weights are rounded per output channel, to 7 bits: with 8, processors without VNNI
    instructions overflow. Activations are rounded in each call by their own range, so nothing needs
    to be calibrated.

    Returns:
        The largest difference in scores and embeddings.

    Raises:
        SvfapError: packages are missing, or the file's scores differ much from the model's.
    """
    require("ONNX", "onnx", "onnxscript")
    from onnxruntime.quantization import QuantType, quantize_dynamic

    model = Scorer(bundle.network(), bundle.facts.job).eval()
    with tempfile.TemporaryDirectory(dir=path.parent) as folder, _quiet():
        exact = Path(folder) / path.name
        _write_onnx(bundle, model, exact)
        quantize_dynamic(
            str(exact),
            str(path),
            op_types_to_quantize=["MatMul", "Gemm"],
            per_channel=True,
            reduce_range=True,
            weight_type=QuantType.QInt8,
        )
    describe(path, _metadata(bundle.facts))
    return _difference(bundle, model, path, _onnx_runner(path), tolerance=INT8_TOLERANCE)


def _write_onnx(bundle: Bundle, model: Scorer, path: Path) -> None:
    """Write an ONNX file in float32 that says what it holds."""
    with _quiet():
        torch.onnx.export(
            model,
            (_random_frames(bundle, 2),),
            str(path),
            dynamo=True,
            external_data=False,  # the file contains its weights, up to protobuf's limit of 2 GB
            input_names=["video"],
            output_names=["scores", "embedding"],
            dynamic_shapes=_dynamic_shapes(),
            verbose=False,
        )
    describe(path, _metadata(bundle.facts))


def _metadata(facts: ModelFacts) -> dict[str, Any]:
    """Return labels and preprocessing: each value for itself, for programs without this package."""
    model = facts.job.model
    return {
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
        FACTS: facts.model_dump(mode="json"),
    }


def _onnx_runner(path: Path) -> RunExported:
    """Return the function of an ONNX file."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return lambda x: session.run(None, {"video": x.numpy()})


def to_program(bundle: Bundle, path: Path) -> float:
    """Write a file for `torch.export.load`, load it and compare it with the model.

    Returns:
        The largest difference in scores and embeddings.

    Raises:
        SvfapError: the file's results differ from the model's.
    """
    model = Scorer(bundle.network(), bundle.facts.job).eval()
    with _quiet():
        program = torch.export.export(
            model, (_random_frames(bundle, 2),), dynamic_shapes=_dynamic_shapes()
        )
        torch.export.save(program, path)
        loaded = torch.export.load(path).module()
    return _difference(bundle, model, path, lambda x: [y.detach().numpy() for y in loaded(x)])


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporters, which log and warn about their own internals."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)


def _dynamic_shapes() -> dict[str, dict[int, object]]:
    """Return the shapes of the inputs, with a free batch size."""
    return {"video": {0: torch.export.Dim("batch", min=1, max=_MOST_CLIPS)}}


def _random_frames(bundle: Bundle, batch: int) -> Tensor:
    """Return random frames, the same in every call.

    An example for an exporter needs a batch of 2 or more: `torch.export` takes a size of 1 for a
    constant.
    """
    model = bundle.facts.job.model
    shape = (batch, model.num_frames, model.image_size, model.image_size, 3)
    generator = torch.Generator().manual_seed(batch)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


@torch.inference_mode()
def _difference(
    bundle: Bundle, model: Scorer, path: Path, run: RunExported, *, tolerance: float | None = None
) -> float:
    """Return the largest difference over several batch sizes; delete a file that differs."""
    worst = 0.0
    for batch in _BATCH_SIZES:
        frames = _random_frames(bundle, batch)
        for ours, exported in zip(model(frames), run(frames), strict=True):
            worst = max(worst, float(np.abs(ours.numpy() - exported).max()))
    if not worst < (TOLERANCE if tolerance is None else tolerance):  # also true of NaN
        path.unlink()
        raise SvfapError(f"{path}: differs from the model by {worst:.2g}; not written")
    return worst
