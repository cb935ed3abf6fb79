"""Benchmarks: `python -m benchmarks.NAME --json FILE`; see README.md."""
