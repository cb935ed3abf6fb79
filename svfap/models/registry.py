"""The paper's models by name for timm: `timm.create_model("svfap_base_patch16_160", ...)`.

`import svfap` must stay fast, and importing timm and torch takes seconds. So if timm is not loaded
yet, the models are registered as soon as someone imports it. timm (1.0) offers no entry point or
hook for this, so an import hook does it.
"""

import importlib.abc
import importlib.util
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from svfap.config import ModelConfig
    from svfap.models import Autoencoder, VideoModel

SMALL = {"dim": 384, "heads": 6, "depths": (8, 4, 2)}
TIMM_NAMES = {"img_size": "image_size", "embed_dim": "dim", "num_heads": "heads"}
# `timm.create_model` passes these to every model.
TIMM_ONLY = ("pretrained_cfg", "pretrained_cfg_overlay", "cache_dir")


def svfap_base_patch16_160(pretrained: bool = False, **arguments: Any) -> "VideoModel":  # noqa: ANN401
    """SVFAP-B for fine-tuning: C = 512, 8 heads, depths 12/6/3 (paper section 4.1).

    Args:
        pretrained: must be false, since no weights are published; see `models.convert`.
        **arguments: any key of `config.ModelConfig`, also as timm's `img_size`, `embed_dim` and
            `num_heads`, and any argument of `models.VideoModel`.

    Raises:
        SvfapError: a size is unknown or does not fit the others, or `pretrained` is true.
    """
    return _video_model(arguments, pretrained=pretrained)


def svfap_small_patch16_160(pretrained: bool = False, **arguments: Any) -> "VideoModel":  # noqa: ANN401
    """SVFAP-S for fine-tuning: C = 384, 6 heads, depths 8/4/2; otherwise like the base model."""
    return _video_model(SMALL | arguments, pretrained=pretrained)


def pretrain_svfap_base_patch16_160(pretrained: bool = False, **arguments: Any) -> "Autoencoder":  # noqa: ANN401
    """SVFAP-B as masked autoencoder; its decoder is 384 wide, with 6 heads and 4 blocks."""
    return _autoencoder(arguments, pretrained=pretrained)


def pretrain_svfap_small_patch16_160(pretrained: bool = False, **arguments: Any) -> "Autoencoder":  # noqa: ANN401
    """SVFAP-S as masked autoencoder, with the same decoder."""
    return _autoencoder(SMALL | arguments, pretrained=pretrained)


def _video_model(arguments: dict[str, Any], *, pretrained: bool) -> "VideoModel":
    from svfap.models import VideoModel

    num_classes = arguments.pop("num_classes", 0)
    drop_path = arguments.pop("drop_path_rate", 0.0)
    options = {k: arguments.pop(k) for k in ("activation", "per_frame", "fusion") if k in arguments}
    config = _model_config(arguments, pretrained=pretrained)
    return VideoModel(config, num_classes, drop_path, **options)


def _autoencoder(arguments: dict[str, Any], *, pretrained: bool) -> "Autoencoder":
    from svfap.models import Autoencoder

    fusion = arguments.pop("fusion", True)
    return Autoencoder(_model_config(arguments, pretrained=pretrained), fusion=fusion)


def _model_config(arguments: dict[str, Any], *, pretrained: bool) -> "ModelConfig":
    """Check timm's arguments and turn them into a `ModelConfig`."""
    from svfap.config import ModelConfig
    from svfap.config.yaml_file import parse
    from svfap.errors import SvfapError

    if pretrained:
        raise SvfapError(
            "no weights are published under this name; leave pretrained=False and load your own"
            " checkpoint, or the authors' through svfap.models.convert.from_official"
        )
    sizes = {TIMM_NAMES.get(k, k): v for k, v in arguments.items() if k not in TIMM_ONLY}
    return parse(ModelConfig, sizes, where="model")


def register() -> None:
    """Add the models to timm's registry, now or as soon as timm is imported."""
    if "timm" in sys.modules:
        _register_models()
    else:
        sys.meta_path.insert(0, _RegisterAfterImport())


def _register_models() -> None:
    from timm.models import register_model

    for model in (
        svfap_base_patch16_160,
        svfap_small_patch16_160,
        pretrain_svfap_base_patch16_160,
        pretrain_svfap_small_patch16_160,
    ):
        register_model(model)


class _RegisterAfterImport(importlib.abc.MetaPathFinder):
    """Import hook: find timm as usual, and register the models right after it is executed."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return timm's spec with a loader that also registers the models; None for other names."""
        if fullname != "timm":
            return None
        sys.meta_path.remove(self)  # so that the next line asks the other finders
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_register(module: ModuleType) -> None:
                execute(module)
                _register_models()

            # Only this spec's loader object is changed, so other imports keep theirs.
            spec.loader.exec_module = execute_and_register  # type: ignore[method-assign]
        return spec
