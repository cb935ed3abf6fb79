"""One file per rule of the workflow; stages meet only in files."""
