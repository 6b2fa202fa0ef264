from __future__ import annotations

import numpy as np
from stand_in import BrightSam

from shipped_head.distillation import CLICKS, distil_example


def photograph(level: int = 250) -> np.ndarray:
    rows, columns = np.mgrid[:600, :800]
    disc = np.hypot(rows - 300, columns - 400) < 130
    return np.repeat(np.where(disc, level, 10).astype(np.uint8)[..., None], 3, axis=-1)


def test_what_is_seen_from_nearby_is_the_truth() -> None:
    found = 0
    for seed in range(12):
        example = distil_example(photograph(), BrightSam(), np.random.default_rng(seed))
        if example is None:  # In other colours, nothing or all of it is bright.
            continue
        found += 1
        # All clicks give the same mask, which is wanted once.
        assert example.objects.tolist() == [0]
        truth = example.mask(0)
        assert truth.shape == tuple(example.shown)
        seen = (example.logits[0] > 0)[: truth.shape[0] // 4, : truth.shape[1] // 4]
        sampled = truth[2::4, 2::4][: seen.shape[0], : seen.shape[1]]
        assert (sampled & seen).sum() > 0.9 * (sampled | seen).sum()
    assert found >= 5


def test_ratings_stay_what_they_are() -> None:
    example = distil_example(photograph(), BrightSam(), np.random.default_rng(0))
    assert example is not None
    assert example.tokens.shape == (CLICKS, 5, 256)
    np.testing.assert_allclose(example.ious, np.tile([0.3, 0.9, 0.6], (CLICKS, 1)))


def test_nothing_is_learned_where_nothing_is_seen() -> None:
    dark = photograph(level=10)
    for seed in range(4):
        rng = np.random.default_rng(seed)
        assert distil_example(dark, BrightSam(), rng) is None
