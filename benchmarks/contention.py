"""Training on a CPU beside other work: `python -m benchmarks.contention`.

A process pre-trains a small model in fp32 on every core, for a few seconds at a time: alone, and
beside one busy neighbour, a process that occupies one core. The share of clips per second that is
left is compared for OpenMP's default, whose threads spin while they wait, and for the passive
policy that `svfap.threads` sets. Both take turns, so other work on the machine slows all alike.
A further row has two trainings side by side, each on half of the cores as Snakemake bounds them,
against one training after the other on every core.
"""

import argparse
import logging
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from benchmarks.common import Headline, make_parser, report
from svfap.threads import wait_passively

SPINNING, PASSIVE = "spinning", "passive"
PAIR = 2  # trainings side by side
CLIPS = 16  # of a step
SECONDS = 3.0  # of a measurement
# The neighbour ends with this process, whose death closes its standard input.
NEIGHBOUR = (
    "import threading, sys, os\n"
    "threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()\n"
    "while True: pass"
)


def main() -> None:
    """Measure both policies, alone and beside a busy neighbour."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    given = _parser().parse_args()
    if given.policy:
        _train(given.policy)
        return
    rounds = 9 if given.full else 3
    trainers = {policy: _start(policy) for policy in (SPINNING, PASSIVE)}
    half = max(1, (os.cpu_count() or 1) // PAIR)
    pair = [_start(PASSIVE, threads=half) for _ in range(PAIR)]
    rates: dict[tuple[str, str], list[float]] = {}
    together: list[float] = []
    try:
        for _ in range(rounds):
            together.append(_rate(*pair))
            for policy, trainer in trainers.items():
                rates.setdefault((policy, "alone"), []).append(_rate(trainer))
                with _neighbour():
                    rates.setdefault((policy, "beside"), []).append(_rate(trainer))
    finally:
        for trainer in (*trainers.values(), *pair):
            trainer.kill()
            trainer.wait()
    medians = {key: statistics.median(values) for key, values in rates.items()}
    alone = max(medians[policy, "alone"] for policy in trainers)
    rows = [_row(policy, medians, alone) for policy in trainers]
    left = {str(row["policy"]): float(row["share_left"]) for row in rows}
    both = statistics.median(together)
    rows.append({"policy": "two side by side", "clips_per_s": both, "times_in_turn": both / alone})
    ratio = left[PASSIVE] / left[SPINNING]
    headline = Headline(
        "clips/s beside a busy neighbour, as a share of the best clips/s alone",
        left[PASSIVE],
        "of clips/s alone",
        left[SPINNING],
        ratio,
    )
    report(headline, rows, path=given.json)


def _row(
    policy: str, medians: Mapping[tuple[str, str], float], alone: float
) -> dict[str, str | float]:
    """Return the figures of a policy; `alone` is the best rate on an idle machine, in clips/s."""
    return {
        "policy": policy,
        "alone_clips_per_s": medians[policy, "alone"],
        "beside_clips_per_s": medians[policy, "beside"],
        "share_left": medians[policy, "beside"] / alone,
    }


def _parser() -> argparse.ArgumentParser:
    parser = make_parser("Train on a CPU beside other work.")
    parser.add_argument("--policy", choices=(SPINNING, PASSIVE), help=argparse.SUPPRESS)
    return parser


def _start(policy: str, threads: int | None = None) -> "subprocess.Popen[str]":
    """Start a training that waits for commands, with OpenMP's defaults but for its policy.

    `threads` is the number of its threads; None is one for each core.
    """
    own = ("OMP_", "GOMP_", "KMP_")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(own)}
    environment |= {"OMP_NUM_THREADS": str(threads)} if threads else {}
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.contention", "--policy", policy],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _rate(*trainers: "subprocess.Popen[str]") -> float:
    """Let trainings run for some seconds and return their clips per second, in all."""
    for trainer in trainers:
        print("go", file=trainer.stdin, flush=True)
    lines = [trainer.stdout.readline() for trainer in trainers if trainer.stdout]
    if not all(lines):
        raise SystemExit("a training ended; its error is above")
    return sum(map(float, lines))


@contextmanager
def _neighbour() -> Iterator[None]:
    """Keep a core busy."""
    command = [sys.executable, "-c", NEIGHBOUR]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as neighbour:
        time.sleep(0.2)
        yield
        neighbour.kill()


def _train(policy: str) -> None:
    """Train for some seconds at each line of standard input, and print clips per second."""
    if policy == PASSIVE:
        wait_passively()
    import torch

    from svfap.config import ModelConfig, OptimConfig
    from svfap.models import Autoencoder
    from svfap.training.batch import Batch
    from svfap.training.distributed import Ranks
    from svfap.training.objectives import Reconstruction
    from svfap.training.optim import parameter_groups
    from svfap.training.step import Stepper

    # The demo's model, but of 16 patches.
    config = ModelConfig(
        image_size=64, num_frames=8, dim=128, heads=4, depths=(1, 2, 2), decoder_dim=64,
        decoder_heads=2, decoder_depth=1,
    )  # fmt: skip
    model = Autoencoder(config)
    groups = parameter_groups(model, weight_decay=0.05)
    ranks = Ranks(device=torch.device("cpu"))
    stepper = Stepper(Reconstruction(model, 0.5), groups, OptimConfig(), ranks=ranks, seed=0)
    video = torch.randint(0, 256, (CLIPS, 8, 64, 64, 3), dtype=torch.uint8)
    batch = Batch(video, torch.zeros(CLIPS, 1))
    for _ in range(3):
        stepper.step([batch], 1e-5)
    for _ in sys.stdin:
        start, steps = time.perf_counter(), 0
        while time.perf_counter() < start + SECONDS:
            stepper.step([batch], 1e-5)
            steps += 1
        print(CLIPS * steps / (time.perf_counter() - start), flush=True)


if __name__ == "__main__":
    main()
