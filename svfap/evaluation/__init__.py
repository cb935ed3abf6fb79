"""From a fine-tuned model to predictions, and from predictions to metrics."""
