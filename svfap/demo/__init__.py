"""Synthetic talking heads: a face corpus that needs no download and shows no real person."""
