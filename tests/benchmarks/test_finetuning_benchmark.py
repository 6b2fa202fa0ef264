from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from finetuning_parts.carrying import carry
from finetuning_parts.clicks import MOST_CLICKS, Clicked, click_on_all
from finetuning_parts.split import evenly, long_lived
from tracking_parts.data import Clip

from napari_sam_decoder import FrameResult, Movie
from napari_sam_decoder.prompts import PromptSet


@pytest.fixture
def clip(pixels, truth):
    return Clip("made up", Movie(pixels), truth)


def test_frames_are_spread_and_away_from_the_ends(clip):
    assert evenly(clip, 2) == [2, 3]
    assert evenly(clip, 2, without=(2, 3)) == [1, 4]
    assert evenly(clip, 20) == [0, 1, 2, 3, 4, 5]


def test_those_that_are_there_longest_are_carried(clip):
    first, second = long_lived(clip, length=5, count=2)
    assert (first.object_id, first.frames) == (1, range(1, 6))
    assert (second.object_id, second.frames) == (2, range(2, 6))
    assert len(long_lived(clip, length=5, count=1)) == 1


def test_clicks_are_counted_until_the_mask_is_good():
    clicked = Clicked((0.3, 0.7, 0.85))
    assert (clicked.needed, clicked.after(1), clicked.after(3)) == (3, 0.3, 0.85)
    at_once = Clicked((1.0,))
    assert (at_once.needed, at_once.after(3)) == (1, 1.0)
    assert Clicked((0.5,) * MOST_CLICKS).needed == MOST_CLICKS + 1


class Guessing:
    """A session whose masks get a row nearer to the truth with each click."""

    def __init__(self, truth, lacking):
        self.prompts_seen = []
        self._truth, self._lacking = truth, lacking

    def preview(self, prompt):
        self.prompts_seen.append(prompt)
        row, column = (int(place) for place in prompt.points[0])
        mask = self._truth[prompt.frame] == self._truth[prompt.frame, row, column]
        rows = np.flatnonzero(mask.any(axis=1))
        mask[rows[: max(self._lacking - len(prompt.points) + 1, 0)]] = False
        return SimpleNamespace(chosen=SimpleNamespace(mask=mask))


def test_clicks_go_on_until_all_is_right_or_good(clip):
    session = Guessing(clip.masks, lacking=4)
    first, second = click_on_all(session, clip, [3], None)
    assert first.ious == (12 / 16, 13 / 16, 14 / 16)
    assert second.ious == (6 / 10, 7 / 10, 8 / 10)
    assert [len(prompt.points) for prompt in session.prompts_seen] == [1, 2, 3] * 2
    assert session.prompts_seen[-1].signs == (True, True, True)


def test_only_the_largest_are_clicked_on_demand(clip):
    assert len(list(click_on_all(Guessing(clip.masks, 0), clip, [2, 3], 1))) == 2


class Carrying:
    """A session that loses objects after a frame, and finds them where corrected."""

    def __init__(self, truth, lost_from):
        self.prompts = PromptSet()
        self.labels_shape = truth.shape
        self.corrected = []
        self._truth, self._lost_from = truth, lost_from

    def add_prompt(self, prompt):
        self.prompts = self.prompts.add(prompt)

    def propagate(self, frames, direction):
        for frame in frames:
            is_held = frame < self._lost_from
            yield FrameResult(frame, self._truth[frame] * is_held)

    def correct(self, prompts, labels):
        (click,) = prompts
        self.corrected.append((click.object_id, click.frame))
        corrected = labels[click.frame].copy()
        corrected[self._truth[click.frame] == click.object_id] = click.object_id
        yield FrameResult(click.frame, corrected)


def test_corrections_are_counted_on_frames_that_were_not_learned(clip):
    session = Carrying(clip.masks, lost_from=3)
    targets = long_lived(clip, length=6, count=1)
    found = carry(session, targets, without=[4], most_clicks=10)
    # Of frames 1, 2, 3 and 5 the last two are lost.
    assert (found.region, found.region_after) == (0.5, 1.0)
    assert found.clicks == 2
    assert session.corrected == [(1, 3), (1, 5)]


def test_the_annotator_gives_up(clip):
    session = Carrying(clip.masks, lost_from=0)
    found = carry(session, long_lived(clip, 6, 2), without=(), most_clicks=2)
    assert found.clicks == 2
    assert found.region_after == pytest.approx(4 / 8)
