"""Saves of a training in an object store: another machine goes on from them."""

import pytest

from svfap.errors import SvfapError
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
