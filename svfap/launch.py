"""`python -m svfap.launch LAYOUT STAGE ...`: run a stage in one process per GPU.

LAYOUT is a number of GPUs, or GPUS/NODES for this number in all on several nodes of a SLURM job.
For one process, this module runs `python -m svfap STAGE ...`; for several, it uses torchrun. On
several nodes, `srun` starts this module once per node with an address at which the processes meet,
GPUS/NODES@HOST:PORT. This module suppresses torchrun's own report of a failure: the process that
failed first has printed its error, and this module exits with its status.
"""

from svfap import interrupts

if __name__ == "__main__":
    interrupts.end_at_once()  # before the imports, which take a while

import logging
import os
import re
import socket
import sys
from collections.abc import Sequence

from svfap import __main__
from svfap.experiment.job_environment import forget_other_launchers

LAYOUT = re.compile(r"(?P<gpus>\d+)(?:/(?P<nodes>\d+))?(?:@(?P<meeting>.+:\d+))?")
# Torchrun passes these signals on to its processes; without SIGUSR1, SLURM's warning would kill
# torchrun.
SIGNALS = "SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a stage in the processes that the first argument describes; return the exit status."""
    layout, *stage = sys.argv[1:] if arguments is None else arguments
    found = LAYOUT.fullmatch(layout)
    gpus, nodes = (int(found["gpus"]), int(found["nodes"] or 1)) if found else (0, 0)
    if found is None or not nodes or gpus % nodes:
        print(
            f"svfap.launch: error: layout '{layout}' is not GPUS/NODES with as many GPUs on each"
            " node, as in 8/2; set `gpu`, the number over all nodes, to a multiple of `nodes`",
            file=sys.stderr,
        )
        return 2
    processes = max(1, gpus // nodes)  # on each node
    if warning := forget_other_launchers(launching=True):
        print(f"svfap.launch: {warning}", file=sys.stderr)
    if nodes > 1 and not found["meeting"]:
        start_on_nodes(nodes, layout, stage)
    if nodes * processes < 2:
        return __main__.main(stage)
    meeting = ["--nnodes", str(nodes), "--rdzv-backend", "c10d", "--rdzv-endpoint"]
    meeting += [found["meeting"], "--rdzv-id", found["meeting"]] if nodes > 1 else ["localhost:0"]
    return torchrun([*meeting, "--nproc-per-node", str(processes)], stage, processes=processes)


def start_on_nodes(nodes: int, layout: str, stage: Sequence[str]) -> None:
    """Replace this process by `srun`, which starts this module once per node of the job.

    It never returns. SLURM sends its signals to the processes on every node itself.
    """
    # A free port of this node, where the first process will listen. Another program could take it
    # in the second until then; torchrun fails in that case, and Snakemake retries the job.
    with socket.create_server(("", 0)) as free:
        port = free.getsockname()[1]
    where = f"{layout}@{socket.gethostname()}:{port}"
    step = ["srun", f"--nodes={nodes}", f"--ntasks={nodes}", "--ntasks-per-node=1"]
    # `none`: from SLURM 22.05 on, srun binds a task to one core by default, and the one task of a
    # node runs all its GPU processes.
    command = [*step, "--cpu-bind=quiet,none", sys.executable, "-m", "svfap.launch", where, *stage]
    os.execvp(command[0], command)


def torchrun(options: Sequence[str], stage: Sequence[str], *, processes: int) -> int:
    """Run a stage in several processes of this machine.

    Returns:
        0, or the exit status of the process that failed first.
    """
    from torch.distributed import run
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    # Torchrun (torch 2.13) would print a long report with a stack trace of its own.
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    # The threads of the job, which Snakemake sets, are shared by its processes. Without this,
    # torchrun would set one thread each.
    threads = int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1))
    os.environ["OMP_NUM_THREADS"] = str(max(1, threads // processes))
    try:
        run.main([*options, "--signals-to-handle", SIGNALS, "--module", "svfap", *stage])
    except ChildFailedError as error:
        _, failure = error.get_first_failure()
        # A process killed by signal N has the exit code -N here; shells report 128 + N.
        return failure.exitcode if failure.exitcode >= 0 else 128 - failure.exitcode
    except SignalException as stopped:
        return 128 + stopped.sigval
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    finally:
        interrupts.ignore()
