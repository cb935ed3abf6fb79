"""Augmentation of clips: one random choice per clip, the same in every frame."""
