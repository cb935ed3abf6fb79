"""`python -m svfap.serve.worker MODEL`: the process that scores requests of the server.

It loads the model once and answers one request after the other, see `svfap.serve.messages`. It is a
program of its own for the same reason as `svfap.video.shield`.
"""

import functools
import logging
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from svfap import redact
from svfap.errors import SvfapError
from svfap.plots.palette import colours_of
from svfap.serve import messages
from svfap.serve.live_session import LiveSession
from svfap.serve.outputs import write_outputs
from svfap.threads import wait_passively
from svfap.use import bundle as bundles
from svfap.use.options import Options, make_options
from svfap.use.predictor import Predictor

Answer = Callable[[dict[str, Any]], None]

logger = logging.getLogger(__name__)


class Worker:
    """Answers requests with a loaded model.

    Args:
        model: what `svfap.load` takes.
        answer: sends an answer.

    Raises:
        SvfapError: the model cannot be loaded or has no head.
    """

    def __init__(self, model: str, answer: Answer) -> None:
        bundle = bundles.load(model)
        bundle.require_head()
        self._answer = answer
        # A predictor holds its own weights, so only the latest two are kept.
        self._predictor = functools.lru_cache(maxsize=2)(functools.partial(_predictor, bundle))
        self._predictor(Options())  # a model that does not fit is reported at the start
        self._session: LiveSession | None = None
        job = bundle.facts.job
        answer(
            {
                "model": bundle.title,
                "task": job.task,
                "targets": list(job.targets),
                "colours": colours_of(job.targets),
                "notice": bundle.facts.notices,
            }
        )

    def handle(self, request: dict[str, Any], body: bytes) -> None:
        """Answer one request: `score` a video, or a picture of a camera (`live`)."""
        predictor = self._predictor(make_options(request["options"]))
        if request["do"] == "live":
            if request["new"] or self._session is None:
                if self._session is not None:
                    self._session.close()
                self._session = LiveSession(predictor)
            self._answer({"done": self._session.see(body, request["taken"])})
        else:
            self._answer({"done": write_outputs(request, predictor, self._answer)})


def _predictor(bundle: bundles.Bundle, options: Options) -> Predictor:
    return Predictor(bundle, options, show_progress=True)  # the server listens to the progress


def _main() -> None:
    # Ctrl-C reaches every process of the terminal; the server reacts, and ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    redact.install(logging.ERROR, "svfap: %(message)s")

    def answer(message: dict[str, Any]) -> None:
        answers.write(messages.encode(message))
        answers.flush()

    try:
        worker = Worker(sys.argv[1], answer)
    except SvfapError as error:
        answer({"error": str(error)})
        return
    while received := messages.read(sys.stdin.buffer):
        try:
            worker.handle(*received)
        except SvfapError as error:
            answer({"rejected": str(error)})
        except Exception as error:
            logger.exception("a request failed")
            answer({"failed": f"{type(error).__name__}: {error}"})


if __name__ == "__main__":
    wait_passively()
    _main()
