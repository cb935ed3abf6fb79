"""A checked experiment: what each stage receives, its runs, and the place of every output."""
