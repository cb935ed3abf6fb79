"""Use a trained model: score videos or a camera, and share, export or convert the model."""
