"""The workflow's log on a screen: one line for each job, with its stage, dataset, fold and time.

Snakemake prints a paragraph when a job starts and another when it ends. They stay in Snakemake's
log file; the screen shows a line when a job ends, the warnings of its stage, and errors. What a
stage printed is in its own log.
"""

import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from svfap.experiment.known_errors import explained
from svfap.experiment.layout import variant_of

SCREEN = "DefaultStreamHandler"  # Snakemake's name of the handler that writes to the terminal
MOST_NOTES = 3  # lines of a stage's log to show below its job
MOST_ERRORS = 20  # lines of the log of a job that failed without a message, such as a traceback
HIDDEN_EVENTS = frozenset(
    ("workflow_started", "job_started", "group_info", "shellcmd", "progress", "resources_info")
)
# Messages of Snakemake that have no event of their own, and that no user needs.
CHATTER = re.compile(
    r"Assuming |Building DAG|Using (shell|profile|workflow)|Select jobs|Execute \d+ jobs?|host:"
    r"|Conda environments: ignored|Group jobs: inactive|Write-protecting|Finished upload"
    r"|Removing (output files|temporary output|local copy)|Storing (output|in storage)"
    r"|Complete log|Exiting because a job"
)
FAILED_COMMAND = "RuleException:\nCalledProcessError"  # repeats the command of a failed job
ELAPSED = "Elapsed time"
# Not a note: progress, Matplotlib's cache, an attempt to download that another one follows.
NOTE = re.compile(
    r"svfap: (?!\S.* \d+/\d+(  |$)|generated new fontManager|.*; next attempt in \d+ s$)"
    r"(?P<text>.+)"
)
ERROR = re.compile(r"svfap [\w-]+: error: .+")


def log_here(path: str) -> str:
    """Return the text of a log on this machine; empty for a job that never started."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def show_job_lines(logger: logging.Logger, read: Callable[[str], str] = log_here) -> None:
    """Replace Snakemake's handler for the terminal by one line for each job.

    Nothing changes if Snakemake has no such handler, for example because of `--logger rich`.

    Args:
        logger: Snakemake's logger.
        read: returns the text of a log; empty if there is none.
    """
    for handler in [h for h in logger.handlers if h.name == SCREEN]:
        logger.removeHandler(handler)
        logger.addHandler(JobLines(handler, read))


class JobLines(logging.Handler):
    """Passes warnings and questions on to Snakemake's handler, and its jobs as single lines."""

    def __init__(self, screen: logging.Handler, read: Callable[[str], str]) -> None:
        super().__init__()
        self._screen, self._read = screen, read
        self._explained: set[str] = set()
        self._jobs: dict[int, tuple[str, str, Sequence[str], float]] = {}
        self._done, self._total = 0, 0
        self._start = time.monotonic()

    def emit(self, record: logging.LogRecord) -> None:
        """Show a record of Snakemake's, or remember the job that it is about."""
        event = getattr(record, "event", None)
        facts: dict[str, Any] = record.__dict__
        if event == "job_info":
            name = describe(facts["wildcards"])
            self._jobs[facts["jobid"]] = facts["rule_name"], name, facts["log"], time.monotonic()
        elif event == "run_info":
            self._total = facts["stats"].get("total", 0) - facts["stats"].get("all", 0)
            self._show(f"{self._total} jobs; what each prints is in its log")
        elif event == "job_finished":
            self._finish(facts["job_id"])
        elif event in ("job_error", "group_error"):
            for job in facts.get("job_error_info") or [facts]:
                self._fail(job)
        elif str(record.msg).startswith(ELAPSED):
            self._show(f"ended after {in_words(time.monotonic() - self._start)}")
        elif line := explained(str(record.msg)):
            self._explain(line)
        elif event not in HIDDEN_EVENTS and not is_chatter(record):
            self._screen.handle(record)

    def flush(self) -> None:
        """Flush the terminal."""
        self._screen.flush()

    def close(self) -> None:
        """Close Snakemake's handler, too."""
        self._screen.close()
        super().close()

    def _finish(self, job: int) -> None:
        rule, name, logs, start = self._jobs.pop(job, ("", "", (), 0.0))
        if rule in ("", "all"):
            return
        self._done += 1
        took = in_words(time.monotonic() - start)
        self._show(
            f"{self._done:>4}/{self._total} {rule:<9} {name:<30} {took:>12}", *self._notes(logs)
        )

    def _fail(self, job: Mapping[str, Any]) -> None:
        rule, name, logs, start = self._jobs.pop(
            job["jobid"], (job["rule_name"], "", job["log"], time.monotonic())
        )
        took = in_words(time.monotonic() - start)
        text = " ".join(filter(None, (rule, name)))
        self._show(f"FAILED: {text}, after {took}", *self._errors(logs), level=logging.ERROR)

    def _notes(self, logs: Sequence[str]) -> Iterator[str]:
        """Yield what a stage said besides its progress, shortened."""
        for path in logs:
            lines = self._read(path).splitlines()
            found = [match["text"] for match in map(NOTE.match, lines) if match]
            yield from found[:MOST_NOTES]
            if len(found) > MOST_NOTES:
                yield f"{len(found) - MOST_NOTES} more in {path}"

    def _errors(self, logs: Sequence[str]) -> Iterator[str]:
        """Yield the message of a stage that failed, or the end of its log; and the log's path."""
        for path in logs:
            lines = self._read(path).splitlines()
            messages = [line for line in lines if ERROR.match(line)]
            yield from messages[-1:] or lines[-MOST_ERRORS:]
            yield f"log: {path}" if lines else f"no log at {path}: the stage did not begin"

    def _explain(self, line: str) -> None:
        """Show an error once: a storage that is gone fails for every file."""
        kind = line.split(" ", maxsplit=4)[:4]
        if str(kind) not in self._explained:
            self._explained.add(str(kind))
            self._show(f"svfap: error: {line}", level=logging.ERROR)

    def _show(self, text: str, *details: str, level: int = logging.INFO) -> None:
        lines = [time.strftime("%H:%M:%S ") + text, *(f"         {line}" for line in details)]
        fields = {"msg": "\n".join(lines), "levelno": level, "name": __name__}
        record = logging.makeLogRecord(fields | {"levelname": logging.getLevelName(level)})
        self._screen.handle(record)


def is_chatter(record: logging.LogRecord) -> bool:
    """Return whether a message of Snakemake tells a user nothing."""
    text = str(record.msg)
    return text.startswith(FAILED_COMMAND) or (
        record.levelno < logging.WARNING and bool(CHATTER.match(text))
    )


def describe(wildcards: Mapping[str, str]) -> str:
    """Return the variant, the dataset, and the part or fold of a job."""
    variant = variant_of(wildcards.get("run", ""))
    rest = (value for name, value in wildcards.items() if name != "run")
    return " ".join(filter(None, (variant, *rest)))


def in_words(seconds: float) -> str:
    """Return a time as people say it, for example "3 min 12 s"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
