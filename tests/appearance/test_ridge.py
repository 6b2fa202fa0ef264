from __future__ import annotations

import numpy as np
import pytest

from napari_sam_decoder.appearance.ridge import (
    LabelledSamples,
    RidgeClassifier,
    with_constant,
)

RED, GREEN, BLUE = np.eye(3, dtype=np.float32)


def labelled(*kinds, background_weights=None):
    """Each kind is a (feature, share, number of samples)."""
    samples = np.concatenate([np.tile(kind, (n, 1)) for kind, _, n in kinds])
    shares = np.concatenate([np.full(n, share, np.float32) for _, share, n in kinds])
    if background_weights is None:
        background_weights = np.ones(len(shares), np.float32)
    return LabelledSamples(with_constant(samples), shares, background_weights)


def score(classifier, kind):
    return float(classifier.scores(with_constant(kind[None]))[0])


def test_an_object_is_told_from_the_rest():
    taught = RidgeClassifier.of(labelled((RED, 1, 20), (GREEN, 0, 200)))
    assert score(taught, RED) == pytest.approx(1, abs=0.1)
    assert score(taught, GREEN) == pytest.approx(-1, abs=0.1)


def test_a_small_object_counts_as_much_as_a_large_one():
    taught = RidgeClassifier.of(labelled((RED, 1, 1), (GREEN, 0, 2000)))
    assert score(taught, RED) == pytest.approx(1, abs=0.1)


def test_recent_frames_fade_and_fixed_frames_do_not():
    certain = RidgeClassifier.of(labelled((RED, 1, 10), (GREEN, 0, 10)))
    taught = certain
    for _ in range(10):
        taught = taught.updated(labelled((BLUE, 1, 10), (GREEN, 0, 10)), 1.0)
    faded = taught
    for _ in range(60):
        faded = faded.updated(labelled((GREEN, 0, 10)), 1.0)
    assert score(taught, BLUE) > score(certain, BLUE) + 0.3
    assert score(faded, BLUE) < score(taught, BLUE) - 0.2
    assert score(faded, RED) > 0.5


def test_doubtful_frames_count_less():
    certain = RidgeClassifier.of(labelled((RED, 1, 10), (GREEN, 0, 10)))
    newest = labelled((BLUE, 1, 10), (GREEN, 0, 10))
    little, much = (certain.updated(newest, confidence) for confidence in (0.2, 1.0))
    assert score(little, BLUE) < score(much, BLUE)


def test_joining_adds_the_fixed_frames():
    red = RidgeClassifier.of(labelled((RED, 1, 10), (GREEN, 0, 10)))
    blue = RidgeClassifier.of(labelled((BLUE, 1, 10), (GREEN, 0, 10)))
    joined = red.join(blue.updated(labelled((GREEN, 1, 10), (RED, 0, 10)), 1.0))
    assert min(score(joined, RED), score(joined, BLUE)) > 0.8
    assert score(joined, GREEN) < -0.8


def test_background_without_weight_does_not_count():
    background_weights = np.repeat([1, 1, 0], 10).astype(np.float32)
    kinds = ((RED, 1, 10), (GREEN, 0, 10), (BLUE, 0, 10))
    ignoring = RidgeClassifier.of(
        labelled(*kinds, background_weights=background_weights)
    )
    assert (
        score(ignoring, BLUE) > score(RidgeClassifier.of(labelled(*kinds)), BLUE) + 0.3
    )


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_frame_without_contrast_is_no_error(share):
    flat = RidgeClassifier.of(labelled((RED * 0, share, 30)))
    assert np.isfinite(flat.weights).all()


def test_known_products_of_all_samples_give_the_same():
    generator = np.random.default_rng(0)
    samples = with_constant(generator.normal(size=(300, 5)).astype(np.float32))
    shares = np.zeros(300, np.float32)
    shares[:20] = generator.uniform(0.1, 1, 20)
    ones = np.ones(300, np.float32)
    expected = RidgeClassifier.of(LabelledSamples(samples, shares, ones))
    found = RidgeClassifier.of(
        LabelledSamples(samples, shares, ones, samples.T @ samples)
    )
    np.testing.assert_allclose(found.weights, expected.weights, atol=1e-4)


def test_known_products_serve_an_object_that_is_nearly_everything():
    generator = np.random.default_rng(0)
    samples = with_constant(generator.normal(size=(300, 5)).astype(np.float32))
    shares = np.ones(300, np.float32)
    shares[:20] = 0.2
    ones = np.ones(300, np.float32)
    expected = RidgeClassifier.of(LabelledSamples(samples, shares, ones))
    found = RidgeClassifier.of(
        LabelledSamples(samples, shares, ones, samples.T @ samples)
    )
    np.testing.assert_allclose(found.weights, expected.weights, atol=1e-3)


def test_an_object_that_fills_the_frame_is_learned():
    rng = np.random.default_rng(0)
    samples = with_constant(rng.normal(size=(4096, 64)).astype(np.float32) * 0.1)
    shares = np.full(4096, 0.9997, np.float32)
    everywhere = np.ones_like(shares)
    products = samples.T @ samples
    taught = RidgeClassifier.of(LabelledSamples(samples, shares, everywhere, products))
    exact = RidgeClassifier.of(LabelledSamples(samples, shares, everywhere))
    np.testing.assert_allclose(taught.weights, exact.weights)
