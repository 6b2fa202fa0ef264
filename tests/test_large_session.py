"""A session with frames that are never read as a whole."""

from __future__ import annotations

import numpy as np
import pytest

from napari_sam_decoder import Prompt, Session, Settings
from napari_sam_decoder.frames import Movie, Planes, Window

FRAMES, SIDE, BAND = 2, 1100, 2**17
"""The tiny network sees 256 pixels."""


class Disk:
    """An array that notes what is read of it."""

    def __init__(self, array):
        self._array = array
        self.shape, self.dtype, self.ndim = array.shape, array.dtype, array.ndim
        self.parts = []

    def __getitem__(self, key):
        part = self._array[key]
        self.parts.append(part.size)
        return part


@pytest.fixture
def disk():
    pixels = np.random.default_rng(0).integers(0, 90, (FRAMES, SIDE, SIDE), np.uint8)
    pixels[:, 500:530, 700:730] += 120
    return Disk(pixels)


@pytest.fixture
def session(disk, tiny_sam, monkeypatch):
    monkeypatch.setattr("napari_sam_decoder.frames.reduced.BAND_PIXELS", BAND)
    movie = Movie(Planes(disk, 0), axes="TYX")
    settings = Settings(smallest_window=128)
    with Session(movie, model=tiny_sam, settings=settings) as session:
        yield session


def test_a_frame_is_never_read_as_a_whole(session, disk):
    list(session.embed())
    session.preview(Prompt(1, 0, points=[(515, 715)]))
    session.add_prompt(Prompt(1, 0, box=(500, 700, 529, 729)))
    results = list(session.propagate())
    assert {one.frame for one in results} == {0, 1}
    assert max(disk.parts) <= BAND


def test_the_overview_is_read_once(session, disk):
    first = session.preview(Prompt(1, 0, points=[(515, 715)]))
    before = len(disk.parts)
    second = session.preview(Prompt(2, 0, points=[(516, 716)]))
    assert {first.window.side, second.window.side} <= {128, 256, SIDE}
    windows = disk.parts[before:]
    assert sum(windows) <= 2 * 256 * 256


def test_windows_can_be_embedded_ahead(session):
    window = Window(400, 600, 256, 256)
    steps = list(session.embed([1, 0], windows=[window]))
    assert [one.frame for one in steps] == [1, 0]
    assert not any(one.was_cached for one in steps)
    assert all(one.was_cached for one in session.embed(windows=[window]))
    assert session.embedded == frozenset()
