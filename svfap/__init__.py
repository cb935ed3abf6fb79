"""SVFAP: from raw face video to a benchmark table (arXiv 2401.00416)."""

__version__ = "0.1.0"
