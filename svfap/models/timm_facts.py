"""Names of the models in timm, and the facts of them that timm's users read."""

NAME = "svfap_{}_patch16_160"
SMALL = {"embed_dim": 384, "num_heads": 6, "depths": (8, 4, 2)}

# What timm's users read as `pretrained_cfg`. timm's sizes have no frames; a model has `num_frames`.
# Mean and deviation of the pixels are timm's default, ImageNet's.
FACTS = {
    "input_size": (3, 160, 160),
    "fixed_input_size": True,
    "crop_pct": 1.0,  # the input is a face crop already
    "interpolation": "bilinear",
    "num_classes": 0,
    "first_conv": "encoder.patch_embed",
    "paper_ids": "arXiv:2401.00416",
    "paper_name": "SVFAP: Self-supervised Video Facial Affect Perceiver",
}
