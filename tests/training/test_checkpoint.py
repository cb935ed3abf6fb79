"""Checkpoints, old ones too, and live states that are damaged, foreign or of another size."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from svfap.config import PretrainConfig
from svfap.config.stage_sections import FinetuneJob, PretrainJob
from svfap.errors import SvfapError
from svfap.models import Autoencoder, VideoModel
from svfap.training import tensor_file
from svfap.training.checkpoint import Checkpoint, Origin, load_model, load_weights
from svfap.training.state import State
from svfap.use import bundle


class Evil:
    """Pickles to a call of a function."""

    def __reduce__(self):
        return (Path.touch, (Path("evil"),))


def finetune_job(model):
    return FinetuneJob(
        seed=0, task="classification", targets=("a", "b"), stride=1, model=model, finetune={}
    )


def test_a_checkpoint_of_another_width(toy_model):
    other = toy_model.model_copy(update={"dim": 32})
    weights = Autoencoder(other).encoder.state_dict()
    with pytest.raises(SvfapError, match=r"x\.pt: .*32 wide, the model 24: .*is \(32, ") as error:
        load_weights(Autoencoder(toy_model).encoder, weights, where="x.pt")
    assert "patch_embed.weight is (32, 384), the model's is (24, 384)" in str(error.value)
    assert "and " in str(error.value)


def test_a_checkpoint_of_another_number_of_classes(toy_model):
    weights = VideoModel(toy_model, 7).state_dict()
    with pytest.raises(SvfapError, match="7 outputs in the head, the model 8"):
        load_weights(VideoModel(toy_model, 8), weights, where="x.pt")


def test_a_checkpoint_of_another_depth(toy_model):
    weights = VideoModel(toy_model, 7).state_dict()
    deeper = toy_model.model_copy(update={"depths": (1, 2, 3)})
    with pytest.raises(SvfapError, match=r"encoder\.blocks\.5\.\S+ is missing.* and \d+ more"):
        load_weights(VideoModel(deeper, 7), weights, where="x.pt")


@pytest.mark.parametrize("damage", ["cut", "text", "empty", "flip", "pickle"])
def test_damaged_checkpoints(tmp_path, monkeypatch, damage):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "checkpoint.pt"
    tensor_file.write(path, {"model": {"a": torch.zeros(1000)}})
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-500])
    elif damage == "text":
        path.write_text("hello")
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "flip":
        path.write_bytes(path.read_bytes().replace(bytes(100), b"\1" + bytes(99), 1))
    else:
        torch.save({"model": Evil()}, path)
    with pytest.raises(SvfapError, match=r"checkpoint\.pt: not a whole checkpoint") as error:
        tensor_file.read(path)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("stage", ["pretrain", "finetune"])
def test_a_checkpoint_that_records_settings_of_the_machine(tmp_path, toy_model, stage):
    """As version 0.1.0 wrote them."""
    job = finetune_job(toy_model)
    if stage == "pretrain":
        job = PretrainJob(seed=0, model=toy_model, pretrain=PretrainConfig())
    Checkpoint({"a": torch.zeros(1)}, job).write(tmp_path / "m.pt")
    content = tensor_file.read(tmp_path / "m.pt")
    content["config"][stage]["optim"] |= {
        "workers": 1, "save_minutes": 10.0, "device_batch": None, "compile": False
    }  # fmt: skip
    tensor_file.write(tmp_path / "old.pt", content)
    assert Checkpoint.read(tmp_path / "old.pt").job == job
    content["config"][stage]["optim"]["epoch"] = 1
    tensor_file.write(tmp_path / "bad.pt", content)
    with pytest.raises(SvfapError, match=r"unknown key .*epoch'; did you mean"):
        Checkpoint.read(tmp_path / "bad.pt")


def test_a_checkpoint_reads_back_with_the_keys_of_its_format(tmp_path, toy_model):
    path, origin = tmp_path / "m.pt", Origin(datasets=("a", "b"), notice="Made up.", clips=5)
    job, weights = finetune_job(toy_model), VideoModel(toy_model, 2).state_dict()
    written = Checkpoint(weights, job, clips=9, crop={"preset": "auto"}, fps=25.0, origin=origin)
    written.write(path)
    found, content = Checkpoint.read(path), tensor_file.read(path)
    assert replace(found, model={}, version="", commit="") == replace(written, model={})
    assert all(torch.equal(found.model[key], weights[key]) for key in weights)
    assert [*content] == [
        *("version", "commit", "model", "config", "clips", "crop", "fps", "origin")
    ]
    assert content["config"] == job.model_dump(mode="json")
    assert content["origin"] == {"datasets": ["a", "b"], "notice": "Made up.", "clips": 5}
    model, loaded = load_model(path)
    assert loaded == job
    assert not model.training


def test_unknown_facts_are_left_out_and_a_run_from_scratch_has_an_empty_origin(tmp_path):
    Checkpoint({}, None).write(tmp_path / "bare.pt")
    Checkpoint({}, None, crop={}, origin=Origin()).write(tmp_path / "scratch.pt")
    assert [*tensor_file.read(tmp_path / "bare.pt")] == ["version", "commit", "model"]
    assert tensor_file.read(tmp_path / "scratch.pt")["origin"] == {}


def test_older_checkpoints_lack_some_keys(tmp_path, toy_model):
    job, weights = finetune_job(toy_model), VideoModel(toy_model, 2).state_dict()
    torch.save({"model": weights, "config": job.model_dump(mode="json")}, tmp_path / "m.pt")
    assert load_model(tmp_path / "m.pt")[1] == job
    found = bundle.load(tmp_path / "m.pt").facts
    assert (found.clips, found.crop, found.fps, found.origin, found.commit) == (
        *(0, {}, None, Origin(), ""),
    )


def test_a_model_without_head_or_settings_does_not_predict(tmp_path, toy_model):
    weights = Autoencoder(toy_model).state_dict()
    job = PretrainJob(seed=0, model=toy_model, pretrain=PretrainConfig())
    Checkpoint(weights, job).write(tmp_path / "pretrained.pt")
    Checkpoint(weights, None).write(tmp_path / "weights.pt")
    with pytest.raises(SvfapError, match=r"pretrained\.pt: pre-trained only"):
        load_model(tmp_path / "pretrained.pt")
    with pytest.raises(SvfapError, match=r"weights\.pt: weights without this package's config"):
        load_model(tmp_path / "weights.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    torch.save({"model": Evil()}, tmp_path / "evil.pt")
    for name in ("list.pt", "evil.pt"):
        with pytest.raises(SvfapError, match="convert the authors' checkpoints"):
            Checkpoint.read(tmp_path / name)


def test_missing_checkpoint(tmp_path):
    with pytest.raises(SvfapError, match="cannot be read"):
        tensor_file.read(tmp_path / "none.pt")


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "checkpoint.pt"
    tensor_file.write(path, {"step": 1})
    with pytest.raises(AttributeError, match="pickle"):
        tensor_file.write(path, {"step": lambda: 2})
    assert tensor_file.read(path) == {"step": 1}


def test_states_record_the_code_that_wrote_them(tmp_path):
    state = State(tmp_path, "mine")
    state.save({"step": 1})
    saved = state.load()
    assert saved["version"]
    assert "commit" in saved


def test_a_damaged_state_falls_back_to_the_one_before(tmp_path, caplog):
    state = State(tmp_path, "mine")
    state.save({"step": 1})
    state.save({"step": 2})
    assert state.load()["step"] == 2
    state.last.write_bytes(state.last.read_bytes()[:-50])
    assert state.load()["step"] == 1
    assert "last.pt: not a whole checkpoint" in caplog.text
    state.remove()
    assert state.load() is None


def test_killed_between_two_renames(tmp_path):
    state = State(tmp_path, "mine")
    state.save({"step": 1})
    state.last.replace(state.previous)
    assert state.load()["step"] == 1


def test_the_state_of_another_run_is_ignored(tmp_path):
    State(tmp_path, "theirs").save({"step": 5})
    assert State(tmp_path, "mine").load() is None
