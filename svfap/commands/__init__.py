"""Commands that are no stages: one module each, `run(arguments)` gives what is printed."""
