"""Saves of a training in an object store: another machine goes on from them."""

import json
import logging
import os
import signal
import subprocess
import sys
import time

import pytest
from helpers.s3_server import S3Server
from helpers.toy_shards import make_shards

from svfap.errors import SvfapError
from svfap.training.checkpoint import Checkpoint
from svfap.training.state import State

ADDRESS = "memory://toys/pretrain"


def test_another_machine_goes_on_and_the_end_leaves_nothing(tmp_path):
    first, second = (State(tmp_path / name, "a", ADDRESS) for name in ("first", "second"))
    assert second.load() is None
    first.save({"step": 1})
    first.save({"step": 2})
    assert second.load()["step"] == 2
    second.last.write_bytes(b"damaged")
    assert second.load()["step"] == 1
    assert State(tmp_path / "third", "other settings", ADDRESS).load() is None
    second.remove()
    assert State(tmp_path / "fourth", "a", ADDRESS).load() is None


def test_a_save_that_has_been_taken_over_is_replaced(tmp_path):
    State(tmp_path / "first", "a", ADDRESS).save({"step": 1})
    second = State(tmp_path / "second", "a", ADDRESS)
    second.save({"step": 5})
    third = State(tmp_path / "third", "a", ADDRESS)
    assert third.load()["step"] == 5
    assert third.previous.is_file()
    third.remove()


def test_an_address_that_cannot_be_used_is_one_line(tmp_path):
    with pytest.raises(SvfapError, match=r"SVFAP_STATE: nothing://x/y: .*; check address"):
        State(tmp_path, "a", "nothing://x/y").save({"step": 1})


def test_a_store_that_fails_later_ends_no_training(tmp_path, monkeypatch, caplog):
    state = State(tmp_path, "a", ADDRESS)
    state.save({"step": 1})
    with monkeypatch.context() as patched, caplog.at_level(logging.WARNING):
        patched.setattr("fsspec.implementations.memory.MemoryFileSystem.put_file", _refused)
        state.save({"step": 2})
    assert "the training goes on and tries again at the next save" in caplog.text
    state.save({"step": 3})
    assert State(tmp_path / "other", "a", ADDRESS).load()["step"] == 3
    state.remove()


def _refused(*args, **kwargs):
    raise PermissionError("Access Denied")


TRAINING = {
    "seed": 0,
    "model": {
        **{"image_size": 32, "patch_size": 8, "num_frames": 8, "dim": 24, "heads": 2},
        **{"depths": [1, 2, 2], "bottleneck_tokens": 2},
        **{"decoder_dim": 16, "decoder_heads": 2, "decoder_depth": 1},
    },
    "pretrain": {
        "datasets": ["x"],
        "stride": 1,
        "optim": {"epochs": 8, "batch_size": 4, "warmup_epochs": 1},
    },
}


@pytest.mark.slow
def test_a_training_that_is_taken_away_goes_on_from_a_bucket(tmp_path, monkeypatch):
    pytest.importorskip("moto")
    pytest.importorskip("s3fs")
    shards = make_shards(tmp_path / "shards", [0, 1] * 8)
    call = [sys.executable, "-m", "svfap", "pretrain", "--config", json.dumps(TRAINING)]
    call += ["--machine", '{"save_minutes": 1e-6}', "--shards", str(shards), "--output"]
    with S3Server() as server:
        bucket = server.client.create_bucket(Bucket="toys")
        keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
        keys |= {"AWS_ENDPOINT_URL": server.address, "SVFAP_STATE": "s3://toys/state"}

        def started(machine, **changed):
            output = tmp_path / machine / "results/pretrain/checkpoint.pt"
            return subprocess.Popen(
                [*call, str(output)],
                env=os.environ | keys | changed,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )

        with started("first") as first:
            while len([*bucket.objects.all()]) < 2:
                assert first.poll() is None
                time.sleep(0.02)
            os.killpg(first.pid, signal.SIGKILL)
        assert {item.key for item in bucket.objects.all()} == {
            "state/pretrain/last.pt",
            "state/pretrain/previous.pt",
        }
        with started("second") as second:
            _, said = second.communicate(timeout=300)
        assert second.returncode == 0, said
        assert "resuming at step" in said
        assert not [*bucket.objects.all()]
        with started("whole", SVFAP_STATE="") as whole:
            assert whole.wait(300) == 0
        paths = [tmp_path / name / "results/pretrain/checkpoint.pt" for name in ("second", "whole")]
        made, wanted = (Checkpoint.read(path).model for path in paths)
        assert all((made[name] == wanted[name]).all() for name in wanted)
        for name, value in keys.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SvfapError, match=r"SVFAP_STATE: s3://none-such/x: .*; check address"):
            State(tmp_path / "third", "a", "s3://none-such/x").save({"step": 1})
        assert [bucket.name for bucket in server.client.buckets.all()] == ["toys"]
