"""Commands beside the stages: one module each, whose `run(arguments)` returns the text to print."""

COMMANDS = (
    "new",
    "run",
    "predict",
    "serve",
    "export",
    "convert",
    "weights",
    "datasets",
    "plan",
    "doctor",
    "sync-tracking",
)
