"""From predictions to tables: measure, compare with the paper's numbers, render."""
