"""Regression learns targets of mean 0 and deviation 1, whatever the unit of the labels.

With raw targets, the same recipe learns well from labels between 0 and 1 and fails with labels
between 0 and 100: the head starts near 0, and the learning rate is an absolute one. The head is
linear, so the finished head absorbs the scale. A checkpoint then predicts in the unit of its
labels, and whatever reads it needs to know nothing of the scale.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from svfap.config.section import Section
from svfap.config.stage_sections import FinetuneJob

HEAD_WEIGHT, HEAD_BIAS = "head.weight", "head.bias"  # keys in the state dict of `VideoModel`


class TargetScale(Section):
    """Mean and deviation of each target over the training clips; empty for raw targets."""

    mean: tuple[float, ...] = ()
    deviation: tuple[float, ...] = ()

    @classmethod
    def of(cls, job: FinetuneJob, targets: NDArray[np.float32]) -> "TargetScale":
        """Return the scale of the training clips' targets (clips, n); empty for raw targets."""
        if not job.standardises:
            return cls()
        exact = targets.astype(np.float64)
        mean, deviation = exact.mean(axis=0), exact.std(axis=0)
        # Rounding alone makes the deviation of a constant target differ from 0; it keeps its unit.
        constant = deviation <= 1e-6 * np.abs(mean)
        deviation[constant] = 1
        return cls(mean=tuple(mean.tolist()), deviation=tuple(deviation.tolist()))

    def standardise(self, targets: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return targets (clips, n) with mean 0 and deviation 1 over the training clips."""
        if not self.mean:
            return targets
        scaled: NDArray[np.float64] = (targets - np.array(self.mean)) / np.array(self.deviation)
        return scaled.astype(np.float32)

    def restore(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return standardised scores (clips, n) in the unit of the labels."""
        return scores * np.array(self.deviation) + np.array(self.mean) if self.mean else scores

    def absorbed(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the weights of a model whose head predicts in the unit of the labels."""
        if not self.mean:
            return dict(weights)
        weight, bias = weights[HEAD_WEIGHT], weights[HEAD_BIAS]
        mean, deviation = bias.new_tensor(self.mean), bias.new_tensor(self.deviation)
        return dict(weights) | {
            HEAD_WEIGHT: weight * deviation[:, None],
            HEAD_BIAS: bias * deviation + mean,
        }


RAW = TargetScale()
