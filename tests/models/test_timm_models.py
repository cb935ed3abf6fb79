"""Each kind of check of timm's own tests of models, for videos (B, 3, T, H, W) and small sizes."""

import copy
import pickle

import pytest
import timm
import torch
from timm.data import resolve_data_config, resolve_model_data_config
from timm.layers import set_layer_config
from timm.models import (
    FeatureInfo,
    group_parameters,
    model_parameters,
    named_apply,
    safe_model_name,
)

import svfap
from svfap.errors import SvfapError
from svfap.training.objectives import IMAGENET_MEAN, IMAGENET_STD

SIZES = ("svfap_base_patch16_160", "svfap_small_patch16_160")
MASKED = tuple(f"pretrain_{name}" for name in SIZES)
TINY = {
    "img_size": 32,
    "num_frames": 8,
    "patch_size": 8,
    "embed_dim": 16,
    "num_heads": 2,
    "depths": (1, 2, 2),
    "bottleneck_tokens": 2,
    "decoder_dim": 16,
    "decoder_heads": 2,
    "decoder_depth": 2,
}
SHAPES = [(2, 16, 4, 4, 4), (2, 16, 2, 4, 4), (2, 16, 1, 4, 4)]  # (B, C, T', H', W') of each stage


def create(name=SIZES[0], **options):
    torch.manual_seed(0)
    assert svfap.__version__  # importing the package registers the models
    return timm.create_model(name, **TINY | options).eval()


def video(channels=3, frames=8, side=32):
    torch.manual_seed(1)
    return torch.randn(2, channels, frames, side, side)


@pytest.mark.parametrize("name", SIZES)
@torch.no_grad()
def test_forward_is_features_then_head(name):
    model = create(name, num_classes=5)
    tokens = model.forward_features(video())
    assert tokens.shape == (2, 16, model.num_features)
    embeddings = model.forward_head(tokens, pre_logits=True)
    assert embeddings.shape == (2, model.head_hidden_size)
    torch.testing.assert_close(model.head(embeddings), model(video()))
    torch.testing.assert_close(model.forward_head(tokens), model(video()))
    assert model(video()).shape == (2, 5)


@pytest.mark.parametrize("name", SIZES)
def test_every_parameter_has_a_gradient(name):
    model = create(name, num_classes=42, drop_rate=0.1, global_pool="map").train()
    model(video()).mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("name", [*SIZES, *MASKED])
def test_facts_that_timm_reads(name):
    model = create(name)
    cfg = model.default_cfg
    assert model.pretrained_cfg is cfg
    assert cfg["architecture"] == name
    assert cfg["input_size"] == (3, 32, 32)
    assert cfg["classifier"] == (None if name in MASKED else "head")
    assert cfg["first_conv"] + ".weight" in model.state_dict()
    assert model.num_classes == 0
    assert model.num_features == model.embed_dim == model.head_hidden_size == 16
    assert (model.in_chans, model.num_frames) == (3, 8)
    for found in (resolve_data_config(model=model), resolve_model_data_config(model)):
        assert found["input_size"] == (3, 32, 32)
        assert (found["mean"], found["std"]) == (IMAGENET_MEAN, IMAGENET_STD)
        assert found["crop_pct"] == 1
    with torch.device("meta"):
        assert timm.create_model(name).default_cfg["input_size"] == (3, 160, 160)


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("pool", ["avg", "map", "sites"])
@torch.no_grad()
def test_another_classifier(name, pool):
    model = create(name, num_classes=5, global_pool=pool)
    before = model.forward_head(model.forward_features(video()), pre_logits=True)
    assert before.shape == (2, model.head_hidden_size)
    model.reset_classifier(7)
    assert model.get_classifier() is model.head
    assert model.num_classes == 7
    assert model(video()).shape == (2, 7)
    model.reset_classifier(0)
    assert model.num_classes == 0
    assert model.global_pool == pool
    torch.testing.assert_close(model(video()), before)
    model.reset_classifier(0, "")
    assert model(video()).shape == (2, 16, 16)
    model.reset_classifier(3, "avg")
    assert model(video()).shape == (2, 3)


@torch.no_grad()
def test_no_pool_and_no_classifier_from_the_start():
    model = create(num_classes=0, global_pool="")
    assert model.global_pool == ""
    assert model(video()).shape == (2, 16, 16)
    assert create(num_classes=4, global_pool="", per_frame=True)(video()).shape == (2, 16, 4)
    with pytest.raises(SvfapError, match="global_pool: 'token' is unknown; choose avg"):
        create(global_pool="token")


@torch.no_grad()
def test_a_new_classifier_keeps_device_type_and_mode():
    model = create(num_classes=5, dtype=torch.bfloat16).train()
    model.reset_classifier(3, "map")
    assert {p.dtype for p in model.parameters()} == {torch.bfloat16}
    assert all(module.training for module in model.modules())
    assert model(video().bfloat16()).dtype == torch.bfloat16


@pytest.mark.parametrize("channels", [1, 4])
@torch.no_grad()
def test_other_inputs(channels):
    model = create(in_chans=channels, img_size=(48, 48), num_frames=16)
    assert model(video(channels=channels, frames=16, side=48)).shape == (2, 16)
    with pytest.raises(SvfapError, match=rf"\(B, {channels}, 16, 48, 48\), not"):
        model(video())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"img_size": (32, 48)}, r"img_size: \(32, 48\) is no square"),
        ({"in_chans": 0}, "in_chans: 0"),
        ({"num_classes": -1}, "num_classes: -1 is no such number; give a whole number from 0"),
        ({"img_size": 33}, "img_size must be a multiple of patch_size"),
        ({"num_heads": 5}, "embed_dim must be a multiple of num_heads"),
        ({"embed_dim": "x"}, "embed_dim: is 'x'"),
        ({"drop_rate": "x"}, "drop_rate: 'x' is not a rate"),
        ({"drop_rate": 1}, "drop_rate: 1"),
        ({"drop_path_rate": -0.1}, "drop_path_rate: -0.1"),
        ({"features_only": True, "feature_cls": "hook"}, "feature_cls: only 'getter'"),
        ({"features_only": True, "out_indices": (0, 3)}, r"indices: \(0, 3\) names no stages"),
        ({"qkv_bias": True}, "qkv_bias"),
    ],
)
def test_an_argument_that_does_not_fit_is_one_clear_error(options, message):
    with pytest.raises(SvfapError, match=message):
        create(**options)


def test_calls_that_do_not_fit_are_one_clear_error():
    model = create()
    for count in (-1, 2.5, "3", True):
        with pytest.raises(SvfapError, match=f"num_classes: {count!r} is no such number"):
            model.reset_classifier(count)
    for indices in (0, 9, (), [0, 7], [1.5], "ab", 1.5):
        with pytest.raises(SvfapError, match="list stages from 0 to 2, or from -3 to -1, or give"):
            model.forward_intermediates(video(), indices)
    with pytest.raises(SvfapError, match=r"img_size and num_frames in timm"):
        model(video()[:, :, :4])


@pytest.mark.parametrize("name", [*SIZES, *MASKED])
@torch.no_grad()
def test_another_size_of_pictures(name):
    model, other = create(name), create(name, img_size=48)
    other.load_state_dict(model.state_dict())
    model.to(torch.float64).set_input_size((48, 48))
    found, expected = (
        m.forward_features(video(side=48).to(m.encoder.patch_embed.weight)) for m in (model, other)
    )
    torch.testing.assert_close(found.float(), expected)
    model.set_input_size(patch_size=8)  # none of them changes
    model.set_input_size(32)
    assert model.forward_features(video().double()).shape[2] == 16
    for size, message in ((36, "multiple of 8"), ((32, 48), "no square"), (True, "no such side")):
        with pytest.raises(SvfapError, match=f"img_size: .*{message}"):
            model.set_input_size(size)
    with pytest.raises(SvfapError, match="patch_size: the weights fit patches of 8 pixels"):
        model.set_input_size(patch_size=16)


@torch.no_grad()
def test_the_decoder_takes_another_size_too():
    name, mask = MASKED[0], torch.arange(4 * 36).view(1, 4, 36).expand(2, 4, 36) % 36 > 8
    model, other = create(name), create(name, img_size=48)
    other.load_state_dict(model.state_dict())
    model.set_input_size(48)
    found, expected = (m.predict(video(side=48), mask.flatten(1)) for m in (model, other))
    torch.testing.assert_close(found, expected)
    with pytest.raises(SvfapError, match="the head reads every site"):
        create(global_pool="sites").set_input_size(48)


@pytest.mark.parametrize("name", SIZES)
def test_an_empty_batch(name):
    assert create(name, num_classes=3)(video()[:0]).shape == (0, 3)


def test_common_arguments():
    model = create(drop_rate=0.2, drop_path_rate=0.1, scriptable=True, exportable=True, no_jit=True)
    assert model.head_drop.p == 0.2
    assert model.encoder.drop_path == 0.1
    assert create(device="meta").encoder.positions.table.is_meta
    assert create(dtype=torch.float64).encoder.positions.table.dtype == torch.float64
    with set_layer_config(scriptable=True, exportable=True):
        assert torch.equal(create(num_classes=2)(video()), create(num_classes=2)(video()))


@pytest.mark.parametrize("name", [*SIZES, *MASKED])
@pytest.mark.parametrize(
    ("options", "stages"),
    [({}, [0, 1, 2]), ({"out_indices": (0, -1)}, [0, 2]), ({"out_indices": 1}, [2])],
)
@torch.no_grad()
def test_features_of_stages(name, options, stages):
    model = create(name, features_only=True, **options)
    found = model(video())
    assert [tuple(x.shape) for x in found] == [SHAPES[stage] for stage in stages]
    assert model.feature_info.channels() == [16] * len(stages)
    assert model.feature_info.reduction() == [8] * len(stages)
    whole = create(name).forward_intermediates(video(), intermediates_only=True)
    for one, stage in zip(found, stages, strict=True):
        torch.testing.assert_close(one, whole[stage])


@pytest.mark.parametrize("name", [*SIZES, *MASKED])
@torch.no_grad()
def test_intermediates(name):
    model = create(name)
    final, stages = model.forward_intermediates(video())
    torch.testing.assert_close(final, model.forward_features(video()))
    assert [tuple(x.shape) for x in stages] == SHAPES
    info = FeatureInfo(model.feature_info, len(model.feature_info))
    assert info.channels() == [16, 16, 16]
    assert info.get("temporal_reduction") == [2, 4, 8]
    modules = dict(model.named_modules())
    assert all(module in modules for module in info.module_name())
    shapes = {"NLC": (2, 32, 16), "NCTHW": SHAPES[1], "NHWC": (2, 2, 4, 4, 16)}
    for layout, shape in shapes.items():
        (one,) = model.forward_intermediates(
            video(), [1], output_fmt=layout, intermediates_only=True, return_prefix_tokens=True
        )
        assert one.shape == shape
    flat, grid = (model.get_intermediate_layers(video(), 2, reshape=r)[1] for r in (False, True))
    torch.testing.assert_close(flat, grid.flatten(2).mT)
    normed = model.get_intermediate_layers(video(), [2], norm=True)[0]
    torch.testing.assert_close(normed, model.normed(flat))
    with pytest.raises(SvfapError, match="output_fmt: 'NCL' is unknown"):
        model.forward_intermediates(video(), output_fmt="NCL")


@torch.no_grad()
def test_stages_after_the_last_wanted_one_are_left_out():
    model, ran = create(), []
    for number, block in enumerate(model.encoder.blocks):
        block.register_forward_hook(lambda *_, number=number: ran.append(number))
    _, whole = model.forward_intermediates(video(), [1])
    assert ran == [0, 1, 2, 3, 4]
    ran.clear()
    final, early = model.forward_intermediates(video(), [1], stop_early=True)
    assert ran == [0, 1, 2]
    assert torch.equal(early[0], whole[0])
    assert torch.equal(final, early[0].flatten(2).mT)


@pytest.mark.parametrize("name", [*SIZES, *MASKED])
@torch.no_grad()
def test_pruning(name):
    model, whole = create(name), create(name)
    assert model.prune_intermediate_layers([0, -2], prune_norm=True) == [0, 1]
    assert len(model.encoder.blocks) == 3
    left = {name for name, _ in model.named_parameters()}
    assert {name.split(".")[0] for name in left} == {"encoder"}
    found, expected = (
        m.forward_intermediates(video(), [0, 1], intermediates_only=True) for m in (model, whole)
    )
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("name", MASKED)
@torch.no_grad()
def test_the_autoencoder_says_what_it_lacks(name):
    model = create(name)
    for call in (model.get_classifier, lambda: model.reset_classifier(3), model.forward_head):
        with pytest.raises(NotImplementedError, match="has no classifier; it predicts hidden"):
            call()
    for key, value in {"num_classes": 5, "drop_path_rate": 0.1, "drop_rate": 0.1}.items():
        with pytest.raises(SvfapError, match=f"{key}: the masked autoencoder has no"):
            create(name, **{key: value})
    with pytest.raises(SvfapError, match="in_chans"):
        create(name, in_chans=1)
    for call in (lambda: model(video()), lambda: model.predict(video(), None)):
        with pytest.raises(
            SvfapError, match=r"needs a video and a mask, as in predict\(video, mask"
        ):
            call()
    assert model.forward_features(video()).shape == (2, 64, 16)


@pytest.mark.parametrize("name", [*SIZES, *MASKED])
def test_layers_have_groups(name):
    model = create(name)
    for coarse, count in ((False, 7), (True, 5)):
        layers = group_parameters(model, model.group_matcher(coarse), reverse=True)
        assert set(layers) == {name for name, _ in model.named_parameters()}
        assert set(layers.values()) == {*range(count)}
    assert model.no_weight_decay() == ({"mask_token"} if name in MASKED else set())
    assert create(global_pool="map").no_weight_decay() == {"pool.query"}


@pytest.mark.parametrize("name", [*SIZES, *MASKED])
@torch.no_grad()
def test_copies_and_helpers(name):
    model = create(name)
    expected = model.forward_features(video())
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(twin.forward_features(video()), expected)
    assert safe_model_name(name + ".tag") == name + "_tag"
    seen = []
    named_apply(lambda module, name: seen.append(name), model)
    assert "encoder.positions" in seen
    assert len([*model_parameters(model)]) == len([*model.parameters()])
