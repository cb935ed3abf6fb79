"""The TPSBT encoder, the masked autoencoder and conversion of the authors' checkpoints.

The classes are imported when they are first used, because torch takes seconds to import and
`import svfap` registers the models without it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from svfap.models.autoencoder import Autoencoder, reconstruction_target
    from svfap.models.encoder import Encoder, VideoModel

__all__ = ["Autoencoder", "Encoder", "VideoModel", "reconstruction_target"]

_HOMES = {
    "Autoencoder": "autoencoder",
    "Encoder": "encoder",
    "VideoModel": "encoder",
    "reconstruction_target": "autoencoder",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401
    """Import a class on first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
