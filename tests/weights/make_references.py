"""Make `references.npz`: outputs of the public models' own classes with made-up weights.

Weights follow from the names of the parameters (`made_up`), so the file needs names and shapes
only. It holds for each family a small model's parameter names, its features and its logits.

    pip install transformers marlin-pytorch einops timm
    git clone https://github.com/OpenGVLab/VideoMAEv2 and https://github.com/MSA-LMC/S4D
    python tests/weights/make_references.py VideoMAEv2/models S4D/finetune/s4d

With `--full` it compares whole models of the published sizes with ours, and writes no file.
"""

import json
import sys
import types
import zlib
from pathlib import Path

import numpy as np
import torch

SMALL = {"size": 64, "frames": 8, "dim": 128, "depth": 3, "heads": 2, "classes": 5}
BASE = {"size": 224, "frames": 16, "dim": 768, "depth": 12, "heads": 12, "classes": 400}


def made_up(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """Return the same random values for the same name, of the scale of trained weights."""
    draws = np.random.RandomState(zlib.crc32(name.encode()))
    values = draws.standard_normal(shape).astype(np.float32)
    if "norm" in name and name.endswith("weight"):
        return torch.from_numpy(1 + 0.1 * values)
    scale = 0.1 if len(shape) < 2 else (1 / np.prod(shape[1:])) ** 0.5
    return torch.from_numpy(np.float32(scale) * values)


def video(size: int, frames: int) -> torch.Tensor:
    """Return pixels from 0 to 1, (1, 3, T, H, W)."""
    draws = np.random.RandomState(0)
    return torch.from_numpy(draws.uniform(0, 1, (1, 3, frames, size, size)).astype(np.float32))


def filled(model: torch.nn.Module) -> torch.nn.Module:
    """Give a model made-up weights; computed positions keep their values."""
    own = model.state_dict()
    model.load_state_dict(
        {k: v if "pos" in k else made_up(k, tuple(v.shape)) for k, v in own.items()}
    )
    return model.eval()


def imagenet(pixels: torch.Tensor) -> torch.Tensor:
    """Normalise pixels as ImageNet's."""
    mean, std = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])
    return (pixels - mean.view(3, 1, 1, 1)) / std.view(3, 1, 1, 1)


def videomae(sizes, pixels):
    """Run VideoMAE of the package transformers: mean of the tokens, and logits."""
    from transformers import VideoMAEConfig, VideoMAEForVideoClassification

    config = VideoMAEConfig(
        image_size=sizes["size"],
        num_frames=sizes["frames"],
        hidden_size=sizes["dim"],
        num_hidden_layers=sizes["depth"],
        num_attention_heads=sizes["heads"],
        intermediate_size=4 * sizes["dim"],
        num_labels=sizes["classes"],
        use_mean_pooling=True,
    )
    model = filled(VideoMAEForVideoClassification(config))
    frames = imagenet(pixels).transpose(1, 2)
    features = model.fc_norm(model.videomae(frames).last_hidden_state.mean(1))
    return model, features, model(frames).logits


def marlin(sizes, pixels):
    """Run MARLIN's encoder; it has no head, and takes pixels from 0 to 1."""
    for name in ("cv2", "ffmpeg", "tqdm"):  # for reading videos only
        sys.modules.setdefault(name, types.ModuleType(name))
    sys.modules["tqdm"].tqdm = getattr(sys.modules["tqdm"], "tqdm", object)
    from marlin_pytorch.model.marlin import Marlin

    model = Marlin(
        sizes["size"], 16, sizes["frames"], sizes["dim"], sizes["depth"], sizes["heads"],
        384, 4, 6, 4.0, True, None, 0.0, 0.0, "LayerNorm", 0.0, 2,
    )  # fmt: skip
    features = filled(model).extract_features(pixels, keep_seq=False)
    return model, features, None


def repository_class(folder: Path, module: str):
    """Import a repository's model file with today's timm."""
    import timm.layers
    import timm.models

    sys.modules["timm.models.layers"] = timm.layers
    sys.modules["timm.models.registry"] = types.SimpleNamespace(register_model=lambda f: f)
    sys.path.insert(0, str(folder))
    return __import__(module)


def vit_arguments(sizes) -> dict:
    """Return the arguments that VideoMAEv2's and S4D's classes share."""
    return {
        "img_size": sizes["size"],
        "all_frames": sizes["frames"],
        "embed_dim": sizes["dim"],
        "depth": sizes["depth"],
        "num_heads": sizes["heads"],
        "qkv_bias": True,
        "init_scale": 1.0,
        "norm_layer": lambda dim: torch.nn.LayerNorm(dim, eps=1e-6),
    }


def videomaev2(sizes, pixels, folder):
    """Run VideoMAEv2's class of fine-tuning."""
    source = repository_class(folder, "modeling_finetune")
    model = source.VisionTransformer(num_classes=sizes["classes"], **vit_arguments(sizes))
    frames = imagenet(pixels)
    return filled(model), model.forward_features(frames), model(frames)


def s4d(sizes, pixels, folder):
    """Run S4D's class without experts; its pre-trained file has the prefix `backbone.`."""
    source = repository_class(folder, "videomae")
    model = filled(source.VisionTransformerMoE(**vit_arguments(sizes)))
    names = {k: v for k, v in model.state_dict().items() if not k.startswith("head")}
    wrapped = torch.nn.Module()
    wrapped.state_dict = lambda: {f"backbone.{k}": v for k, v in names.items()}
    return wrapped, model.forward_features(imagenet(pixels)), None


def ours(state, sizes, pixels):
    """Return our features and logits with the converted weights of a state dict."""
    from svfap.config import ModelConfig
    from svfap.models import VideoModel
    from svfap.models.convert_vit import from_public, sizes_of

    config = ModelConfig(
        image_size=sizes["size"], num_frames=sizes["frames"], **sizes_of(state, where="")
    )
    weights = from_public(state, where="")
    outputs = len(weights["head.weight"]) if "head.weight" in weights else 0
    model = VideoModel(config, outputs).eval()
    model.load_state_dict(weights)
    features = model.forward_features(imagenet(pixels))
    return features, model.forward_head(features)


def main() -> None:
    """Write the references, or compare whole models."""
    full = "--full" in sys.argv
    folders = [Path(a) for a in sys.argv[1:] if a != "--full"]
    sizes = BASE if full else SMALL
    pixels = video(sizes["size"], sizes["frames"])
    content = {}
    makers = {
        "videomae": lambda: videomae(sizes, pixels),
        "marlin": lambda: marlin(sizes, pixels),
        "videomaev2": lambda: videomaev2(sizes, pixels, folders[0]),
        "s4d": lambda: s4d(sizes, pixels, folders[1]),
    }
    for name, make in makers.items():
        with torch.no_grad():
            model, features, logits = make()
            found, head = ours(model.state_dict(), sizes, pixels)
        differences = [float((found - features).abs().max())]
        if logits is not None:
            differences.append(float((head - logits).abs().max()))
        print(name, "largest difference of features and logits:", *differences)
        shapes = {k: list(v.shape) for k, v in model.state_dict().items() if "pos" not in k}
        content[f"{name}/shapes"] = np.array(json.dumps(shapes))
        content[f"{name}/features"] = features.numpy()
        if logits is not None:
            content[f"{name}/logits"] = logits.numpy()
    if not full:
        np.savez_compressed(Path(__file__).with_name("references.npz"), **content)


if __name__ == "__main__":
    main()
