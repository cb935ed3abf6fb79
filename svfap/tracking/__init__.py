"""Follow each stage: `run.jsonl` beside its output, and a copy in MLflow."""
