"""The paper's models by name for timm: `timm.create_model("svfap_base_patch16_160", ...)`.

`import svfap` registers them without importing timm or torch, which take seconds: when timm is not
loaded yet, the registration waits until somebody imports it.
"""

import importlib.abc
import importlib.util
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from svfap.models import Autoencoder, VideoModel

SMALL = {"dim": 384, "heads": 6, "depths": (8, 4, 2)}
TIMM_NAMES = {"img_size": "image_size", "embed_dim": "dim", "num_heads": "heads"}
TIMM_ONLY = ("pretrained_cfg", "pretrained_cfg_overlay", "cache_dir")


def svfap_base_patch16_160(pretrained: bool = False, **arguments: Any) -> "VideoModel":  # noqa: ANN401
    """SVFAP-B for fine-tuning: C = 512, 8 heads, depths 12/6/3 (paper section 4.1).

    Args:
        pretrained: must be false, there are no published weights; see `models.convert`.
        **arguments: any key of `config.ModelConfig` (timm's `img_size`, `embed_dim` and
            `num_heads` too) and any argument of `models.VideoModel`.

    Raises:
        SvfapError: a size is unknown or does not fit the others, or `pretrained` is true.
    """
    return _video_model(arguments, pretrained=pretrained)


def svfap_small_patch16_160(pretrained: bool = False, **arguments: Any) -> "VideoModel":  # noqa: ANN401
    """SVFAP-S for fine-tuning: C = 384, 6 heads, depths 8/4/2; otherwise as the base model."""
    return _video_model(SMALL | arguments, pretrained=pretrained)


def pretrain_svfap_base_patch16_160(pretrained: bool = False, **arguments: Any) -> "Autoencoder":  # noqa: ANN401
    """SVFAP-B as masked autoencoder, its decoder 384 wide with 6 heads and 4 blocks."""
    return _autoencoder(arguments, pretrained=pretrained)


def pretrain_svfap_small_patch16_160(pretrained: bool = False, **arguments: Any) -> "Autoencoder":  # noqa: ANN401
    """SVFAP-S as masked autoencoder, with the same decoder."""
    return _autoencoder(SMALL | arguments, pretrained=pretrained)


def _video_model(arguments: dict[str, Any], *, pretrained: bool) -> "VideoModel":
    from svfap.models import VideoModel

    own = {"num_classes": 0, "drop_path_rate": 0.0, "activation": "none", "per_frame": False,
           "fusion": False}  # fmt: skip
    chosen = {key: arguments.pop(key, default) for key, default in own.items()}
    config = _sizes(arguments, pretrained=pretrained)
    return VideoModel(config, chosen.pop("num_classes"), chosen.pop("drop_path_rate"), **chosen)


def _autoencoder(arguments: dict[str, Any], *, pretrained: bool) -> "Autoencoder":
    from svfap.models import Autoencoder

    fusion = arguments.pop("fusion", True)
    return Autoencoder(_sizes(arguments, pretrained=pretrained), fusion=fusion)


def _sizes(arguments: dict[str, Any], *, pretrained: bool) -> Any:  # noqa: ANN401
    """The `ModelConfig` that timm's arguments describe."""
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
        _add()
    else:
        sys.meta_path.insert(0, _AfterTimm())


def _add() -> None:
    from timm.models import register_model

    for model in (
        svfap_base_patch16_160,
        svfap_small_patch16_160,
        pretrain_svfap_base_patch16_160,
        pretrain_svfap_small_patch16_160,
    ):
        register_model(model)


class _AfterTimm(importlib.abc.MetaPathFinder):
    """Finds timm as usual and registers the models once it has been imported."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Timm's own spec, with the registration behind its execution."""
        if fullname != "timm":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_add(module: ModuleType) -> None:
                execute(module)
                _add()

            spec.loader.exec_module = execute_and_add  # type: ignore[method-assign]
        return spec
