"""Commands beside the stages: one module each, whose `run(arguments)` returns the text to print."""
