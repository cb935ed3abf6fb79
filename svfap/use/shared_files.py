"""Names of the files of a shared model, without torch: the command line needs them at once."""

# The Hugging Face hub expects these names.
WEIGHTS, CONFIG, CARD = "model.safetensors", "config.json", "README.md"
PREPROCESSING = "preprocessor_config.json"
METRICS = "metrics.json"
FORMATS = {"onnx": "model.onnx", "pt2": "model.pt2"}  # further formats, see `use.exchange`
FILES = (WEIGHTS, CONFIG, PREPROCESSING, METRICS, CARD, *FORMATS.values())
