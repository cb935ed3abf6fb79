"""A checked experiment: what each stage receives, its runs, and where every output lies."""
