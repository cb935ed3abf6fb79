"""What `pretrain.checkpoint` names, and what follows from a public model."""

import json

import numpy as np
import pytest
import torch
from helpers.tiny_trainer import PLAIN, no_log
from helpers.toy_shards import make_shards
from safetensors.torch import save_file
from weights.make_references import made_up

from svfap.commands import weights as command
from svfap.config import FinetuneConfig, ModelConfig, OptimConfig
from svfap.config.stage_sections import FinetuneJob
from svfap.errors import SvfapError
from svfap.experiment import resolve, runs
from svfap.models import VideoModel
from svfap.stages import finetune
from svfap.training.checkpoint import Checkpoint
from svfap.weights import start
from svfap.weights.catalogue import MODELS, NON_COMMERCIAL

BASE = {"checkpoint": "videomae-base", "accept_licences": [NON_COMMERCIAL]}


def experiment(**sections):
    return resolve.resolve({"datasets": {"demo": {}}} | sections, where="config")


def test_sizes_stride_and_crop_size_follow_the_weights():
    config = experiment(pretrain=BASE).config
    assert (config.model.dim, config.model.depths, config.model.image_size) == (768, (12,), 224)
    assert (config.finetune.stride, config.crop.size) == (4, 224)
    job = experiment(pretrain=BASE).finetune_section("demo")
    assert job.public.startswith("MCG-NJU/videomae-base@a6c2a8d3")
    assert start.public(job.public) == start.public("videomae-base")


def test_keys_that_the_user_sets_win():
    config = experiment(
        pretrain=BASE, model={"image_size": 160}, finetune={"stride": 2}, crop={"size": 160}
    ).config
    assert (config.model.image_size, config.finetune.stride, config.crop.size) == (160, 2, 160)
    assert config.model.dim == 768


def test_a_variant_takes_the_sizes_of_its_own_weights():
    pretrain = {"checkpoint": "marlin-small@0f", "accept_licences": [NON_COMMERCIAL]}
    found = experiment(
        finetune={"init": "scratch"},
        variants={"marlin": {"pretrain": pretrain, "finetune": {"init": "pretrained"}}},
    )
    main, variant = (run.experiment.config for run in runs.expand(found).values())
    assert (main.model.dim, variant.model.dim) == (512, 384)
    assert (variant.finetune.stride, variant.model.norm_eps) == (2, 1e-5)
    assert variant.crop == main.crop


@pytest.mark.parametrize(
    ("checkpoint", "said"),
    [
        ("videomae-base", "accept_licences.*CC-BY-NC-4.0"),
        ("MCG-NJU/videomae-base@main:pytorch_model.bin", "accept_licences.*CC-BY-NC-4.0"),
        ("marlin-base", "needs a revision.*commits/main"),
        ("s4d-base@0f", "needs a file.*:FILE"),
        ("videomae-bse", "did you mean 'videomae-base'"),
        ("lab/vit", "OWNER/REPOSITORY@REVISION"),
    ],
)
def test_a_name_that_is_not_complete_is_one_clear_line(checkpoint, said):
    with pytest.raises(SvfapError, match=said) as error:
        experiment(pretrain={"checkpoint": checkpoint})
    assert len(str(error.value).splitlines()) == 1


def test_a_file_of_the_same_name_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "videomae-base").write_bytes(b"weights")
    assert start.public("videomae-base") is None
    assert experiment(pretrain={"checkpoint": "videomae-base"}).config.model.dim == 512


@pytest.mark.parametrize("name", MODELS)
def test_every_listed_model_has_sizes_that_our_class_takes(name):
    model = MODELS[name]
    with torch.device("meta"):
        VideoModel(ModelConfig(**model.sizes), 0)
    assert model.source
    assert model.proof
    assert model.name in command.run([])
    assert model.licence in command.run([name])


def test_a_licence_is_accepted_before_anything_is_fetched():
    with pytest.raises(SvfapError, match="add --accept-licence CC-BY-NC"):
        command.run(["videomae-base", "--fetch"])


def plain_weights(path):
    """Write the file of a plain transformer, 64 wide, one block."""
    whole = VideoModel(ModelConfig(**SMALL), 0).encoder.state_dict()
    state = {"patch_embed.proj.weight": made_up("p", (64, 3, 2, 8, 8))}
    state["patch_embed.proj.bias"] = whole["patch_embed.bias"]
    for name, value in whole.items():
        if name.startswith("blocks.") and ".attn.q" not in name and ".attn.k" not in name:
            state[name.replace("attn.v.bias", "attn.v_bias")] = value
    del state["blocks.0.attn.v.weight"]
    state["blocks.0.attn.qkv.weight"] = made_up("qkv", (192, 64))
    state["blocks.0.attn.q_bias"] = made_up("q", (64,))
    save_file(state, path)


SMALL = {
    "image_size": 32,
    "patch_size": 8,
    "num_frames": 8,
    "dim": 64,
    "heads": 1,
    "depths": (1,),
    "pyramid": "none",
    "bottleneck": False,
}


def tune(tmp_path, model, *, pretrained=(), public=""):
    optim = OptimConfig(epochs=1, warmup_epochs=0, batch_size=8, lr=1e-12, min_lr=0)
    facts = {"seed": 0, "task": "classification", "targets": ("a", "b"), "stride": 1}
    job = FinetuneJob(
        **facts, model=model, public=public, finetune=FinetuneConfig(optim=optim, **PLAIN)
    )
    shards = [make_shards(tmp_path / "shards", [0, 1] * 4)]
    output = tmp_path / "run" / "checkpoint.pt"
    output.parent.mkdir(exist_ok=True)
    finetune.run(
        job, pretrained=list(pretrained), shards=shards, validation=[], output=output, log=no_log
    )
    return Checkpoint.read(output)


def test_finetuning_starts_from_a_public_file(tmp_path):
    plain_weights(tmp_path / "model.safetensors")
    command.run([str(tmp_path / "model.safetensors"), "--output", str(tmp_path / "o.safetensors")])
    for name in ("model.safetensors", "o.safetensors"):
        found = tune(tmp_path, ModelConfig(**SMALL), pretrained=[tmp_path / name])
        trained = found.model["encoder.blocks.0.attn.q.bias"]
        np.testing.assert_allclose(trained, made_up("q", (64,)), atol=1e-6)
        assert found.origin is not None
    assert found.origin.notice == "Starts from the weights model.safetensors."


def test_finetuning_starts_from_an_exported_folder(tmp_path, toy_model):
    state = VideoModel(toy_model, 5).state_dict()
    save_file({name: value.clone() for name, value in state.items()}, tmp_path / start.WEIGHTS)
    job = {"svfap": {"job": {"model": json.loads(toy_model.model_dump_json())}}}
    (tmp_path / "config.json").write_text(json.dumps(job))
    found = tune(tmp_path, toy_model, pretrained=[start.file_of(tmp_path)])
    name = "encoder.patch_embed.weight"
    torch.testing.assert_close(found.model[name], state[name], rtol=0, atol=1e-6)


def test_finetuning_with_other_sizes_says_what_to_write(tmp_path, toy_model):
    plain_weights(tmp_path / "model.safetensors")
    with pytest.raises(SvfapError, match=r'write model: \{"dim": 64'):
        tune(tmp_path, toy_model, pretrained=[tmp_path / "model.safetensors"])


def test_a_converted_file_is_not_overwritten(tmp_path):
    plain_weights(tmp_path / "model.safetensors")
    target = tmp_path / "o.safetensors"
    target.write_bytes(b"mine")
    with pytest.raises(SvfapError, match="--overwrite"):
        command.run([str(tmp_path / "model.safetensors"), "--output", str(target)])
    assert target.read_bytes() == b"mine"
