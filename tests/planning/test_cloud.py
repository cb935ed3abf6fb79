"""Prices of an experiment on a cloud: their arithmetic, a user's own prices, and mistakes."""

import json
from pathlib import Path

import pytest

from svfap.commands import plan
from svfap.errors import SvfapError
from svfap.planning import cloud
from svfap.planning.estimate import Estimate
from svfap.planning.machines import choose_machine

PAPER = Path(__file__).parents[2] / "config" / "paper.yaml"
HEADER = "item,low,high,unit,source\n"


def stage(**figures):
    zeros = dict.fromkeys((n for n, f in Estimate.model_fields.items() if f.is_required()), 0)
    return Estimate.model_validate(zeros | figures)


STAGES = {
    "crop": stage(cpu_seconds=36_000, disk_bytes=1e12),
    "pretrain": stage(cpu_seconds=99_999, gpu_seconds=72_000, disk_bytes=1e9),
}


def charges(machine="h100", save_minutes=10):
    prices, known = cloud.read(cloud.SHIPPED), choose_machine(machine, {})
    found = cloud.charges(STAGES, known, prices, save_minutes=save_minutes)
    return {charge.purpose: (charge.low, charge.high) for charge in found}


def test_hours_and_bytes_are_charged():
    found = charges()
    assert found["h100"] == pytest.approx((20 * 1.99, 20 * 6.98))
    assert found["cpu"] == pytest.approx((10 * 0.043, 10 * 0.048))  # the GPU's price includes CPUs
    assert found["storage, a month"] == pytest.approx((1001 * 0.015, 1001 * 0.023))
    assert found["copying all of it out"] == pytest.approx((0, 1001 * 0.12))


def test_a_spot_machine_is_cheaper_and_repeats_what_was_not_saved():
    often, seldom = charges(save_minutes=10)["h100, spot"], charges(save_minutes=130)["h100, spot"]
    assert often[0] == pytest.approx(20 * 1.99 * 0.2 * (1 + 10 / 60 / 24))
    assert often[1] == pytest.approx(20 * 6.98 * 0.5 * (1 + 10 / 60 / 2))
    assert seldom[1] == pytest.approx(20 * 6.98 * 0.5 * (1 + 70 / 60 / 2))
    assert often[1] < charges()["h100"][1]


def test_pods_and_larger_machines_cost_the_same_per_gpu():
    assert charges("h100-pods8") == charges("h100x8") == charges("h100")
    assert "rtx4090" in charges("rtx4090")
    with pytest.raises(SvfapError, match="a GPU of 'rtx3090x4' is unknown"):
        charges("rtx3090x4")


def test_every_price_has_a_source():
    for price in cloud.read(cloud.SHIPPED).values():
        assert price.source
        assert price.low <= price.high


def test_own_prices_win(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(HEADER + "h100,3,3,GPU hour,contract\nrtx3090,0.1,0.1,GPU hour,ours\n")
    options = ("--configfile", str(PAPER), "--cloud", str(path), "--machine")
    found = json.loads(plan.run([*options, "h100", "--json"]))
    gpu = found["charges"][0]
    hours = sum(each["gpu_seconds"] for each in found["stages"].values()) / 3600
    assert gpu["low"] == gpu["high"] == pytest.approx(3 * hours)
    assert any("contract" in line for line in found["assumptions"])
    text = plan.run([*options, "rtx3090x4"])
    assert "rtx3090, spot" in text
    assert "US dollars" in text


def test_without_the_flag_nothing_is_charged():
    options = ["--configfile", str(PAPER), "--machine", "h100"]
    assert not json.loads(plan.run([*options, "--json"]))["charges"]
    assert "US dollars" not in plan.run(options)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file"),
        ("", "contains no prices"),
        ("a,b\n1,2\n", "contains no prices"),
        (HEADER + "h100,9,3,GPU hour,x\n", "above `high`"),
        (HEADER + "h100,dear,3,GPU hour,x\n", "low"),
    ],
)
def test_wrong_prices_are_explained(tmp_path, content, message):
    path = tmp_path / "mine.csv"
    if content is not None:
        path.write_text(content)
    with pytest.raises(SvfapError, match=message) as caught:
        cloud.read(path)
    assert "\n" not in str(caught.value)
