"""`python -m svfap.launch LAYOUT STAGE ...`: a stage in a process for every GPU.

LAYOUT is a number of GPUs, or NODESxGPUS for so many on each node of a SLURM job. One process is
`python -m svfap STAGE ...`, more are started by torchrun, and on several nodes `srun` starts this
module once a node with a place to meet, NODESxGPUS@HOST:PORT. Torchrun's own account of a failure
is left out: the first process has said what went wrong, and its status is passed on.
"""

import logging
import os
import re
import socket
import sys
from collections.abc import Sequence

from svfap import __main__

LAYOUT = re.compile(r"(?:(?P<nodes>\d+)x)?(?P<gpus>\d*)(?:@(?P<meeting>.+:\d+))?")
SIGNALS = "SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a stage in as many processes as the first argument says; its exit status."""
    layout, *stage = sys.argv[1:] if arguments is None else arguments
    found = LAYOUT.fullmatch(layout)
    if found is None:
        sys.exit(
            f"svfap.launch: error: '{layout}' is no layout; give GPUS or NODESxGPUS, as in 2x4"
        )
    nodes, gpus = int(found["nodes"] or 1), int(found["gpus"] or 0) or 1
    if nodes > 1 and not found["meeting"]:
        spread(nodes, layout, stage)
    if nodes * gpus < 2:
        return __main__.main(stage)
    meeting = ["--nnodes", str(nodes), "--rdzv-backend", "c10d", "--rdzv-endpoint"]
    meeting += [found["meeting"], "--rdzv-id", found["meeting"]] if nodes > 1 else ["localhost:0"]
    return torchrun([*meeting, "--nproc-per-node", str(gpus)], stage, processes=gpus)


def spread(nodes: int, layout: str, stage: Sequence[str]) -> None:
    """Become `srun`, which starts this module once a node of the job.

    Signals of SLURM reach the processes on every node by themselves.
    """
    with socket.create_server(("", 0)) as free:
        port = free.getsockname()[1]
    where = f"{layout}@{socket.gethostname()}:{port}"
    step = ["srun", f"--nodes={nodes}", f"--ntasks={nodes}", "--ntasks-per-node=1"]
    command = [*step, "--cpu-bind=quiet,none", sys.executable, "-m", "svfap.launch", where, *stage]
    os.execvp(command[0], command)


def torchrun(options: Sequence[str], stage: Sequence[str], *, processes: int) -> int:
    """Run a stage in several processes of this machine; the status of the first that failed."""
    from torch.distributed import run
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // processes)))
    try:
        run.main([*options, "--signals-to-handle", SIGNALS, "--module", "svfap", *stage])
    except ChildFailedError as error:
        _, failure = error.get_first_failure()
        return failure.exitcode if failure.exitcode >= 0 else 128 - failure.exitcode
    except SignalException as stopped:
        return 128 + stopped.sigval
    return 0


if __name__ == "__main__":
    sys.exit(main())
