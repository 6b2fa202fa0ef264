from __future__ import annotations

import numpy as np
import pytest
from tracking_parts.annotator import Annotator, next_correction
from tracking_parts.data import choose_targets
from tracking_parts.scorecard import Scorecard

from napari_sam_decoder import FrameResult, Prompt


class Mending:
    """A session that gives the clicked frames the truth, and the next ones again."""

    def __init__(self, truth, prompts=()):
        self.labels_shape = truth.shape
        self.prompts = prompts
        self.rounds = []
        self._truth = truth

    def correct(self, prompts, labels, frames=None):
        self.rounds.append(list(prompts))
        for frame in {prompt.frame for prompt in prompts}:
            yield FrameResult(frame, np.zeros_like(labels[frame]), is_final=False)
            yield FrameResult(frame, self._truth[frame])
            if frame + 1 < len(labels):
                yield FrameResult(frame + 1, labels[frame + 1].copy())


@pytest.fixture
def found(truth):
    """Frames 1 and 3 without both objects, half of the first object on frame 2."""
    labels = truth.copy()
    labels[[1, 3]] = 0
    labels[2, 10:18] = 0
    return labels


def annotator_of(truth, found, protocol="clicks", prompts=()):
    results = {frame: FrameResult(frame, labels) for frame, labels in enumerate(found)}
    cards = [
        Scorecard(target, lambda object_id, frame: results[frame].labels == object_id)
        for target in choose_targets(truth, "first")
    ]
    session = Mending(truth, prompts)
    return session, cards, Annotator(session, results, cards, protocol)


def test_the_earliest_of_the_worst_frames_is_clicked(truth, found):
    _, (first, second), _ = annotator_of(truth, found)
    click = next_correction(first)
    assert (click.frame, click.signs) == (1, (True,))
    row, column = map(int, click.points[0])
    assert truth[1, row, column] == 1
    assert next_correction(second).frame == 3


def test_rounds_of_clicks_correct_frame_by_frame(truth, found):
    session, cards, annotator = annotator_of(truth, found)
    corrections = annotator.work([0, 1, 3, 5])
    frames = [[(p.object_id, p.frame) for p in clicks] for clicks in session.rounds]
    assert frames == [[(1, 1), (2, 3)], [(1, 2)]]
    assert corrections.scores.keys() == {"0", "1", "3", "5"}
    assert corrections.scores["0"] < corrections.scores["1"] < 100
    assert corrections.scores["3"] == corrections.scores["5"] == 100
    assert corrections.recomputed == {"1": 4, "2": 2, "3": 0, "4": 0, "5": 0}
    np.testing.assert_array_equal(cards[0].mask(1), truth[1] == 1)


def test_only_masks_that_changed_are_measured_again(truth, found):
    _, cards, annotator = annotator_of(truth, found)
    forgotten = []
    for card in cards:
        card.forget = lambda frame, card=card: (
            forgotten.append((card.target.object_id, frame)),
            Scorecard.forget(card, frame),
        )
    annotator.work([1])
    assert set(forgotten) == {(1, 1), (1, 3), (2, 3)}, "frames 2 and 4 came unchanged"


def test_too_much_is_clicked_away(truth):
    found = truth.copy()
    found[2, 30:46, :20] = 1
    _, (card, _), _ = annotator_of(truth, found)
    click = next_correction(card)
    assert (click.frame, click.signs) == (2, (False,))
    assert found[2, *map(int, click.points[0])] == 1


def test_an_object_is_boxed_once_on_a_frame(truth, found):
    boxed = Prompt(2, 3, box=(30, 30, 40, 40))
    session, _, annotator = annotator_of(truth, found, "box", [boxed])
    annotator.work([1])
    ((first, second),) = session.rounds
    assert (first.object_id, first.frame, first.box) == (1, 1, (10, 10, 26, 26))
    assert (second.object_id, second.frame) == (2, 3)
    assert (second.box, second.signs) == (None, (True,))


def test_a_box_on_another_frame_or_object_is_no_reason_to_click(truth, found):
    _, (card, _), _ = annotator_of(truth, found)
    boxes = [Prompt(2, 1, box=(30, 30, 40, 40)), Prompt(1, 0, box=(9, 9, 40, 40))]
    assert next_correction(card, "box", boxes).box == (10, 10, 26, 26)


def test_what_is_not_lost_is_clicked(truth, found):
    found[[1, 3]] = truth[[1, 3]]
    found[2, 10:16] = 0
    found[2, 16:18] = truth[2, 16:18]
    _, (card, _), _ = annotator_of(truth, found)
    correction = next_correction(card, "box")
    assert (correction.frame, correction.box, correction.signs) == (2, None, (True,))


def test_scribbles_correct(truth, found):
    session, _, annotator = annotator_of(truth, found, "scribble")
    annotator.work([1])
    ((first, second),) = session.rounds
    for correction, frame in ((first, 1), (second, 3)):
        assert correction.frame == frame
        (scribble,) = correction.scribbles
        pixels = scribble.pixels.to_array()
        assert (truth[frame][pixels] == correction.object_id).all()
