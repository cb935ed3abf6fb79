"""SVFAP: from raw face video to a benchmark table (arXiv 2401.00416)."""

from svfap.registry import register

__version__ = "0.1.0"

register()
