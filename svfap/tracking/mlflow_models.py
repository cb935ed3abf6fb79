"""MLflow datasets and models: tables of clips, and checkpoints that predict."""

import ast
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import numpy as np
from mlflow import MlflowClient, pyfunc
from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModelOutput
from mlflow.models import Model, ModelSignature
from mlflow.types import Schema, TensorSpec

NAME = "model"
LOADER = "svfap.use.mlflow_model"
CONTEXT_TAG = "mlflow.data.context"
INPUTS_PER_CALL = 100


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


def signature(targets: int) -> ModelSignature:
    """Return the signature: RGB videos uint8 (N, T, H, W, 3) to scores float32 (N, targets)."""
    return ModelSignature(
        inputs=Schema([TensorSpec(np.dtype("uint8"), (-1, -1, -1, -1, 3))]),
        outputs=Schema([TensorSpec(np.dtype("float32"), (-1, targets))]),
    )


def log_model(client: MlflowClient, run: str, checkpoint: Path, params: Mapping[str, str]) -> None:
    """Log a fine-tuned checkpoint as a model that `mlflow.pyfunc.load_model` loads.

    A run has one model; if the model exists already, do nothing. In a store on the same file system
    the checkpoint is linked, not copied.
    """
    logged = client.get_run(run)
    if logged.outputs and logged.outputs.model_outputs:
        return
    # `pyfunc.log_model` copies the checkpoint to a temporary folder and from there to the store.
    # These are the calls that it makes (MLflow 3.17), without the copies.
    created = client.create_logged_model(logged.info.experiment_id, NAME, run)
    model = Model(
        artifact_path=created.artifact_location,
        run_id=run,
        signature=signature(len(ast.literal_eval(params["targets"]))),
        model_id=created.model_id,
    )
    pyfunc.add_to_model(model, loader_module=LOADER, data=checkpoint.name)
    if created.artifact_location.startswith("file:"):
        _fill(Path(url2pathname(urlsplit(created.artifact_location).path)), model, checkpoint)
    else:
        # The folder is beside the checkpoint, so that the checkpoint can be linked into it.
        with tempfile.TemporaryDirectory(dir=checkpoint.parent) as folder:
            _fill(Path(folder), model, checkpoint)
            client.log_model_artifacts(created.model_id, folder)
    client.log_outputs(run, [LoggedModelOutput(created.model_id, 0)])
    client.finalize_logged_model(created.model_id, "READY")


def _fill(folder: Path, model: Model, checkpoint: Path) -> None:
    """Write the description and the checkpoint to the model's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    model.save(str(folder / "MLmodel"))
    try:
        os.link(checkpoint, folder / checkpoint.name)
    except OSError:  # another file system, or one without hard links
        shutil.copyfile(checkpoint, folder / checkpoint.name)
