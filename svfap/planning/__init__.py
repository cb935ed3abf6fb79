"""`python -m svfap plan`: what an experiment costs on a machine, before it is run."""
