from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from effort_parts.annotator import CLICKS, Annotator, Habits
from tracking_parts.data import choose_targets

from napari_sam_decoder.jobs.learn import MaskFit
from napari_sam_decoder.project import Place

FRAMES = 4


@pytest.fixture
def truth():
    masks = np.zeros((FRAMES, 40, 50), int)
    for frame in range(FRAMES):
        masks[frame, 5:15, 5 + frame : 15 + frame] = 1
        masks[frame, 25:35, 20:30] = 2
    return masks


class Bench:
    """Finds nothing but what is shown to it, and only on the frame of that."""

    def __init__(self, truth, doubtful=(), needed=1):
        self.labels = None
        self.fixed_count = 0
        self.learned = None
        self.calls = []
        self._truth, self._doubtful, self._needed = truth, list(doubtful), needed
        self._shown = []

    def new_object(self):
        pass

    def wait(self, _):
        pass

    def show_place(self, object_id, frame):
        self._place = Place(frame, object_id)

    def propagate(self, frames):
        self.calls.append("run")
        if self.labels is None:
            self.labels = SimpleNamespace(data=np.zeros_like(self._truth))
        for place in self._shown:
            self._find(place)

    def add_box(self, frame, box, object_id=None):
        one = len(self._shown) + 1 if self.labels is None else self._place.object_id
        self._shown.append(Place(frame, one))
        self._act("box")

    def add_points(self, point, is_positive):
        self._act("click" if is_positive else "negative click")

    def add_scribble(self, frame, pixels, is_positive):
        self._act("scribble")

    def confirm_frame(self):
        self._act("confirm")

    def doubtful_places(self, _):
        return tuple(self._doubtful)

    def learn(self, steps):
        self.calls.append(f"learn {steps}")
        self.learned = SimpleNamespace(
            before=MaskFit(0.5), after=MaskFit(0.6), is_better=True
        )

    def use_learned(self):
        self.calls.append("use")

    def _act(self, what):
        self.calls.append(what)
        if self.labels is None:
            return
        self.fixed_count += 1
        self._doubtful = [one for one in self._doubtful if one != self._place]
        tried = sum(call != "confirm" for call in self.calls[3:])
        if what != "confirm" and tried % self._needed == 0:
            self._find(self._place)
        elif what == "box":
            self._find(self._place, rows=1)

    def _find(self, place, rows=None):
        seen = self._truth[place.frame] == place.object_id
        if rows is not None:
            seen[np.flatnonzero(seen.any(axis=1))[rows:]] = False
        self.labels.data[place.frame][seen] = place.object_id


def work(bench, truth, **habits):
    targets = choose_targets(truth, "first")
    return Annotator(bench, targets, FRAMES, Habits(**habits)).work()


def test_all_wrong_masks_are_corrected_in_time(truth):
    bench = Bench(truth)
    effort = work(bench, truth)
    assert bench.calls == ["box", "box", "run", *["box"] * 6]
    assert effort.shares == pytest.approx([2 / 8, 3 / 8, 4 / 8, 5 / 8, 6 / 8, 7 / 8, 1])
    assert effort.looked == 8
    assert effort.share_in_order is None


def test_what_is_proposed_comes_first_and_costs_an_action_if_it_is_right(truth):
    bench = Bench(truth, doubtful=[Place(0, 1), Place(3, 2)])
    effort = work(bench, truth, in_order=True)
    assert bench.calls[3:5] == ["confirm", "box"]
    assert (effort.proposed, effort.proposed_wrong, effort.confirmed) == (2, 1, 1)
    assert effort.share_in_order == pytest.approx(3 / 8)
    assert effort.shares[-1] == 1
    assert effort.looked == 2 + 8


def test_a_box_is_followed_by_clicks_and_they_by_scribbles(truth):
    bench = Bench(truth, needed=CLICKS + 2)
    work(bench, truth, most=1 + CLICKS + 2)
    assert bench.calls[3 : 5 + CLICKS] == ["box", *["click"] * CLICKS, "scribble"]


def test_patience_ends(truth):
    bench = Bench(truth, needed=100)
    effort = work(bench, truth, most=4)
    assert len(bench.calls) == 1 + 2 * 4
    assert effort.shares[-1] < 1


def test_the_decoder_is_trained_once_and_all_is_run_again(truth):
    bench = Bench(truth)
    effort = work(bench, truth, learn_from=2, steps=9)
    assert bench.calls[3:8] == ["box", "box", "learn 9", "use", "run"]
    assert bench.calls.count("learn 9") == 1
    assert effort.learned == (0.5, 0.6)
