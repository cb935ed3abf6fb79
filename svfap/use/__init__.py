"""A trained model in use: on a video, a folder or a camera; shared, exported, converted."""
