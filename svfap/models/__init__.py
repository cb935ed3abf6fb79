"""The TPSBT encoder, the masked autoencoder and conversion of the authors' checkpoints."""

from svfap.models.autoencoder import Autoencoder, reconstruction_target
from svfap.models.encoder import Encoder, VideoModel

__all__ = ["Autoencoder", "Encoder", "VideoModel", "reconstruction_target"]
