"""A ridge classifier that tells an object from the rest, fitted in closed form.

Any number of frames adds up to one matrix. So there is no iterative training, and a
memory of thousands of frames takes no more space than that of a single one. This is the
idea of discriminative target models for video object segmentation (Robinson et al.,
"Learning Fast and Robust Target Models for Video Object Segmentation", 2020; Bhat
et al., "Learning What to Learn for Video Object Segmentation", 2020) in its simplest
form.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_sam_decoder.linalg import gram_matrix, matmul, solve_positive_definite

__all__ = ["LabelledSamples", "RidgeClassifier", "with_constant"]

SMALLEST_SHARE = 0.5
"""Samples; a class with fewer of them does not count in full."""

LEAST_SHARE = 1e-3
"""A sample with a smaller share of the object counts as background."""

FEW = 0.5
"""Share of the samples up to which an object's are few. With more, the difference
of two large matrices would be all that is left, and not even positive definite."""

RIDGE = 0.01
"""Relative to the mean variance of a feature. Ten times more blurs the object,
ten times less fits single samples."""

FADING = 0.9
"""Share of the recent frames' weight that is left one frame later."""

SMALLEST_VARIANCE = 1e-6


@dataclass(frozen=True, eq=False)
class LabelledSamples:
    """Samples of one frame, labelled as object and background.

    Attributes
    ----------
    samples : (N, K + 1) array of float32
        Features, and 1 as the last of them.
    shares : (N,) array of float32
        0..1, how much of each sample is the object.
    background_weights : (N,) array of float32
        0..1, how much each sample counts as background.
    products : (K + 1, K + 1) array of float32, optional
        ``samples.T @ samples``, given if all background weights are 1: it is the same
        for all objects of a frame.
    """

    samples: np.ndarray
    shares: np.ndarray
    background_weights: np.ndarray
    products: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class NormalEquations:
    """Weighted sums over samples: all that a least-squares fit needs.

    Attributes
    ----------
    moments : (K + 1, K + 1) array of float32
    targets : (K + 1,) array of float32
    """

    moments: np.ndarray
    targets: np.ndarray

    @classmethod
    def of(cls, labelled: LabelledSamples) -> NormalEquations:
        """Weigh object and background the same, however small the object is."""
        shares = labelled.shares
        rest = (1 - shares) * labelled.background_weights
        ours = 0.5 / max(float(shares.sum()), SMALLEST_SHARE)
        theirs = 0.5 / max(float(rest.sum()), SMALLEST_SHARE)
        weights = ours * shares + theirs * rest
        targets = matmul(weights * (2 * shares - 1), labelled.samples)
        own = shares > LEAST_SHARE
        if labelled.products is None or own.mean() > FEW:
            return cls(
                gram_matrix(labelled.samples * np.sqrt(weights)[:, None]), targets
            )
        # All samples except the few of the object have the same weight.
        samples, extra = labelled.samples[own], (ours - theirs) * shares[own]
        differing = matmul((samples * extra[:, None]).T, samples)
        return cls(theirs * labelled.products + differing, targets)

    def __add__(self, other: NormalEquations) -> NormalEquations:
        return NormalEquations(
            self.moments + other.moments, self.targets + other.targets
        )

    def __mul__(self, factor: float) -> NormalEquations:
        return NormalEquations(
            (factor * self.moments).astype(np.float32),
            (factor * self.targets).astype(np.float32),
        )


@dataclass(frozen=True, eq=False)
class RidgeClassifier:
    """Ridge regression on fixed frames and on recent ones.

    Attributes
    ----------
    certain : NormalEquations
        Of the fixed frames; they never fade.
    recent : NormalEquations
        Of the accepted frames; they fade.
    weights : (K + 1,) array of float32
        Fitted to both; the last one belongs to the constant feature.
    """

    certain: NormalEquations
    recent: NormalEquations
    weights: np.ndarray

    @classmethod
    def of(cls, labelled: LabelledSamples) -> RidgeClassifier:
        """Fit to a fixed frame."""
        certain = NormalEquations.of(labelled)
        return cls._fitted(certain, certain * 0)

    def join(self, other: RidgeClassifier) -> RidgeClassifier:
        """Add the fixed frames of another classifier."""
        return self._fitted(self.certain + other.certain, self.recent)

    def updated(self, labelled: LabelledSamples, confidence: float) -> RidgeClassifier:
        """Add an accepted frame, weighted by its confidence."""
        newest = NormalEquations.of(labelled) * ((1 - FADING) * confidence)
        return self._fitted(self.certain, self.recent * FADING + newest)

    def scores(self, samples: np.ndarray) -> np.ndarray:
        """Return (N,) scores: about 1 for the object, about -1 for the rest.

        Parameters
        ----------
        samples : (N, K + 1) array of float32
            As in `LabelledSamples`.
        """
        return matmul(samples, self.weights)

    @classmethod
    def _fitted(
        cls, certain: NormalEquations, recent: NormalEquations
    ) -> RidgeClassifier:
        equations = certain + recent
        features = len(equations.targets) - 1
        moments = equations.moments.copy()
        diagonal = np.arange(features)
        moments[diagonal, diagonal] += RIDGE / features
        # The constant has no ridge, but without contrast the matrix would be singular.
        moments[features, features] += SMALLEST_VARIANCE
        return cls(certain, recent, solve_positive_definite(moments, equations.targets))


def with_constant(features: np.ndarray) -> np.ndarray:
    """Append the constant feature 1 to (N, K) features."""
    ones = np.ones((len(features), 1), features.dtype)
    return np.concatenate([features, ones], axis=1)
