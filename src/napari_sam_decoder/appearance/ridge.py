"""Tell an object from the rest by features, from weighted examples, in closed form.

Ridge regression: the evidence of any number of frames is one matrix, so that it needs
no training and a memory of thousands of frames is as small as one of a single frame. It
is the idea of discriminative target models for video object segmentation (Robinson et
al., "Learning Fast and Robust Target Models for Video Object Segmentation", 2020; Bhat
et al., "Learning What to Learn for Video Object Segmentation", 2020) in its simplest
form.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_sam_decoder.linalg import gram_matrix, matmul, solve_positive_definite

__all__ = ["Classifier", "Lesson", "with_constant"]

SMALLEST_SHARE = 0.5
"""Samples; a class with less than this in all does not count in full."""

LEAST_SHARE = 1e-3
"""A sample that is less of the object than this is none of it."""

RIDGE = 0.01
"""Relative to the mean variance of a feature. Ten times more blurs the object, ten
times less fits single samples."""

FADING = 0.9
"""How much of what recent frames say is left one frame later."""

SMALLEST_VARIANCE = 1e-6


@dataclass(frozen=True, eq=False)
class Lesson:
    """What one frame teaches of an object.

    Attributes
    ----------
    samples : (N, K + 1) array of float32
        Features, and 1 as the last of them.
    shares : (N,) array of float32
        0..1, how far each sample is the object.
    counts : (N,) array of float32
        0..1, how much each counts as background.
    total : (K + 1, K + 1) array of float32, optional
        Products of the samples' columns, where all of them count in full: the same
        for all objects of a frame.
    """

    samples: np.ndarray
    shares: np.ndarray
    counts: np.ndarray
    total: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Evidence:
    """Weighted sums over samples, all that a least-squares fit needs of them.

    Attributes
    ----------
    moments : (K + 1, K + 1) array of float32
    targets : (K + 1,) array of float32
    """

    moments: np.ndarray
    targets: np.ndarray

    @classmethod
    def of(cls, lesson: Lesson) -> Evidence:
        """Object and background count the same, however small the object is."""
        shares, rest = lesson.shares, (1 - lesson.shares) * lesson.counts
        ours = 0.5 / max(float(shares.sum()), SMALLEST_SHARE)
        theirs = 0.5 / max(float(rest.sum()), SMALLEST_SHARE)
        weights = ours * shares + theirs * rest
        targets = matmul(weights * (2 * shares - 1), lesson.samples)
        if lesson.total is None:
            return cls(gram_matrix(lesson.samples * np.sqrt(weights)[:, None]), targets)
        # All but the few samples of the object have the same weight.
        own = shares > LEAST_SHARE
        samples, extra = lesson.samples[own], (ours - theirs) * shares[own]
        differing = matmul((samples * extra[:, None]).T, samples)
        return cls(theirs * lesson.total + differing, targets)

    def __add__(self, other: Evidence) -> Evidence:
        return Evidence(self.moments + other.moments, self.targets + other.targets)

    def __mul__(self, factor: float) -> Evidence:
        return Evidence(
            (factor * self.moments).astype(np.float32),
            (factor * self.targets).astype(np.float32),
        )


@dataclass(frozen=True, eq=False)
class Classifier:
    """Ridge regression on what is certain and what was seen lately.

    Attributes
    ----------
    certain : Evidence
        Never forgotten.
    recent : Evidence
        Fading.
    weights : (K + 1,) array of float32
        Fit to both; the last is the constant.
    """

    certain: Evidence
    recent: Evidence
    weights: np.ndarray

    @classmethod
    def of(cls, lesson: Lesson) -> Classifier:
        """Learn one frame for ever."""
        certain = Evidence.of(lesson)
        return cls._fitted(certain, certain * 0)

    def join(self, other: Classifier) -> Classifier:
        """Add what another classifier has for certain."""
        return self._fitted(self.certain + other.certain, self.recent)

    def seen(self, lesson: Lesson, confidence: float) -> Classifier:
        """Learn one frame for some time, as far as it can be trusted."""
        newest = Evidence.of(lesson) * ((1 - FADING) * confidence)
        return self._fitted(self.certain, self.recent * FADING + newest)

    def scores(self, samples: np.ndarray) -> np.ndarray:
        """Return (N,) scores of samples: about 1 for the object, -1 for others.

        0 lies on the border between them.

        Parameters
        ----------
        samples : (N, K + 1) array of float32
            As in a `Lesson`.
        """
        return matmul(samples, self.weights)

    @classmethod
    def _fitted(cls, certain: Evidence, recent: Evidence) -> Classifier:
        evidence = certain + recent
        features = len(evidence.targets) - 1
        moments = evidence.moments.copy()
        diagonal = np.arange(features)
        moments[diagonal, diagonal] += RIDGE / features
        # The constant has no ridge, but a frame without contrast leaves it singular.
        moments[features, features] += SMALLEST_VARIANCE
        return cls(certain, recent, solve_positive_definite(moments, evidence.targets))


def with_constant(features: np.ndarray) -> np.ndarray:
    """Append 1 to each of (N, K) features, so that a plane need not cross zero."""
    ones = np.ones((len(features), 1), features.dtype)
    return np.concatenate([features, ones], axis=1)
