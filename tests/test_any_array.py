"""Arrays of any kind through a session: the right frames and labels, or our own error.

``HYPOTHESIS_PROFILE=thorough`` tries 2,000 of each.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arrays_of_any_kind import HOLDERS, LAYOUTS, held, values, whole_numbers
from napari_sam_decoder import Prompt, SamDecoderError, Session

ORDERS = ("<", ">")
AXES = (None, "YX", "YXC", "CYX", "TYX", "ZYX", "TYXC", "TCYX", "CTYX", "ZCYX", "XYT")
SIDES = st.sampled_from([1, 1, 2, 3, 3, 4, 5, 6, 7])
SHAPES = st.lists(SIDES, min_size=2, max_size=4).map(tuple)
ODD_SHAPES = st.lists(st.integers(0, 4), max_size=6).map(tuple)
LABELS_SHAPE = (3, 12, 16)

same_network = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def plain_frames(array: np.ndarray, axes: str | None, channel: int | None) -> Any:
    """Say what the frames are, in the plainest way; None if it is no movie."""
    if array.dtype.kind not in "buif" or 0 in array.shape:
        return None
    letters = axes or _guess(array.shape, channel)
    if letters is None or len(letters) != array.ndim:
        return None
    if channel is not None and "C" in letters:
        place = letters.index("C")
        if channel >= array.shape[place]:
            return None
        array, letters = array.take(channel, place), letters.replace("C", "")
    elif channel not in (None, 0):
        return None
    if letters.replace("C", "") not in ("YX", "TYX", "ZYX"):
        return None
    if "C" in letters:
        array = np.moveaxis(array, letters.index("C"), -1)
        if array.shape[-1] not in (1, 3, 4):
            return None
    return array if letters.replace("C", "") != "YX" else array[np.newaxis]


def _guess(shape: tuple[int, ...], channel: int | None) -> str | None:
    is_colour = len(shape) == 3 and shape[-1] in (3, 4) and min(shape[:2]) > 4
    guessed = {
        2: "YX",
        3: "YXC" if is_colour else "TYX",
        4: "TYXC" if shape and shape[-1] in (1, 3, 4) else None,
    }.get(len(shape))
    is_clear = channel is None or (guessed or "").endswith("C")
    return guessed if is_clear else None


def plain_rgb(frames: np.ndarray) -> np.ndarray:
    """Stretch to 0..255 between robust percentiles, in more digits than needed."""
    grey = frames if frames.ndim == 3 else frames[..., :3]
    exact = grey.astype(np.longdouble)
    finite = exact[np.isfinite(exact)]
    low, high = np.percentile(finite, (0.1, 99.9)) if finite.size else (0, 0)
    if low == high and finite.size:
        low, high = finite.min(), finite.max()
    black = np.isnan(exact)
    if high > low:
        level = (np.clip(exact, low, high) - low) / (high - low) * 255
    else:
        level = np.where((exact > high) & np.isfinite(exact), 255, 0)
    level = np.rint(np.where(black, 0, level))
    level = level if level.ndim == 4 else level[..., np.newaxis]
    return np.broadcast_to(level, (*level.shape[:3], 3)).astype(int)


@same_network
@given(
    array=values(st.one_of(SHAPES, SHAPES, ODD_SHAPES)),
    order=st.sampled_from(ORDERS),
    layout=st.sampled_from(LAYOUTS),
    holder=st.sampled_from(HOLDERS),
    axes=st.sampled_from(AXES),
    channel=st.sampled_from([None, None, 0, 1, 5]),
)
def test_frames_of_a_session(array, order, layout, holder, axes, channel, tiny_sam):
    data = held(array, order, layout, holder)
    expected = plain_frames(array, axes, channel)
    try:
        session = Session(data, axes=axes, channel=channel, model=tiny_sam)
    except SamDecoderError:
        assert expected is None
        return
    with session:
        assert expected is not None
        assert session.labels_shape == expected.shape[:3]
        rgb = plain_rgb(expected)
        for frame in range(len(expected)):
            raw = session.movie.raw(frame)
            assert raw.dtype.isnative
            np.testing.assert_array_equal(raw, expected[frame])
            seen = session.movie.rgb(frame)
            assert seen.dtype == np.uint8
            assert abs(seen.astype(int) - rgb[frame]).max() <= 1


@pytest.fixture(scope="module")
def known_run(tiny_sam):
    """A session, and what it has found once, so that examples take no time."""
    pixels = np.random.default_rng(0).integers(0, 255, LABELS_SHAPE, np.uint8)
    session = Session(pixels, model=tiny_sam)
    session.add_prompt(Prompt(5, 1, box=(2, 2, 9, 13)))
    session.add_prompt(Prompt(9, 0, box=(6, 1, 11, 6)))
    results = list(session.propagate())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "napari_sam_decoder.session.propagate", lambda *_, **__: iter(results)
        )
        yield session, results


@same_network
@given(
    labels=whole_numbers(LABELS_SHAPE),
    order=st.sampled_from(ORDERS),
    layout=st.sampled_from(LAYOUTS),
    holder=st.sampled_from(HOLDERS),
    replace=st.booleans(),
)
def test_labels_that_are_there(labels, order, layout, holder, replace, known_run):
    session, found = known_run
    before = labels.copy()
    there = held(labels, order, layout, holder)
    try:
        results = list(session.propagate(labels=there, replace=replace))
    except SamDecoderError:
        # A tensor and a list say that they are to be made arrays first.
        assert holder in ("torch", "list")
        return
    np.testing.assert_array_equal(np.asarray(there), before)
    assert len(results) == len(found)
    for plain, result in zip(found, results, strict=True):
        expected = before[plain.frame].astype(np.int64)
        expected[np.isin(expected, (5, 9))] = 0
        new = plain.labels.astype(np.int64)
        wins = (new > 0) & (replace | (expected == 0))
        np.testing.assert_array_equal(result.labels, np.where(wins, new, expected))
        assert result.labels.dtype.newbyteorder("=") == labels.dtype
