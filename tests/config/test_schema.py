"""config/schema.json, with which editors complete and check configurations."""

import json
from pathlib import Path

import pytest
import yaml
from helpers.shipped_configs import SHIPPED

from svfap.config.json_schema import json_schema

CONFIG = Path(__file__).parents[2] / "config"


@pytest.fixture(scope="module")
def validator():
    jsonschema = pytest.importorskip("jsonschema")  # Snakemake depends on it
    schema = json.loads(json_schema())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_the_committed_schema_is_current():
    """To renew it: `python -m svfap.config.json_schema > config/schema.json`."""
    assert (CONFIG / "schema.json").read_text(encoding="utf-8") == json_schema()


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_every_configuration_names_the_schema_and_fits_it(path, validator):
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# yaml-language-server: $schema=schema.json\n")
    assert not [error.message for error in validator.iter_errors(yaml.safe_load(text))]


@pytest.mark.parametrize(
    "values",
    [
        {"datasets": {"demo": {}}, "seeed": 1},
        {"datasets": {"demo": {"finetune": {"optim": {"epoch": 1}}}}},
        {"datasets": {"demo": {}}, "variants": {"a": {"model": {"depth": [1, 2, 3]}}}},
        {"datasets": {"demo": {}}, "finetune": {"mixup": -1}},
        {"datasets": {}},
    ],
)
def test_mistakes_are_found(values, validator):
    assert list(validator.iter_errors(values))
