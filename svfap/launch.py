"""`python -m svfap.launch N STAGE ...`: a stage in N processes, one per GPU, by torchrun.

With N below 2 it is `python -m svfap STAGE ...`. Torchrun's own account of a failure is left out:
the first process has said what went wrong, and its status is passed on.
"""

import logging
import os
import sys
from collections.abc import Sequence

from svfap import __main__


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a stage in as many processes as the first argument says; its exit status."""
    count, *stage = sys.argv[1:] if arguments is None else arguments
    if int(count or 0) < 2:
        return __main__.main(stage)
    from torch.distributed import run
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // int(count))))
    signals = "SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1"
    options = ["--standalone", "--nproc-per-node", count, "--signals-to-handle", signals]
    try:
        run.main([*options, "--module", "svfap", *stage])
    except ChildFailedError as error:
        _, failure = error.get_first_failure()
        return failure.exitcode if failure.exitcode >= 0 else 128 - failure.exitcode
    except SignalException as stopped:
        return 128 + stopped.sigval
    return 0


if __name__ == "__main__":
    sys.exit(main())
