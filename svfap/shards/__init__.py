"""WebDataset shards: tars that anyone can read, with an index for random access."""
