"""The forecast of `python -m svfap plan`: what an experiment will cost on a machine."""
