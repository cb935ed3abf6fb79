"""The workflow's log on a screen: a line for each job, its warnings, and every error."""

import io
import logging

import pytest

from svfap.experiment import job_lines


@pytest.fixture
def screen():
    """Snakemake's logger with its handler for the terminal, and what that has shown."""
    logger = logging.Logger("snakemake")
    shown = io.StringIO()
    handler = logging.StreamHandler(shown)
    handler.name = job_lines.SCREEN
    logger.addHandler(handler)
    job_lines.show_job_lines(logger)
    return logger, shown


def start(logger, log, *, rule="finetune", number=1, **wildcards):
    facts = {"jobid": number, "rule_name": rule, "wildcards": wildcards, "log": [str(log)]}
    logger.info(f"Rule: {rule}", extra={"event": "job_info", **facts})
    return facts


def finish(logger, number=1):
    logger.info(f"Finished jobid: {number}", extra={"event": "job_finished", "job_id": number})


def test_a_finished_job_is_a_line_with_stage_dataset_fold_and_time(screen, tmp_path):
    logger, shown = screen
    stats = {"finetune": 2, "all": 1, "total": 3}
    logger.info("Job stats", extra={"event": "run_info", "stats": stats})
    start(logger, tmp_path / "none", run="variants/scratch/", dataset="demo", fold="subjects1")
    logger.info("Shell command: x", extra={"event": "shellcmd"})
    logger.info(None, extra={"event": "progress", "done": 0, "total": 3})
    finish(logger)
    start(logger, tmp_path / "none", rule="all", number=2)
    finish(logger, 2)
    jobs, line = shown.getvalue().splitlines()
    assert jobs.endswith("2 jobs; what each prints is in its log")
    assert line.split()[1:] == ["1/2", "finetune", "scratch", "demo", "subjects1", "0", "s"]


def test_the_warnings_of_a_stage_follow_and_its_progress_does_not(screen, tmp_path):
    logger, shown = screen
    log = tmp_path / "crop.log"
    said = [f"{n}.mp4 rejected: no face, 1/2 of it dark" for n in range(5)]
    progress = ["svfap: crop fold1 116/168  ETA 00:04", "svfap: finetune demo/a 3/9  loss 1.2"]
    progress += ["svfap: https://x/y.flv: no connection: 1; next attempt in 2 s"]
    log.write_text("\n".join([*progress, *(f"svfap: {line}" for line in said), "other words"]))
    start(logger, log, rule="crop", dataset="demo", part="a")
    finish(logger)
    _, *notes = (line.strip() for line in shown.getvalue().splitlines())
    assert notes == [*said[:3], f"2 more in {log}"]


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        (
            "svfap: crop 1/2\nsvfap crop: error: no face; add one",
            "svfap crop: error: no face; add one",
        ),
        ("Traceback (most recent call last):\nValueError: x", "ValueError: x"),
    ],
)
def test_a_failed_job_shows_its_message_or_traceback_and_its_log(
    screen, tmp_path, printed, expected
):
    logger, shown = screen
    log = tmp_path / "crop.log"
    log.write_text(printed)
    facts = start(logger, log, rule="crop", dataset="demo", part="a")
    logger.error("RuleException:\nCalledProcessError in file", extra={"event": "error"})
    logger.error("Error in rule crop", extra={"event": "job_error", **facts})
    text = shown.getvalue()
    assert "FAILED: crop demo a, after" in text
    assert expected in text
    assert f"log: {log}" in text
    assert "CalledProcessError" not in text
    assert ("svfap: crop 1/2" in text) is False


def test_a_job_that_failed_before_its_stage_began_is_shown(screen, tmp_path):
    logger, shown = screen
    facts = {"jobid": 7, "rule_name": "pretrain", "log": [str(tmp_path / "none")]}
    groups = {"event": "group_error", "job_error_info": [facts]}
    logger.error("Error in group", extra=groups)
    assert "FAILED: pretrain, after 0 s" in shown.getvalue()


@pytest.mark.parametrize(
    ("level", "text", "event", "seen"),
    [
        (logging.INFO, "Building DAG of jobs...", None, False),
        (logging.INFO, "Provided cores: 2", "resources_info", False),
        (logging.INFO, "Nothing to be done", None, True),
        (logging.INFO, "Report created: report.html.", None, True),
        (logging.WARNING, "Select jobs: a warning", None, True),
        (logging.ERROR, "LockException: Directory cannot be locked", "error", True),
        (logging.INFO, "Elapsed time: 0:01:02.345678", None, True),
    ],
)
def test_only_chatter_is_hidden(screen, level, text, event, seen):
    logger, shown = screen
    logger.log(level, text, extra={"event": event})
    assert bool(shown.getvalue()) is seen


def test_a_storage_that_fails_is_one_line_and_once(screen):
    logger, shown = screen
    for number in range(3):
        text = (
            f"WorkflowError:\nFailed to check existence of s3://b/{number}\nClientError: no\n way"
        )
        logger.error(text, extra={"event": "error"})
    (line,) = shown.getvalue().splitlines()
    assert (
        "svfap: error: storage: Failed to check existence of s3://b/0 (ClientError: no way);"
        in line
    )
    assert "run the same command again" in line


def test_a_log_that_is_elsewhere_is_read_by_another_function():
    logger, shown = logging.Logger("snakemake"), io.StringIO()
    handler = logging.StreamHandler(shown)
    handler.name = job_lines.SCREEN
    logger.addHandler(handler)
    logs = {"s3://b/crop.log": "svfap crop: error: no face; add one"}
    job_lines.show_job_lines(logger, lambda name: logs.get(name, ""))
    for log in ("s3://b/crop.log", "s3://b/none.log"):
        facts = start(logger, log, rule="crop", dataset="demo", part="a")
        logger.error("Error in rule crop", extra={"event": "job_error", **facts})
    assert "no face; add one" in shown.getvalue()
    assert "no log at s3://b/none.log: the stage did not begin" in shown.getvalue()


def test_another_logger_of_the_user_stays_as_it_is():
    logger = logging.Logger("snakemake")
    rich = logging.StreamHandler(io.StringIO())
    logger.addHandler(rich)
    job_lines.show_job_lines(logger)
    assert logger.handlers == [rich]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (59.6, "1 min 0 s"), (192, "3 min 12 s"), (7261, "2 h 1 min")],
)
def test_times_in_words(seconds, words):
    assert job_lines.in_words(seconds) == words
