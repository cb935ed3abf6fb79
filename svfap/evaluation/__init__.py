"""Inference with a fine-tuned model, its predictions, and metrics of predictions."""
