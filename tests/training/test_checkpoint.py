"""Checkpoints and live states that are damaged, foreign or of another size."""

from pathlib import Path

import pytest
import torch

from svfap.errors import SvfapError
from svfap.models import Autoencoder, VideoModel
from svfap.training import checkpoint
from svfap.training.state import State


class Evil:
    """Pickles to a call of a function."""

    def __reduce__(self):
        return (Path.touch, (Path("evil"),))


def test_a_checkpoint_of_another_width(toy_model):
    other = toy_model.model_copy(update={"dim": 32})
    weights = Autoencoder(other).encoder.state_dict()
    with pytest.raises(SvfapError, match=r"x\.pt: .*32 wide, the model 24: .*is \(32, ") as error:
        checkpoint.load_weights(Autoencoder(toy_model).encoder, weights, where="x.pt")
    assert "patch_embed.weight is (32, 384), the model's is (24, 384)" in str(error.value)
    assert "and " in str(error.value)


def test_a_checkpoint_of_another_number_of_classes(toy_model):
    weights = VideoModel(toy_model, 7).state_dict()
    with pytest.raises(SvfapError, match="7 outputs in the head, the model 8"):
        checkpoint.load_weights(VideoModel(toy_model, 8), weights, where="x.pt")


def test_a_checkpoint_of_another_depth(toy_model):
    weights = VideoModel(toy_model, 7).state_dict()
    deeper = toy_model.model_copy(update={"depths": (1, 2, 3)})
    with pytest.raises(SvfapError, match=r"encoder\.blocks\.5\.\S+ is missing.* and \d+ more"):
        checkpoint.load_weights(VideoModel(deeper, 7), weights, where="x.pt")


@pytest.mark.parametrize("damage", ["cut", "text", "empty", "pickle"])
def test_damaged_checkpoints(tmp_path, monkeypatch, damage):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "checkpoint.pt"
    checkpoint.save(path, {"model": {"a": torch.zeros(1000)}})
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-500])
    elif damage == "text":
        path.write_text("hello")
    elif damage == "empty":
        path.write_bytes(b"")
    else:
        torch.save({"model": Evil()}, path)
    with pytest.raises(SvfapError, match=r"checkpoint\.pt: not a whole checkpoint") as error:
        checkpoint.load(path)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "evil").exists()


def test_missing_checkpoint(tmp_path):
    with pytest.raises(SvfapError, match="cannot be read"):
        checkpoint.load(tmp_path / "none.pt")


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "checkpoint.pt"
    checkpoint.save(path, {"step": 1})
    with pytest.raises(AttributeError, match="pickle"):
        checkpoint.save(path, {"step": lambda: 2})
    assert checkpoint.load(path) == {"step": 1}


def test_states_say_what_wrote_them(tmp_path):
    state = State(tmp_path, "mine")
    state.save({"step": 1})
    saved = state.load()
    assert saved["version"]
    assert "commit" in saved


def test_a_torn_state_falls_back_to_the_one_before(tmp_path, caplog):
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


def test_another_runs_state_is_not_taken_up(tmp_path):
    State(tmp_path, "theirs").save({"step": 5})
    assert State(tmp_path, "mine").load() is None
