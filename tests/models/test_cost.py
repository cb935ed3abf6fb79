"""Parameters and multiply-adds of the paper, from constructor arguments, to the printed digit."""

import pytest

from svfap.config import ModelConfig
from svfap.config.stage_sections import CostConfig, CostJob
from svfap.models.cost import finetune_cost, pretrain_cost
from svfap.stages import cost as stage
from svfap.tables import costs

SMALL = {"dim": 384, "heads": 6, "depths": (8, 4, 2)}
FLAT = {"bottleneck": False, "depths": (12, 8, 4)}


def millions(count):
    return round(count / 1e6, 1)


def billions(count):
    return round(count / 1e9, 1)


@pytest.mark.parametrize(
    ("sizes", "parameters", "multiply_adds", "pretraining"),
    [
        pytest.param({}, 77.6, 43.6, 12.9, id="SVFAP-B"),
        pytest.param({"bottleneck_tokens": 4}, 77.6, 43.2, 12.6, id="4 bottleneck tokens"),
        pytest.param({"bottleneck_tokens": 16}, 77.6, 44.4, 13.7, id="16 bottleneck tokens"),
        pytest.param(FLAT | {"pyramid": "none"}, 76.4, 76.9, 14.9, id="plain transformer"),
        pytest.param(FLAT, 77.5, 53.1, 13.1, id="pyramid alone"),
        pytest.param({"pyramid": "none"}, 76.6, 49.9, 13.5, id="bottleneck alone"),
        pytest.param({"pyramid": "avg"}, 76.6, 43.3, 12.9, id="average pooling"),
        pytest.param({"pyramid": "max"}, 76.6, 43.3, 12.9, id="maximum pooling"),
    ],
)
def test_ablations(sizes, parameters, multiply_adds, pretraining):
    config = ModelConfig(**sizes)
    cost = finetune_cost(config, 7)
    assert (millions(cost.parameters), billions(cost.multiply_adds)) == (parameters, multiply_adds)
    assert billions(pretrain_cost(config, 0.9).multiply_adds) == pretraining


@pytest.mark.parametrize(("ratio", "expected"), [(0.75, 18.4), (0.85, 14.7), (0.95, 11.2)])
def test_mask_ratios(ratio, expected):
    assert billions(pretrain_cost(ModelConfig(), ratio).multiply_adds) == expected


def test_half_of_the_masked_tokens_as_targets():
    """Decoding 440 tokens a clip instead of 800 saves a third, all of it in the decoder."""
    whole, half = (pretrain_cost(ModelConfig(), 0.9, share) for share in (1, 0.5))
    assert whole.parameters == half.parameters
    tokens, width, pixels = 800, 384, 1536

    def decoder(tokens, targets):
        block = tokens * (12 * width**2 + 2 * width * tokens + 2 * 5 * width)
        return 4 * block + targets * width * (pixels + 5)

    saved = decoder(tokens, 720) - decoder(tokens - 360, 360)
    assert whole.multiply_adds - half.multiply_adds == saved
    assert half.multiply_adds / whole.multiply_adds == pytest.approx(0.68, abs=0.01)


def test_small_model():
    cost = finetune_cost(ModelConfig(**SMALL), 7)
    assert cost.parameters / 1e6 == pytest.approx(29.68, abs=0.01)  # table 7: 30 M
    assert cost.multiply_adds / 1e9 == pytest.approx(18, abs=0.1)


def test_pretraining_parameters():
    assert millions(pretrain_cost(ModelConfig(), 0.9).parameters) == 85.5
    assert millions(pretrain_cost(ModelConfig(**SMALL), 0.9).parameters) == 37.5


def test_the_stage_writes_a_row_a_run(tmp_path):
    model = ModelConfig(
        image_size=32, patch_size=8, num_frames=8, dim=24, heads=2, depths=(1, 2, 2)
    )
    job = CostJob(model=model, outputs=7, mask_ratio=0.9)
    logged = {}
    path = tmp_path / "costs.csv"
    stage.run(CostConfig(runs={"": job, "same": job}), output=path, log=logged.update)
    found = costs.read_costs(path)
    assert found[""] == found["same"]
    assert found[""].parameters * 1e6 == pytest.approx(finetune_cost(model, 7).parameters)
    assert logged["pretrain_multiply_adds"] == pretrain_cost(model, 0.9).multiply_adds
