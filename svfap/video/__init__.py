"""Read, time, sample and write video."""
