"""JSON Schema of the configuration, with which editors complete and check `config/*.yaml`.

`python -m svfap.config.json_schema > config/schema.json` writes it.
"""

import json
from typing import Any

from svfap.config.schema import Config

_OVERRIDES = {"model": "ModelConfig", "pretrain": "PretrainConfig", "finetune": "FinetuneConfig"}


def json_schema() -> str:
    """Return the schema of `Config` as JSON text, one key per line."""
    schema = Config.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    for section in ("DatasetConfig", "VariantDataset", "Variant"):
        _check_overrides(schema["$defs"][section]["properties"])
    return json.dumps(schema, indent=2) + "\n"


def _check_overrides(properties: dict[str, Any]) -> None:
    """Check overrides against the section that they change.

    In Python, overrides are plain dictionaries, since a partial section is checked only after the
    merge. Every key of these sections has a default, so the schema of a section also fits a part
    of it.
    """
    for key, section in _OVERRIDES.items():
        if key in properties:
            about = properties[key]["description"]
            properties[key] = {"$ref": f"#/$defs/{section}", "description": about}


if __name__ == "__main__":
    print(json_schema(), end="")
