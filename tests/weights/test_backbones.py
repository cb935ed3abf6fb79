"""A small `config/backbones.yaml`: two backbones in one table, one of them from a hub."""

import re

import pandas as pd
import pytest
from helpers import http_server
from helpers.toy_project import CONFIG, changed, snakemake, write_project
from weights.test_fetch import MODEL, NAME, answer_as_the_hub
from weights.test_start import SMALL, plain_weights


@pytest.mark.slow
def test_a_public_backbone_is_a_row_of_the_table(tmp_path, toy_videos, monkeypatch):
    write_project(tmp_path, toy_videos)
    plain_weights(tmp_path / "model.safetensors")
    variant = {
        "label": "public",
        "model": SMALL | {"depths": [1]},
        "pretrain": {"checkpoint": NAME},
        "finetune": {"init": "pretrained"},
    }
    probe = variant | {"label": "a probe", "finetune": {"init": "pretrained", "tune": "probe"}}
    variants = {"vit": variant, "probe": probe}
    changed(
        tmp_path,
        datasets={"toy": CONFIG["datasets"]["toy"]},
        baseline=False,
        finetune__init="scratch",
        pretrain__datasets=[],
        variants=variants,
    )
    with http_server.running() as server:
        server.files = {MODEL: (tmp_path / "model.safetensors").read_bytes()}
        server.cut, server.script = [], answer_as_the_hub
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
        monkeypatch.setenv("SVFAP_WEIGHTS", str(tmp_path / "weights"))
        done = snakemake(tmp_path, "results/tables/ablations.md", check=False)
    assert done.returncode == 0, done.stderr[-5000:]
    tables = tmp_path / "results" / "tables"
    costs = pd.read_csv(tables / "costs.csv")
    assert len(costs) == 3
    text = (tables / "ablations.md").read_text()
    assert re.search(r"\| public ", text)
    assert re.search(r"\| a probe ", text)
    assert len([*(tmp_path / "weights").iterdir()]) == 1
