"""TPSBT and the masked autoencoder: sizes, shapes, and that hidden pixels stay hidden."""

import pytest
import torch
from timm.layers import DropPath as TimmDropPath
from timm.layers import Mlp as TimmMlp

from svfap.config import ModelConfig
from svfap.errors import SvfapError
from svfap.models import Autoencoder, Encoder, VideoModel, reconstruction_target
from svfap.models.autoencoder import patch_pixels
from svfap.models.layers import (
    DropPath,
    Mlp,
    TemporalConv,
    TemporalPool,
    project_at_once,
)
from svfap.models.masking import split_sites, target_sites, tube_sites
from svfap.models.positions import sinusoid_positions
from svfap.models.tokens import fuse, patchify


def test_stages_halve_the_frame_rate(toy_model):
    outputs = Encoder(toy_model)(torch.randn(2, 3, 8, 32, 32))
    assert [tuple(x.shape) for x in outputs] == [(2, 4, 16, 24), (2, 2, 16, 24), (2, 1, 16, 24)]


@pytest.mark.parametrize("pyramid", ["conv", "avg", "max", "none"])
@pytest.mark.parametrize("bottleneck", [True, False])
def test_variants_of_the_later_stages(toy_model, pyramid, bottleneck):
    config = toy_model.model_copy(update={"pyramid": pyramid, "bottleneck": bottleneck})
    outputs = Encoder(config)(torch.randn(2, 3, 8, 32, 32))
    slices = [4, 4, 4] if pyramid == "none" else [4, 2, 1]
    assert [tuple(x.shape) for x in outputs] == [(2, t, 16, 24) for t in slices]


def test_pooling_over_time():
    frames = torch.tensor([1.0, 3.0, 10.0, 0.0])[None, :, None, None]
    assert TemporalPool(2, "avg")(frames).flatten().tolist() == [2, 5]
    assert TemporalPool(2, "max")(frames).flatten().tolist() == [3, 10]


def test_temporal_convolution_is_a_convolution():
    layer, x = TemporalConv(6, 2), torch.randn(2, 4, 5, 6)
    sites = x.permute(0, 2, 3, 1).flatten(0, 1)  # (B S, C, T)
    kernel = layer.proj.weight.unflatten(1, (2, 6)).permute(0, 2, 1)
    expected = torch.nn.functional.conv1d(sites, kernel, layer.proj.bias, stride=2)
    assert torch.allclose(layer(x), expected.unflatten(0, (2, 5)).permute(0, 3, 1, 2), atol=1e-6)


def test_a_temporal_kernel_of_three(toy_model):
    config = ModelConfig(**toy_model.model_dump() | {"temporal_kernel": 3, "num_frames": 18})
    outputs = Encoder(config)(torch.randn(1, 3, 18, 32, 32))
    assert [x.shape[1] for x in outputs] == [9, 3, 1]


def test_mlp_and_drop_path_equal_timms():
    torch.manual_seed(0)
    ours, timms = Mlp(6, 24, 5), TimmMlp(6, 24, 5)
    timms.load_state_dict(ours.state_dict())
    x = torch.randn(50, 4, 6)
    assert torch.equal(ours(x), timms(x))
    ours, timms = DropPath(0.3), TimmDropPath(0.3)
    expected = timms(x)
    dropped = (expected == 0).all(dim=(1, 2))
    assert 0 < dropped.sum() < 50
    # Numbers below 0.3 drop the branch of a clip; each branch has its column.
    draws = torch.stack((torch.rand(50), torch.where(dropped, 0.29, 0.3)), dim=1)
    torch.testing.assert_close(ours(x, draws, 1), expected)
    shares = [(ours(torch.ones(1000, 1, 1)) == 0).float().mean().item() for _ in range(2)]
    assert shares == pytest.approx([0.3, 0.3], abs=0.06)
    assert ours.eval()(x) is x


def test_drop_path_grows_linearly(toy_model):
    blocks = VideoModel(toy_model, 2, drop_path=0.1).encoder.blocks
    rates = [getattr(b, "block", b).drop_path.drop_prob for b in blocks]
    assert rates == pytest.approx([0, 0.025, 0.05, 0.075, 0.1])


def test_outputs_per_frame(toy_model):
    model = VideoModel(toy_model.model_copy(update={"num_frames": 16}), 3, per_frame=True)
    assert model(torch.randn(2, 3, 16, 32, 32)).shape == (2, 16, 3)


@pytest.mark.parametrize("per_frame", [False, True])
def test_features_of_the_sites_have_the_average_of_all_tokens(toy_model, per_frame):
    """A head on sites reads the same tokens as one on their average, before it mixes places."""
    average = VideoModel(toy_model, 3, per_frame=per_frame)
    by_site = VideoModel(toy_model, 3, per_frame=per_frame, pool="sites")
    by_site.encoder.load_state_dict(average.encoder.state_dict())
    video = torch.randn(2, 3, 8, 32, 32)
    assert by_site(video).shape == average(video).shape
    average.fc_norm = by_site.fc_norm = torch.nn.Identity()
    sites = by_site.embed(video).unflatten(-1, (16, toy_model.dim))
    assert sites.std(dim=-2).mean() > 0.1
    torch.testing.assert_close(sites.mean(dim=-2), average.embed(video))


def test_encoder_never_sees_masked_pixels(toy_model):
    """Hidden patches get no gradient, and changing them does not change the encoding."""
    torch.manual_seed(0)
    model = Autoencoder(toy_model).eval()
    video = torch.randn(2, 3, 8, 32, 32, requires_grad=True)
    visible, masked = tube_sites(torch.rand(2, 16), 4, 0.75)
    mask = torch.zeros(2, 4, 16, dtype=torch.bool).scatter(2, masked, True).flatten(1)
    encoded = model.encode(video, visible)
    encoded.square().sum().backward()
    per_patch = patchify(video.grad, 2, 8).flatten(1, 2).abs().sum(-1)
    assert (per_patch[mask] == 0).all()
    assert (per_patch[~mask] > 0).all()

    pixels = torch.where(mask[..., None], 99.0, patchify(video.detach(), 2, 8).flatten(1, 2))
    disturbed = pixels.reshape(2, 4, 4, 4, 3, 2, 8, 8).permute(0, 4, 1, 5, 2, 6, 3, 7)
    again = model.encode(disturbed.reshape(2, 3, 8, 32, 32), visible)
    assert torch.equal(encoded.detach(), again.detach())


@pytest.mark.parametrize(("fraction", "decoded"), [(1, 14), (0.5, 7), (0.001, 1)])
def test_predictions_have_the_shape_of_their_targets(toy_model, fraction, decoded):
    visible, masked = tube_sites(torch.rand(3, 16), 4, 0.9)
    targets = target_sites(masked, torch.rand(masked.shape), fraction)
    video = torch.rand(3, 3, 8, 32, 32)
    model = Autoencoder(toy_model)
    predicted = model(video, visible, targets)
    target = reconstruction_target(video, targets, 2, 8)
    assert predicted.shape == target.shape == (3, 4 * decoded, 2 * 8 * 8 * 3)
    predicted.square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    assert model.mask_token.grad.abs().sum() > 0


def test_targets_are_drawn_from_the_masked_sites_of_each_slice():
    _, masked = tube_sites(torch.rand(50, 100), 8, 0.9)
    chosen = target_sites(masked, torch.rand(masked.shape), 0.5)
    assert chosen.shape == (50, 8, 45)
    assert (chosen.diff(dim=2) > 0).all()
    assert all({*c.tolist()} < {*m.tolist()} for c, m in zip(chosen[0], masked[0], strict=True))
    assert not torch.equal(chosen[:, 0], chosen[:, 1])
    shares = torch.bincount(chosen.flatten(), minlength=100) / (50 * 8)
    assert shares.mean() == pytest.approx(0.45)
    assert (shares > 0.25).all()
    assert target_sites(masked, torch.rand(masked.shape), 1) is masked


def test_a_boolean_mask_gives_the_same_as_its_indices(toy_model):
    model, video = Autoencoder(toy_model).eval(), torch.rand(2, 3, 8, 32, 32)
    visible, masked = tube_sites(torch.rand(2, 16), 4, 0.5)
    mask = torch.zeros(2, 4, 16, dtype=torch.bool).scatter(2, masked, True).flatten(1)
    assert all(map(torch.equal, split_sites(mask, 4), (visible, masked)))
    assert torch.equal(model.predict(video, mask), model(video, visible, masked))


def test_the_graph_of_pretraining_has_no_breaks(toy_model):
    """`fullgraph` makes a break an error; gradients equal the eager model's."""
    model = Autoencoder(toy_model.model_copy(update={"depths": (1, 2)}))
    video, (visible, masked) = torch.rand(2, 3, 8, 32, 32), tube_sites(torch.rand(2, 16), 4, 0.75)
    targets = target_sites(masked, torch.rand(masked.shape), 0.5)
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    gradients = []
    for forward in (model, compiled):
        model.zero_grad()
        forward(video, visible, targets).square().mean().backward()
        gradients.append([p.grad.clone() for p in model.parameters()])
    torch.testing.assert_close(*gradients)


def test_the_graph_of_finetuning_has_no_breaks(toy_model):
    model, video = VideoModel(toy_model, 3, drop_path=0.1), torch.rand(2, 3, 8, 32, 32)
    found = torch._dynamo.explain(model)(video)
    assert (found.graph_count, found.graph_break_count) == (1, 0)


def test_target_is_normalised_per_patch_and_channel():
    video = torch.rand(1, 3, 4, 16, 16)
    sites = torch.arange(4).expand(1, 2, 4)
    target = reconstruction_target(video, sites, 2, 8).unflatten(-1, (-1, 3))
    assert target.mean(2).abs().max() < 1e-5
    assert target.std(2) == pytest.approx(torch.ones(1, 8, 3), abs=1e-3)
    pixels = patch_pixels(video, 2, 8)
    assert torch.equal(pixels[0, 0, :8, 1], video[0, 1, 0, 0, :8])  # first row, green
    alone = reconstruction_target(video, sites[..., 1:3], 2, 8).unflatten(-1, (-1, 3))
    assert torch.equal(alone, target[:, [1, 2, 5, 6]])


def test_tube_masks_hide_the_same_sites_in_every_slice():
    visible, masked = tube_sites(torch.rand(5, 100), 8, 0.9)
    assert (visible.shape, masked.shape) == ((5, 8, 10), (5, 8, 90))
    both = torch.cat((visible, masked), dim=2)
    assert (both.sort(dim=2).values == torch.arange(100)).all()
    assert (both == both[:, :1]).all()
    assert len({tuple(clip[0].tolist()) for clip in masked}) > 1
    masked = tube_sites(torch.rand(2000, 16), 1, 0.75)[1]
    assert torch.bincount(masked.flatten()) / 2000 == pytest.approx(
        torch.full((16,), 0.75), abs=0.06
    )


@pytest.mark.parametrize(("ratio", "hidden"), [(0.75, 12), (0.9, 14), (0.999, 15), (0.001, 1)])
def test_mask_ratio(ratio, hidden):
    assert tube_sites(torch.rand(1, 16), 2, ratio)[1].shape == (1, 2, hidden)


def test_positions_are_sines_and_cosines():
    table = sinusoid_positions(3, 4)[0]
    assert table[0].tolist() == [0, 1, 0, 1]
    expected = torch.tensor([2.0, 2.0, 0.02, 0.02])
    assert table[2] == pytest.approx(
        torch.where(torch.arange(4) % 2 == 0, expected.sin(), expected.cos())
    )


def test_head_starts_small(toy_model):
    model = VideoModel(toy_model, 7)
    assert model.head.weight.abs().max() < 1e-4
    assert model(torch.randn(1, 3, 8, 32, 32)).shape == (1, 7)


@pytest.mark.parametrize("shape", [(1, 3, 4, 32, 32), (1, 3, 8, 40, 40), (3, 8, 32, 32)])
def test_a_video_of_the_wrong_size(toy_model, shape):
    with pytest.raises(SvfapError, match=r"takes videos of shape \(B, 3, 8, 32, 32\)"):
        VideoModel(toy_model, 2)(torch.zeros(shape))


def test_a_mask_of_the_wrong_size(toy_model):
    with pytest.raises(SvfapError, match=r"tokens need \(1, 64\)"):
        Autoencoder(toy_model).predict(
            torch.zeros(1, 3, 8, 32, 32), torch.ones(1, 60, dtype=torch.bool)
        )


def test_a_mask_that_hides_unequal_numbers_of_sites(toy_model):
    mask = torch.zeros(2, 64, dtype=torch.bool)
    mask[:, ::2] = True
    mask[1, 0] = False
    with pytest.raises(SvfapError, match="hides 7 sites in one slice and 8 in another"):
        Autoencoder(toy_model).predict(torch.zeros(2, 3, 8, 32, 32), mask)


def test_fusion_adds_stages_repeated_over_time(toy_model):
    first, second = torch.arange(4.0).view(1, 4, 1, 1), torch.tensor([10.0, 20]).view(1, 2, 1, 1)
    assert fuse([first, second]).flatten().tolist() == [10, 11, 22, 23]


def test_fusion_pools_and_decodes_the_sum_of_all_stages(toy_model):
    video = torch.randn(2, 3, 8, 32, 32)
    plain, fused = (VideoModel(toy_model, 0, fusion=fusion).eval() for fusion in (False, True))
    fused.load_state_dict(plain.state_dict())
    outputs = plain.encoder(video)
    mean = sum(x.mean(dim=(1, 2)) for x in outputs)
    torch.testing.assert_close(fused(video), fused.fc_norm(mean))
    torch.testing.assert_close(plain(video), plain.fc_norm(outputs[-1].mean(dim=(1, 2))))
    visible = torch.arange(4).expand(2, 4, 4)
    alone, together = (Autoencoder(toy_model, fusion=fusion).eval() for fusion in (False, True))
    together.load_state_dict(alone.state_dict())
    seen = alone.encode(video, visible)
    assert seen.shape == together.encode(video, visible).shape == (2, 4, 4, 24)
    torch.testing.assert_close(seen[:, 0], seen[:, 3])
    assert not torch.allclose(seen, together.encode(video, visible))


def test_layers_projected_at_once_equal_those_projected_one_by_one():
    x, layers = torch.randn(2, 5, 8), [torch.nn.Linear(8, 6), torch.nn.Linear(8, 4, bias=False)]
    for found, layer in zip(project_at_once(x, layers), layers, strict=True):
        torch.testing.assert_close(found, layer(x))
