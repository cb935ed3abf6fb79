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

from svfap.models.timm_facts import FACTS, NAME, SMALL

if TYPE_CHECKING:
    from svfap.models import Autoencoder, VideoModel

default_cfgs = {  # timm's name for this table
    f"{kind}{NAME.format(size)}": FACTS | {"classifier": classifier}
    for kind, classifier in (("", "head"), ("pretrain_", None))
    for size in ("base", "small")
}


def svfap_base_patch16_160(pretrained: bool = False, **arguments: Any) -> "VideoModel":  # noqa: ANN401
    """SVFAP-B for fine-tuning: C = 512, 8 heads, depths 12/6/3 (paper section 4.1).

    Args:
        pretrained: whether to load weights: of an exported folder (`local-dir:FOLDER`), of a model
            on the hub (`hf-hub:NAME`), or of `pretrained_cfg_overlay={"file": PATH}`. None are
            published under the plain name.
        **arguments: timm's arguments; any key of `config.ModelConfig`, also as timm's `img_size`,
            `embed_dim` and `num_heads`; `activation`, `per_frame` and `fusion` of
            `models.VideoModel`, and its `pool` as timm's `global_pool`.

    Raises:
        SvfapError: a size is unknown or does not fit the others, or there are no weights.
    """
    from svfap.models.timm_build import build

    model: VideoModel = build("svfap_base_patch16_160", arguments, pretrained=pretrained)
    return model


def svfap_small_patch16_160(pretrained: bool = False, **arguments: Any) -> "VideoModel":  # noqa: ANN401
    """SVFAP-S for fine-tuning: C = 384, 6 heads, depths 8/4/2; otherwise like the base model."""
    from svfap.models.timm_build import build

    model: VideoModel = build("svfap_small_patch16_160", SMALL | arguments, pretrained=pretrained)
    return model


def pretrain_svfap_base_patch16_160(pretrained: bool = False, **arguments: Any) -> "Autoencoder":  # noqa: ANN401
    """SVFAP-B as masked autoencoder; its decoder is 384 wide, with 6 heads and 4 blocks."""
    from svfap.models.timm_build import build

    model: Autoencoder = build("pretrain_svfap_base_patch16_160", arguments, pretrained=pretrained)
    return model


def pretrain_svfap_small_patch16_160(pretrained: bool = False, **arguments: Any) -> "Autoencoder":  # noqa: ANN401
    """SVFAP-S as masked autoencoder, with the same decoder."""
    from svfap.models.timm_build import build

    model: Autoencoder = build(
        "pretrain_svfap_small_patch16_160", SMALL | arguments, pretrained=pretrained
    )
    return model


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
