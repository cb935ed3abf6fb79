"""Turn predictions into tables: measure, compare with the paper's numbers, render."""
