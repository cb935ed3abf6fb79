"""What timm's trainers do with a model: optimiser, checkpointing of gradients, graphs, averages."""

import pytest
import timm
import torch
from timm.models import checkpoint_seq
from timm.optim import create_optimizer_v2
from timm.utils import ModelEmaV3, freeze, unfreeze

from svfap.models import Autoencoder, VideoModel
from svfap.models.masking import split_sites
from svfap.training.optim import parameter_groups


def models(config):
    torch.manual_seed(0)
    model = VideoModel(config, 3, drop_path=0.2, pool="attention")
    return {"fine-tuning": model, "pre-training": Autoencoder(config)}


def inputs(kind, config, batch=2):
    torch.manual_seed(1)
    video = torch.randn(batch, 3, 8, 32, 32)
    if kind == "fine-tuning":
        return (video,)
    mask = torch.zeros(batch, 64, dtype=torch.bool)
    mask[:, ::2] = True
    return (video, *split_sites(mask, config.num_frames // config.tubelet))


KINDS = pytest.mark.parametrize("kind", ["fine-tuning", "pre-training"])


def rates(groups, model):
    """Rate and weight decay of each trained parameter by its name."""
    names = {parameter: name for name, parameter in model.named_parameters()}
    return {
        names[parameter]: (round(group["lr_scale"], 9), group["weight_decay"])
        for group in groups
        for parameter in group["params"]
    }


@KINDS
@pytest.mark.parametrize("frozen", [(), ("encoder.patch_embed", "encoder.blocks.0")])
def test_layers_have_the_same_rates_as_ours(toy_model, kind, frozen):
    model = models(toy_model)[kind]
    for name in frozen:
        model.get_submodule(name).requires_grad_(False)
    timms = create_optimizer_v2(model, "adamw", lr=1e-3, weight_decay=0.05, layer_decay=0.75)
    ours = parameter_groups(model, weight_decay=0.05, layer_decay=0.75)
    found = rates(timms.param_groups, model)
    assert found == rates(ours, model)
    assert len({scale for scale, _ in found.values()}) == (7 - len(frozen))
    plain = create_optimizer_v2(model, "adamw", lr=1e-3, weight_decay=0.05)
    decay = {name: weight_decay for name, (_, weight_decay) in found.items()}
    names = {parameter: name for name, parameter in model.named_parameters()}
    for group in plain.param_groups:
        assert {decay[names[p]] for p in group["params"]} == {group["weight_decay"]}


def gradients(model, arguments):
    """Gradients of a step, and the bytes that the forward pass keeps for them."""
    kept = {}

    def keep(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    torch.manual_seed(2)
    model.zero_grad()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = model(*arguments).square().mean()
    loss.backward()
    return [p.grad.clone() for p in model.parameters() if p.grad is not None], sum(kept.values())


@KINDS
def test_checkpointing_keeps_less_and_changes_no_gradient(toy_model, kind):
    model, arguments = models(toy_model)[kind].train(), inputs(kind, toy_model, batch=8)
    plain, much = gradients(model, arguments)
    model.set_grad_checkpointing()
    again, little = gradients(model, arguments)
    for a, b in zip(plain, again, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)
    assert little < much / 2
    model.set_grad_checkpointing(enable=False)
    assert gradients(model, arguments)[1] == much


def test_one_graph_with_checkpointing(toy_model):
    model, arguments = models(toy_model)["fine-tuning"].eval(), inputs("fine-tuning", toy_model)
    model.set_grad_checkpointing()
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    expected = gradients(model, arguments)[0]
    torch.compiler.reset()
    for a, b in zip(gradients(compiled, arguments)[0], expected, strict=True):
        torch.testing.assert_close(a, b)
    torch.compiler.reset()


@torch.no_grad()
def test_intermediates_in_one_graph(toy_model):
    model, (video,) = models(toy_model)["fine-tuning"].eval(), inputs("fine-tuning", toy_model)
    compiled = torch.compile(model.forward_intermediates, fullgraph=True, backend="eager")
    expected = model.forward_intermediates(video, [0, 1], stop_early=True)
    for a, b in zip(compiled(video, [0, 1], stop_early=True)[1], expected[1], strict=True):
        torch.testing.assert_close(a, b)
    torch.compiler.reset()


@KINDS
@torch.no_grad()
def test_an_exported_program(toy_model, kind):
    model, arguments = models(toy_model)[kind].eval(), inputs(kind, toy_model)
    batch = torch.export.Dim("batch", min=1, max=64)
    program = torch.export.export(
        model, arguments, dynamic_shapes=tuple({0: batch} for _ in arguments)
    )
    more = inputs(kind, toy_model, batch=5)
    torch.testing.assert_close(program.module()(*more), model(*more))


@KINDS
def test_averaged_weights(toy_model, kind):
    model, arguments = models(toy_model)[kind].eval(), inputs(kind, toy_model)
    average = ModelEmaV3(model, decay=0.5)
    before = {name: p.clone() for name, p in model.named_parameters()}
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1)
    average.update(model)
    for name, parameter in average.module.named_parameters():
        torch.testing.assert_close(parameter, before[name] + 0.5)
    assert average.module(*arguments).isfinite().all()


def test_blocks_as_a_sequence(toy_model):
    encoder = models(toy_model)["fine-tuning"].encoder
    tokens = torch.randn(2, 64, toy_model.dim, requires_grad=True)
    blocks = [encoder.blocks[0]] * 3
    expected = tokens
    for block in blocks:
        expected = block(expected)
    torch.testing.assert_close(checkpoint_seq(blocks, tokens), expected)


def test_frozen_parts(toy_model):
    model = models(toy_model)["fine-tuning"]
    freeze(model, ["encoder"])
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert trained
    assert not any(name.startswith("encoder") for name in trained)
    unfreeze(model, ["encoder"])
    assert all(p.requires_grad for p in model.parameters())


def test_a_few_steps_of_timms_trainer(toy_model):
    """The arguments are those that timm's `train.py` passes by default."""
    options = {"num_classes": 2, "drop_rate": 0.0, "global_pool": None, "drop_path_rate": None}
    torch.manual_seed(0)
    model = timm.create_model(
        "svfap_small_patch16_160",
        **toy_model.model_dump(),
        **options,
        in_chans=3,
        drop_block_rate=None,
        bn_momentum=None,
        bn_eps=None,
        scriptable=False,
        checkpoint_path="",
    )
    optimizer = create_optimizer_v2(model, "adamw", lr=0.02, weight_decay=0.05, layer_decay=0.9)
    video = torch.randn(4, 3, 8, 32, 32)
    video[:2] += 1
    losses = []
    for _ in range(8):
        loss = torch.nn.functional.cross_entropy(model(video), torch.tensor([0, 0, 1, 1]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 3
