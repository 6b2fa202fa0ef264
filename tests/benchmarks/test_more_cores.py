from __future__ import annotations

import json

import more_cores
import numpy as np
import pytest
from speed_parts.schedule import FrameCost, seconds_per_frame

from napari_sam_decoder import Movie

COST = FrameCost(read=0.0, one=1.0, two=0.6, write=0.0)


def test_threads_help_by_what_can_be_shared():
    assert COST.serial_share == pytest.approx(0.2)
    assert COST.encode(1) == 1
    assert COST.encode(2) == pytest.approx(0.6)
    assert COST.encode(4) == pytest.approx(0.4)


@pytest.mark.parametrize(("two", "share"), [(1.2, 1.0), (0.4, 0.0)])
def test_a_share_is_within_its_range(two, share):
    assert FrameCost(0.0, 1.0, two, 0.0).serial_share == share


@pytest.mark.parametrize(
    ("cores", "side_by_side", "seconds"),
    [(1, 1, 1.0), (2, 1, 0.6), (4, 4, 0.25), (8, 4, 0.15), (2, 8, 0.5)],
)
def test_frames_side_by_side_share_the_cores(cores, side_by_side, seconds):
    found = seconds_per_frame(COST, cores, side_by_side, frames=1000)
    assert found == pytest.approx(seconds, rel=0.01)


def test_reading_is_hidden_behind_encoding_until_it_takes_longer():
    slow = FrameCost(read=0.2, one=1.0, two=0.6, write=0.0)
    assert seconds_per_frame(slow, 1, 1) == pytest.approx(1.2)
    # The frame that is next is read after the oldest one is done.
    assert 0.25 < seconds_per_frame(slow, 4, 4) < 0.35
    reading = FrameCost(read=2.0, one=1.0, two=0.6, write=0.0)
    assert seconds_per_frame(reading, 4, 4) == pytest.approx(2.0, rel=0.01)


def test_writing_counts():
    cost = FrameCost(read=0.0, one=1.0, two=0.6, write=0.5)
    assert seconds_per_frame(cost, 4, 4) == pytest.approx(1.5 / 4, rel=0.01)


def test_it_prints_what_was_simulated_and_measured(
    tiny_sam, monkeypatch, tmp_path, capsys
):
    monkeypatch.setattr(more_cores, "load_sam", lambda **_: tiny_sam)
    monkeypatch.setattr(more_cores, "SHAPE", (24, 32))
    monkeypatch.setattr(more_cores, "FRAMES", 3)
    out = tmp_path / "out.json"
    arguments = ["--cores", "1", "64", "--side-by-side", "1", "4", "--json", str(out)]
    more_cores.main(arguments)
    found = json.loads(out.read_text())
    assert [(row["cores"], row["side_by_side"]) for row in found["rows"]] == [
        (1, 1),
        (64, 1),
        (64, 4),
    ]
    assert [row["measured_s"] is None for row in found["rows"]] == [False, True, True]
    assert "side by side" in capsys.readouterr().out


def test_all_frames_are_embedded_for_real(tiny_sam):
    calls = []

    class Counting:
        def __getattr__(self, name):
            return getattr(tiny_sam, name)

        def encode(self, picture):
            calls.append(picture)
            return tiny_sam.encode(picture)

    movie = Movie(np.arange(4 * 24 * 32, dtype=np.uint8).reshape(4, 24, 32))
    more_cores.embed_for_real(movie, Counting(), 1, 2)
    assert len(calls) == 4
