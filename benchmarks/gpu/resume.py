"""Part `resume`: trainings that are killed halfway and resumed, against unbroken ones.

SIGTERM makes a training save and exit; after SIGKILL it goes on from its last save. Two unbroken
trainings show how far the device's own order of additions moves the weights.
"""

import multiprocessing
import os
import shutil
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch

from benchmarks.gpu.results import Row
from benchmarks.gpu.setting import Setting
from benchmarks.gpu.shards import draws
from benchmarks.ours import MASK_RATIO, make_stepper
from svfap.config import OptimConfig, TrainingMachine
from svfap.models import Autoencoder
from svfap.training import tensor_file
from svfap.training.distributed import Ranks
from svfap.training.loader import Loader
from svfap.training.loop import Trainer
from svfap.training.objectives import Reconstruction
from svfap.training.state import State
from svfap.training.step import Weights, seed_everything

START, END = "start.pt", "end.pt"  # weights
STEPS, STOPPED_AT, WORKERS = 12, 6, 2
EVERY_STEP, NEVER = 1e-6, 1e6  # minutes between two saves
SIGNALS: dict[str, signal.Signals | None] = {"SIGTERM": signal.SIGTERM, "SIGKILL": signal.SIGKILL}
# Largest distance from the unbroken training, as a share of what that training changed. A step that
# is lost or sees other random numbers changes more: a step is 8 per cent of the training.
TOLERANCE = 2e-2


def measure(setting: Setting) -> Iterator[Row]:
    """Run all trainings side by side, then resume the killed ones, and compare weights."""
    folder = setting.work / "resume"
    shutil.rmtree(folder, ignore_errors=True)
    killed = _run(setting, {"unbroken": None, "again": None, **SIGNALS})
    resumed = _run(setting, dict.fromkeys(SIGNALS))
    whole, start = _weights(folder / "unbroken"), _weights(folder / "unbroken", START)
    change = _difference(whole, start)
    yield {"name": "unbroken, a second time"} | _verdict(folder / "again", whole, change)
    for name in SIGNALS:
        row: Row = {"name": f"resumed after {name}"}
        row |= _verdict(folder / name, whole, change)
        row["exit_codes"] = [killed[name], resumed[name]]
        row["passed"] = row["passed"] and killed[name] != 0 and resumed[name] == 0
        yield row


def _verdict(folder: Path, whole: Weights, change: float) -> Row:
    """Compare a training's weights with the unbroken one's, whose training changed `change`."""
    distance = _difference(_weights(folder), whole)
    share = distance / change
    return {"equal": distance == 0, "share_of_change": share, "passed": share <= TOLERANCE}


def _run(setting: Setting, signals: dict[str, signal.Signals | None]) -> dict[str, int | None]:
    """Run trainings side by side; return their exit codes.

    Args:
        setting: sizes and folders.
        signals: name of a training -> signal that it receives halfway; None for no signal.
    """
    # A forked process has all imports already. This process has not used the GPU, so they can.
    fork = multiprocessing.get_context("fork")
    running = {n: fork.Process(target=_train, args=(setting, n, s)) for n, s in signals.items()}
    for process in running.values():
        process.start()
    for process in running.values():
        process.join()
    return {name: process.exitcode for name, process in running.items()}


def _train(setting: Setting, name: str, stop: signal.Signals | None) -> None:
    """Train to the last step and write the weights; send `stop` to this process halfway."""
    folder, model = setting.work / "resume" / name, setting.sizes.model
    if not setting.tiny:  # fewer blocks, so that saves take less time
        model = model.model_copy(update={"depths": (1, 1, 1), "decoder_depth": 1})
    batch = min(setting.sizes.batches[-1], 16)
    minutes = EVERY_STEP if stop == signal.SIGKILL else NEVER
    config = OptimConfig(batch_size=batch, epochs=2)
    machine = TrainingMachine(workers=WORKERS, save_minutes=minutes)
    seed_everything(0)
    objective = Reconstruction(Autoencoder(model), MASK_RATIO)
    if name == "unbroken":
        tensor_file.write(folder / START, objective.model.state_dict())
    clips = draws(setting, "jpeg", clips=STEPS * batch // 2)
    loader = Loader(clips, config, Ranks(), machine)
    stepper = make_stepper(objective, config, compiled=False)

    def log(point: Mapping[str, float], step: int) -> None:
        if stop is not None and step == STOPPED_AT:
            os.kill(os.getpid(), stop)

    state = State(folder, name)
    Trainer(stepper, loader, config, state, Ranks(), name, machine).fit(log)
    tensor_file.write(folder / END, {k: v.cpu() for k, v in stepper.result_weights.items()})


def _weights(folder: Path, name: str = END) -> Weights:
    return tensor_file.read(folder / name)


def _difference(one: Weights, other: Weights) -> float:
    """Return the norm of the difference of all weights."""
    parts = [(one[name].double() - other[name].double()).norm() for name in other]
    return float(torch.stack(parts).norm())
