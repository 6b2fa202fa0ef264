from __future__ import annotations

import numpy as np
import pytest

from shipped_head import shapes


@pytest.mark.parametrize("draw", shapes._KINDS)
def test_things_fill_some_of_their_square(draw: shapes.Draw) -> None:
    shares = [draw(np.random.default_rng(seed), 90).mean() for seed in range(20)]
    assert min(shares) > 0.005
    assert max(shares) < 0.9
    assert len(set(shares)) > 10


def test_edges_are_soft_and_all_else_is_not() -> None:
    drawn = shapes.draw_shape(np.random.default_rng(3), 60)
    assert drawn.shape == (60, 60)
    assert drawn.min() == 0
    assert drawn.max() == 1
    doubtful = (drawn > 0) & (drawn < 1)
    assert 0 < doubtful.mean() < 0.25


def test_the_same_generator_draws_the_same() -> None:
    first, second = (shapes.draw_shape(np.random.default_rng(5), 40) for _ in range(2))
    np.testing.assert_array_equal(first, second)
