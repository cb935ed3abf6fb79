"""The models by name in timm, registered by `import svfap` without importing torch."""

import subprocess
import sys

import pytest
import timm
import torch

import svfap
from svfap.errors import SvfapError

NAMES = {
    f"{kind}svfap_{size}_patch16_160" for kind in ("", "pretrain_") for size in ("base", "small")
}
TINY = {"img_size": 32, "num_frames": 8, "embed_dim": 16, "num_heads": 2, "depths": (1, 2, 2)}


@pytest.mark.parametrize("first", ["svfap, timm", "timm, svfap"])
def test_models_are_registered_in_either_order_of_imports(first):
    code = f"import {first}; print(*timm.list_models('*svfap*'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {*done.stdout.split()} == NAMES


def test_importing_the_package_is_light():
    code = "import sys, svfap; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"timm", "torch", "numpy", "pydantic"} & {*done.stdout.split()}


def test_every_size_is_an_argument():
    assert svfap.__version__
    model = timm.create_model(
        "svfap_base_patch16_160",
        num_classes=5,
        drop_path_rate=0.1,
        bottleneck_tokens=2,
        activation="sigmoid",
        per_frame=True,
        patch_size=8,
        **TINY,
    )
    values = model(torch.randn(2, 3, 8, 32, 32))
    assert values.shape == (2, 8, 5)
    assert ((values > 0) & (values < 1)).all()


def test_the_papers_sizes():
    with torch.device("meta"):
        base = timm.create_model("svfap_base_patch16_160", num_classes=7)
        small = timm.create_model("pretrain_svfap_small_patch16_160")
    sizes = base.encoder.config
    assert (sizes.dim, sizes.heads, sizes.depths) == (512, 8, (12, 6, 3))
    assert sizes.bottleneck_tokens == 8
    sizes = small.encoder.config
    assert (sizes.dim, sizes.heads, sizes.depths) == (384, 6, (8, 4, 2))
    assert (sizes.decoder_dim, sizes.decoder_heads, sizes.decoder_depth) == (384, 6, 4)


def test_pretraining_model_by_name():
    model = timm.create_model("pretrain_svfap_base_patch16_160", **TINY)
    mask = torch.tensor([[True, False, True, True] * 4] * 2)
    predicted = model.predict(torch.randn(2, 3, 8, 32, 32), mask)
    assert predicted.shape == (2, 12, 1536)


def test_a_number_of_frames_that_the_pyramid_does_not_divide():
    with pytest.raises(SvfapError, match=r"model: num_frames must be a multiple of 8"):
        timm.create_model("svfap_base_patch16_160", num_frames=12)


def test_a_misspelt_argument():
    with pytest.raises(SvfapError, match="bottleneck_token"):
        timm.create_model("svfap_base_patch16_160", bottleneck_token=4)


def test_no_published_weights():
    with pytest.raises(SvfapError, match="from_official"):
        timm.create_model("svfap_base_patch16_160", pretrained=True)
