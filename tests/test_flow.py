from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_sam_decoder.flow import optical_flow


def texture(rows=96, columns=128, channels=1, seed=0):
    noise = np.random.default_rng(seed).normal(size=(channels, rows, columns))
    smooth = ndimage.gaussian_filter(noise, (0, 3, 3))
    return ((smooth - smooth.mean()) / smooth.std()).astype(np.float32)


def moved(picture, step):
    return ndimage.shift(picture, (0, *step), order=1, mode="nearest")


def middle(array):
    return array[..., 20:-20, 20:-20]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("step", [(0.5, -0.25), (3, 2), (-6, 5), (0, 9)])
def test_a_shift_is_found(channels, step):
    earlier = texture(channels=channels)
    flow = optical_flow(moved(earlier, step), earlier)
    for found, expected in zip(flow.displacement, step, strict=True):
        assert np.abs(middle(found) + expected).mean() < 0.25
    assert middle(flow.mismatch).mean() < 0.2


def test_what_stays_does_not_move():
    flow = optical_flow(texture(), texture())
    np.testing.assert_allclose(flow.displacement, 0, atol=1e-4)
    np.testing.assert_allclose(flow.mismatch, 0, atol=1e-4)


def test_what_has_no_texture_is_left_in_place():
    blank = np.zeros((1, 40, 40), np.float32)
    assert not optical_flow(blank, blank).displacement.any()


def test_two_halves_may_move_apart():
    earlier = texture()
    now = np.where(
        np.arange(96)[:, None] < 48, moved(earlier, (0, 3)), moved(earlier, (0, -3))
    )
    across = optical_flow(now.astype(np.float32), earlier).displacement[1]
    assert across[20:36, 20:-20].mean() == pytest.approx(-3, abs=0.4)
    assert across[60:76, 20:-20].mean() == pytest.approx(3, abs=0.4)


def test_what_was_uncovered_is_a_mismatch():
    earlier = texture()
    now = earlier.copy()
    now[:, 40:60, 50:70] = texture(seed=1)[:, 40:60, 50:70] * 3
    mismatch = optical_flow(now, earlier).mismatch
    assert mismatch[44:56, 54:66].mean() > 5 * mismatch[:20].mean()


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (7, 3), (13, 200), (256, 2)])
def test_any_size_will_do(shape):
    picture = texture(*shape) if min(shape) > 1 else np.ones((1, *shape), np.float32)
    flow = optical_flow(picture, picture)
    assert flow.displacement.shape == (2, *shape)
    assert flow.mismatch.shape == shape
    assert np.isfinite(flow.displacement).all()
