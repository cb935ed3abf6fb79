"""The stages: one file per rule of the workflow. Stages exchange files and nothing else."""
