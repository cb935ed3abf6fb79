"""Face detectors, their weights, and how to choose one by name."""
