"""MLflow datasets and models: tables of clips, and checkpoints that predict."""

import ast
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pandas as pd
from mlflow import MlflowClient, pyfunc
from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModelOutput
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema, TensorSpec

NAME = "model"
LOADER = "svfap.use.mlflow_model"
CONTEXT_TAG = "mlflow.data.context"
INPUTS_PER_CALL = 100
# The packages that scoring a video imports, and MLflow, whose server calls the model.
NEEDED = (
    "av",
    "ffmpeg-python",
    "huggingface-hub",
    "imageio-ffmpeg",
    "mlflow",
    "numpy",
    "onnxruntime",
    "opencv-python-headless",
    "pandas",
    "pyarrow",
    "pydantic",
    "pyyaml",
    "safetensors",
    "simplejpeg",
    "torch",
    "tqdm",
)


def dataset(table: Mapping[str, Any], params: Mapping[str, str]) -> tuple[dict[str, str], str]:
    """Return the arguments of MLflow's `Dataset` for an input of a record, and the input's use."""
    profile = {"clips": table["clips"]} | {
        key: ast.literal_eval(params[key]) for key in ("targets",) if key in params
    }
    facts = {
        "name": table["name"],
        "digest": table["digest"],
        "source_type": "local",
        "source": json.dumps({"uri": table["path"]}),
        "profile": json.dumps(profile),
    }
    return facts, table["context"]


def log_inputs(
    client: MlflowClient, run: str, tables: Iterable[Mapping[str, Any]], params: Mapping[str, str]
) -> None:
    """Log the clip tables that a run reads as MLflow datasets; skip those already there."""
    logged = client.get_run(run).inputs
    known = {(e.dataset.name, e.dataset.digest) for e in (logged.dataset_inputs if logged else ())}
    new = [
        DatasetInput(Dataset(**facts), [InputTag(CONTEXT_TAG, context)])
        for facts, context in (dataset(table, params) for table in tables)
        if (facts["name"], facts["digest"]) not in known
    ]
    for begin in range(0, len(new), INPUTS_PER_CALL):
        client.log_inputs(run, new[begin : begin + INPUTS_PER_CALL])


def signature(targets: Sequence[str], task: str) -> ModelSignature:
    """Return what the model returns, and its parameters.

    The signature leaves the input open: MLflow allows a schema of either columns or tensors, and
    the model takes paths as well as arrays.
    """
    label = [ColSpec("string", "label")] if task == "classification" else []
    columns: list[ColSpec | TensorSpec] = [
        ColSpec("string", "video"),
        ColSpec("long", "face"),
        *(ColSpec("double", name) for name in ("start", "end")),
        *(ColSpec("long", name) for name in ("start_frame", "end_frame")),
        *label,
        *(ColSpec("float", name) for name in targets),
    ]
    params = [
        ParamSpec("input", "string", "videos"),
        ParamSpec("hop", "double", None),
        ParamSpec("speaker", "string", "main"),
        ParamSpec("pad", "boolean", False),
        ParamSpec("batch_size", "long", 8),
    ]
    return ModelSignature(outputs=Schema(columns), params=ParamSchema(params))


def requirements() -> list[str]:
    """Return the packages that the model needs, in the versions that are installed here.

    This package itself is not on PyPI: its code is in the model's folder.
    """
    # The part after "+" names a build, such as the one for a CUDA version, which PyPI lacks.
    return [f"{name}=={version(name).partition('+')[0]}" for name in NEEDED if _installed(name)]


def _installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:  # its files have come in another way, such as conda
        return False
    return True


def model_name(tags: Mapping[str, str]) -> str:
    """Return DATASET-FOLD, with VARIANT- before it, from the tags of a run."""
    parts = [tags[key] for key in ("variant", "dataset", "fold") if tags.get(key)]
    return re.sub(r"[/:.%\"']", "_", "-".join(parts)) or NAME  # MLflow forbids these characters


def log_model(client: MlflowClient, run: str, checkpoint: Path, start: Mapping[str, Any]) -> None:
    """Log a fine-tuned checkpoint as a model that `mlflow.pyfunc.load_model` loads.

    A run has one model; if the model exists already, do nothing. In a store on the same file system
    the checkpoint is linked, not copied.

    Args:
        client: the client.
        run: id of the run.
        checkpoint: the checkpoint.
        start: the start of the run's record, whose parameters have the targets and whose tags have
            the dataset and fold.
    """
    logged = client.get_run(run)
    if logged.outputs and logged.outputs.model_outputs:
        return
    params = start["params"]
    # `pyfunc.log_model` copies the checkpoint to a temporary folder and from there to the store.
    # These are the calls that it makes (MLflow 3.17), without the copies.
    name = model_name(start["tags"])
    created = client.create_logged_model(logged.info.experiment_id, name, run)
    model = Model(
        artifact_path=created.artifact_location,
        run_id=run,
        signature=signature(ast.literal_eval(params["targets"]), params["task"]),
        model_id=created.model_id,
    )
    if created.artifact_location.startswith("file:"):
        _fill(Path(url2pathname(urlsplit(created.artifact_location).path)), model, checkpoint)
    else:
        # The folder is beside the checkpoint, so that the checkpoint can be linked into it.
        with tempfile.TemporaryDirectory(dir=checkpoint.parent) as folder:
            _fill(Path(folder) / NAME, model, checkpoint)
            client.log_model_artifacts(created.model_id, str(Path(folder) / NAME))
    client.log_outputs(run, [LoggedModelOutput(created.model_id, 0)])
    client.finalize_logged_model(created.model_id, "READY")


def _fill(folder: Path, model: Model, checkpoint: Path) -> None:
    """Write the model's folder: description, requirements, code and checkpoint."""
    with tempfile.TemporaryDirectory() as other:
        # MLflow would copy the checkpoint. It copies an empty file instead, which a link replaces.
        placeholder = Path(other) / checkpoint.name
        placeholder.touch()
        pyfunc.save_model(
            str(folder),
            loader_module=LOADER,
            data_path=str(placeholder),
            # A wheel would have to be built from a checkout, which an installed package lacks.
            code_paths=[str(Path(__file__).parents[1])],
            mlflow_model=model,
            signature=model.signature,
            input_example=pd.DataFrame({"video": ["video.mp4"]}),
            pip_requirements=requirements(),
        )
    place = folder / "data" / checkpoint.name
    place.unlink()
    try:
        os.link(checkpoint, place)
    except OSError:  # another file system, or one without hard links
        shutil.copyfile(checkpoint, place)
