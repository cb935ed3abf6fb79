"""From predictions to tables: measure, set beside the paper's numbers, render."""
