"""Public models to start fine-tuning from: a catalogue, fetching, and conversion.

`catalogue.py` and `start.py` are facts and checks without torch; `fetch.py` downloads one file,
and `cache.py` converts it once.
"""
