"""The section of the model.

Defaults are the paper's sizes (arXiv 2401.00416, section 4).
"""

from typing import Literal

from pydantic import Field, model_validator

from svfap.config.section import Section


class ModelConfig(Section):
    """TPSBT encoder and pre-training decoder (paper section 3.1); defaults are SVFAP-B."""

    image_size: int = Field(default=160, ge=16, description="side of the input in pixels")
    patch_size: int = Field(default=16, ge=1, description="side of a patch in pixels")
    num_frames: int = Field(default=16, ge=2, description="frames of the input")
    tubelet: int = Field(default=2, ge=1, description="frames of a token")
    patch_features: Literal["pixels", "gradients"] = Field(
        default="pixels",
        description="what a token is made of; gradients: histograms of their directions, which"
        " learn from few videos",
    )
    dim: int = Field(default=512, ge=8, description="width C of the encoder")
    heads: int = Field(default=8, ge=1, description="attention heads of the encoder")
    depths: tuple[int, ...] = Field(default=(12, 6, 3), description="blocks per stage")
    pyramid: Literal["conv", "avg", "max", "none"] = Field(
        default="conv", description="how later stages lower the frame rate; none: not at all"
    )
    temporal_kernel: int = Field(
        default=2, ge=1, description="time steps merged between two stages"
    )
    bottleneck: bool = Field(default=True, description="false: plain blocks in every stage")
    bottleneck_tokens: int = Field(
        default=8, ge=1, description="G, tokens per time step after stage 1"
    )
    norm_eps: float = Field(
        default=1e-6, gt=0, description="epsilon of LayerNorm; public weights have their own"
    )
    decoder_dim: int = Field(default=384, ge=8, description="width of the decoder")
    decoder_heads: int = Field(default=6, ge=1, description="attention heads of the decoder")
    decoder_depth: int = Field(default=4, ge=1, description="blocks of the decoder")

    @model_validator(mode="after")
    def _divisible(self) -> "ModelConfig":
        slices = self.num_frames // self.tubelet
        merged = self.temporal_kernel ** (len(self.depths) - 1)
        rules = {
            "image_size must be a multiple of patch_size": self.image_size % self.patch_size,
            "patch_size must be even for patch_features: gradients": self.patch_size
            % 2
            * (self.patch_features == "gradients"),
            "dim must be a multiple of heads": self.dim % self.heads,
            "decoder_dim must be a multiple of decoder_heads": self.decoder_dim
            % self.decoder_heads,
            "num_frames must be a multiple of tubelet": self.num_frames % self.tubelet,
            f"num_frames must be a multiple of {self.tubelet * merged} (tubelet, times"
            " temporal_kernel once per stage after the first)": slices % merged,
        }
        for rule, remainder in rules.items():
            if remainder:
                raise ValueError(rule)
        return self
