from __future__ import annotations

import numpy as np
import pytest
from tracking_parts.data import choose_targets
from tracking_parts.scorecard import Scorecard, accuracy, joint_score, reliability

from napari_sam_decoder import FrameResult, ObjectResult, Verdict


def cards_of(truth, found, start="first"):
    return [
        Scorecard(target, lambda object_id, frame: found[frame] == object_id)
        for target in choose_targets(truth, start)
    ]


def test_a_perfect_run(truth):
    scores = accuracy(cards_of(truth, truth))
    assert scores == {"J": 100, "F": 100, "JF": 100, "flicker": 0, "dice": None}


def test_the_prompted_and_the_last_frame_do_not_count(truth):
    found = truth.copy()
    found[[0, 5]] = 0
    assert joint_score(cards_of(truth, found)[:1]) == 100
    found[1] = 0
    assert joint_score(cards_of(truth, found)[:1]) == 75


def test_objects_count_alike(truth):
    found = np.where(truth == 1, 1, 0)
    assert accuracy(cards_of(truth, found))["J"] == 50


def test_volumes_leave_out_only_the_prompted_slice_and_have_a_dice(truth):
    found = truth.copy()
    found[5] = 0
    (card,) = cards_of(truth, found, "largest")
    assert card.target.scored == (1, 2, 3, 4, 5)
    scores = accuracy([card])
    assert scores["J"] == 80
    assert scores["dice"] == pytest.approx(100 * 8 / 9)


def test_a_frame_is_measured_once_until_its_mask_changes(truth):
    looks = []

    def mask_at(object_id, frame):
        looks.append(frame)
        return truth[frame] == object_id

    card = Scorecard(choose_targets(truth, "first")[0], mask_at)
    joint_score([card])
    joint_score([card])
    assert len(looks) == 2 * len(card.target.scored)
    card.forget(2)
    joint_score([card])
    assert looks[-2:] == [2, 2]
    assert len(looks) == 2 * len(card.target.scored) + 2


def results_of(masks, confidences, verdicts):
    return {
        frame: FrameResult(
            frame,
            mask,
            {1: replace_confidence(confidences[frame], verdicts.get(frame))},
        )
        for frame, mask in enumerate(masks)
    }


def replace_confidence(confidence, verdict):
    return ObjectResult(1, verdict or Verdict.SURE, confidence=confidence)


def test_doubt_is_compared_with_poor_frames_and_absence_with_empty_ones(truth):
    true = np.where(truth == 1, 1, 0)
    true[3] = 0
    found = true.copy()
    found[1] = 0
    confidences = [1, 0.2, 0.9, 0.8, 0.1, 1]
    verdicts = {1: Verdict.ABSENT, 3: Verdict.ABSENT}
    results = results_of(found, confidences, verdicts)
    # Of frames 1 to 4 only 1 is poor, and frame 4 is doubted more.
    assert reliability(cards_of(true, found), results) == {
        "auc": pytest.approx(2 / 3),
        "lost_told": 1,
        "good_doubted": pytest.approx(1 / 3),
        "absent_precision": 0.5,
        "absent_recall": 1,
    }


def test_lost_frames_are_told_by_doubt_and_absence(truth):
    true = np.where(truth == 1, 1, 0)
    found = true.copy()
    found[1:4] = 0
    verdicts = {1: Verdict.ABSENT, 2: Verdict.DOUBTFUL, 4: Verdict.SURE}
    scores = reliability(cards_of(true, found), results_of(found, [1] * 6, verdicts))
    assert scores["lost_told"] == pytest.approx(2 / 3)
    assert scores["good_doubted"] == 0


def test_without_confidence_nothing_is_said_of_it(truth):
    assert set(reliability(cards_of(truth, truth), {}).values()) == {None}


@pytest.mark.parametrize(
    ("said", "precision", "recall"),
    [
        (range(5, 12), 1, 1),
        (range(7, 12), 1, 1),
        (range(9, 12), 1, 0.5),
        (range(3, 12), 6 / 8, 1),
        (range(0), None, 0),
    ],
)
def test_an_object_of_a_volume_should_be_absent_three_slices_beyond(
    said, precision, recall
):
    truth = np.zeros((12, 10, 10), np.uint8)
    truth[:5, :8, :8] = 1
    truth[2] = 1
    cards = cards_of(truth, truth, "largest")
    assert cards[0].target.past == (5, 6, 7, 8, 9, 10)
    results = {
        frame: FrameResult(
            frame,
            truth[frame],
            {1: ObjectResult(1, Verdict.ABSENT if frame in said else Verdict.SURE)},
        )
        for frame in range(12)
    }
    found = reliability(cards, results)
    assert found["absent_precision"] == (precision and pytest.approx(precision))
    assert found["absent_recall"] == recall
