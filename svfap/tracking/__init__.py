"""Tracking of every stage: `run.jsonl` beside its output, and a copy of it in MLflow."""
