"""Names of the files of a shared model, without torch: the command line needs them at once."""

# The Hugging Face hub expects these names.
WEIGHTS, CONFIG, CARD = "model.safetensors", "config.json", "README.md"
PREPROCESSING = "preprocessor_config.json"
METRICS = "metrics.json"
LICENCE = "LICENSE.md"
# Further formats, see `use.exchange`.
FORMATS = {"onnx": "model.onnx", "int8": "model.int8.onnx", "pt2": "model.pt2"}
FILES = (WEIGHTS, CONFIG, PREPROCESSING, METRICS, CARD, LICENCE, *FORMATS.values())
