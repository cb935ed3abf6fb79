"""The TPSBT encoder, the masked autoencoder, and conversion of the authors' checkpoints.

Importing torch takes seconds, and `import svfap` imports this package to register the models in
timm. So the classes below are imported on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from svfap.models.autoencoder import Autoencoder, reconstruction_target
    from svfap.models.encoder import Encoder
    from svfap.models.video_model import VideoModel

__all__ = ["Autoencoder", "Encoder", "VideoModel", "reconstruction_target"]

_MODULE_OF = {
    "Autoencoder": "autoencoder",
    "Encoder": "encoder",
    "VideoModel": "video_model",
    "reconstruction_target": "autoencoder",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401
    """Import a class on first use (PEP 562)."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
