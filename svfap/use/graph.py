"""A model as one function of pictures: frames in, scores and embedding out."""

from torch import Tensor, nn

from svfap.models import VideoModel
from svfap.training.objectives import Classification, Regression, normalise, unit_range


class Scorer(nn.Module):
    """Normalisation, model and softmax together, so that nobody needs to repeat them.

    Args:
        model: a fine-tuned model; without a head, scores are its embeddings.
        classes: whether scores are class probabilities; otherwise they are regressed values.
    """

    def __init__(self, model: VideoModel, *, classes: bool) -> None:
        super().__init__()
        self.model = model
        self.scores = Classification.scores if classes else Regression.scores

    def forward(self, video: Tensor) -> tuple[Tensor, Tensor]:
        """Score windows.

        Args:
            video: (B, T, H, W, 3) uint8, RGB.

        Returns:
            Class probabilities or values (B, n), and embeddings (B, C).
        """
        features = self.model.forward_features(normalise(unit_range(video)))
        return self.scores(self.model.activation(self.model.head(features))), features
