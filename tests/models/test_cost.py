"""The formulas of the models' cost: torch's own count, and the paper's tables to the digit."""

import subprocess
import sys
from itertools import product

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from svfap.config import FinetuneConfig, ModelConfig
from svfap.config.stage_sections import CostConfig, CostJob
from svfap.models import Autoencoder, VideoModel
from svfap.models.cost import (
    NORM_OPERATIONS,
    finetune_cost,
    pretrain_cost,
    skipped_multiply_adds,
    trained_parameters,
)
from svfap.models.masking import target_sites, tube_sites
from svfap.stages import cost as stage
from svfap.tables import costs
from svfap.training import tuning

SMALL = {"dim": 384, "heads": 6, "depths": (8, 4, 2)}
FLAT = {"bottleneck": False, "depths": (12, 8, 4)}
ABLATIONS = [
    pytest.param({}, 77.6, 43.6, 12.9, id="SVFAP-B"),
    pytest.param({"bottleneck_tokens": 4}, 77.6, 43.2, 12.6, id="4 bottleneck tokens"),
    pytest.param({"bottleneck_tokens": 16}, 77.6, 44.4, 13.7, id="16 bottleneck tokens"),
    pytest.param(FLAT | {"pyramid": "none"}, 76.4, 76.9, 14.9, id="plain transformer"),
    pytest.param(FLAT, 77.5, 53.1, 13.1, id="pyramid alone"),
    pytest.param({"pyramid": "none"}, 76.6, 49.9, 13.5, id="bottleneck alone"),
    pytest.param({"pyramid": "avg"}, 76.6, 43.3, 12.9, id="average pooling"),
    pytest.param({"pyramid": "max"}, 76.6, 43.3, 12.9, id="maximum pooling"),
]
ALL_SIZES = [pytest.param(each.values[0], id=each.id) for each in ABLATIONS]
ALL_SIZES += [pytest.param(SMALL, id="SVFAP-S")]
TINY = {"image_size": 96, "dim": 128, "heads": 4, "depths": (3, 2, 2)}
TINY |= {"decoder_dim": 96, "decoder_heads": 3, "decoder_depth": 3}


def millions(count):
    return round(count / 1e6, 1)


def billions(count):
    return round(count / 1e9, 1)


def counted(model, *inputs):
    """Parameters, and multiply-adds of a forward pass as torch counts them."""

    def norm(shape, *_, **__):
        return 2 * NORM_OPERATIONS * shape.numel()  # torch counts two operations a multiply-add

    layer_norm = torch.ops.aten.native_layer_norm
    with FlopCounterMode(display=False, custom_mapping={layer_norm: norm}) as counter:
        model(*inputs)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return parameters, counter.get_total_flops() // 2


def meta_clip(config):
    return torch.empty(1, 3, config.num_frames, config.image_size, config.image_size)


@pytest.mark.parametrize("sizes", ALL_SIZES)
def test_formulas_of_the_classifier_agree_with_torch(sizes):
    config = ModelConfig(**sizes)
    with torch.device("meta"):
        found = counted(VideoModel(config, 7), meta_clip(config))
    cost = finetune_cost(config, 7)
    assert (cost.parameters, cost.multiply_adds) == found


@pytest.mark.parametrize("sizes", ALL_SIZES)
@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"pool": "attention"},
        {"pool": "sites"},
        *({"freeze": count} for count in (1, 3, 13)),
        {"tune": "probe"},
        {"tune": "probe", "pool": "attention"},
        {"tune": "lora"},
        {"tune": "lora", "lora": {"rank": 3, "targets": ["k", "proj", "fc1", "fc2", "fc2"]}},
    ],
)
def test_trained_parameters_are_those_that_torch_trains(sizes, keys):
    config, settings = ModelConfig(**sizes), FinetuneConfig(**keys)
    with torch.device("meta"):
        model = VideoModel(config, 7, pool=settings.pool)
        if not settings.freeze and settings.tune == "full":
            found = counted(model, meta_clip(config))
            cost = finetune_cost(config, 7, settings.pool)
            assert (cost.parameters, cost.multiply_adds) == found
        tuning.prepare(model, settings)
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert trained_parameters(config, 7, settings) == trained


@pytest.mark.parametrize("sizes", ALL_SIZES)
@pytest.mark.parametrize(("ratio", "share"), [*product((0.75, 0.9), (1, 0.5)), (0.95, 0.01)])
def test_formulas_of_the_autoencoder_agree_with_torch(sizes, ratio, share):
    config = ModelConfig(**sizes)
    with torch.device("meta"):
        model = Autoencoder(config)
        draws = torch.rand(1, model.encoder.sites)
        visible, masked = tube_sites(draws, model.encoder.slices, ratio)
        sites = (visible, target_sites(masked, torch.rand(masked.shape), share))
        parameters, done = counted(model, meta_clip(config), *sites)
    cost = pretrain_cost(config, ratio, share)
    assert cost.parameters == parameters
    assert cost.multiply_adds == done + skipped_multiply_adds(config, ratio, share)


@pytest.mark.parametrize(("sizes", "parameters", "multiply_adds", "pretraining"), ABLATIONS)
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


def kept_bytes(model: nn.Module, forward) -> int:
    """Bytes that autograd keeps of a forward pass in bfloat16, without the weights."""
    own = {tensor.untyped_storage().data_ptr() for tensor in model.state_dict().values()}
    weights = {tuple(p.shape) for p in model.parameters()}
    kept = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        converted = tensor.dtype is torch.bfloat16 and {tensor.shape, tensor.mT.shape} & weights
        if storage.data_ptr() not in own and not (tensor.ndim == 2 and converted):
            kept[storage.data_ptr()] = storage
        return tensor

    hooks = torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor)
    with hooks, torch.autocast("cpu", torch.bfloat16):
        result = forward()
    assert result.requires_grad
    return sum(storage.nbytes() for storage in kept.values())


@pytest.mark.parametrize(
    "sizes", [{}, {"pyramid": "none"}, {"bottleneck": False}, {"pyramid": "avg"}], ids=str
)
def test_activation_memory_is_within_ten_per_cent_of_what_autograd_keeps(sizes):
    config, clips = ModelConfig(**TINY | sizes), 2
    pixels = 2 * 4 * 3 * config.num_frames * config.image_size**2  # no part of the graph
    video = torch.rand(clips, *meta_clip(config).shape[1:])
    classifier, autoencoder = VideoModel(config, 7), Autoencoder(config)
    visible, masked = tube_sites(torch.rand(clips, 36), 8, 0.75)
    true_pixels = torch.rand(clips, masked[0].numel(), 1536)
    found = kept_bytes(classifier, lambda: classifier(video)) / clips
    assert finetune_cost(config, 7).activation_bytes - pixels == pytest.approx(found, rel=0.1)
    found = (
        kept_bytes(
            autoencoder,
            lambda: F.mse_loss(autoencoder(video, visible, masked).float(), true_pixels),
        )
        / clips
    )
    assert pretrain_cost(config, 0.75).activation_bytes - pixels == pytest.approx(found, rel=0.1)


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


def test_the_stage_needs_no_torch():
    code = "import sys, svfap.stages.cost; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
