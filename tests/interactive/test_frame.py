from __future__ import annotations

import numpy as np
from made_frames import LOW_RES, MIDDLE, SHAPE, ProposalRefiner, block, frame_with
from made_frames import scribble as stroke

from napari_sam_decoder.interactive.actions import actions_of
from napari_sam_decoder.interactive.frame import CLICKS_REMEMBERED, POINTS_OF_SCRIBBLE
from napari_sam_decoder.prompts import Prompt

MASK = block((10, 20), (10, 30))
EMPTY = block((0, 0), (0, 0))


def asked_of(frame, prompt, mask=MASK):
    frame.decode_action(prompt, actions_of(prompt, SHAPE), mask)
    return frame.decoder.asked


def test_the_decoder_sees_the_box_of_a_lasso():
    frame = frame_with(ProposalRefiner())
    lasso = [(2, 3), (2, 9), (12, 3)]
    frame.decode_first(Prompt(1, 0, lasso=lasso), None)
    (asked,) = frame.decoder.asked
    scale = frame.decoder.image_size / max(SHAPE)
    np.testing.assert_allclose(asked.box, np.multiply((3, 2, 9, 12), scale))
    assert asked.points.shape == (0, 2)


def test_a_scribble_is_a_few_points_of_its_sign():
    frame = frame_with(ProposalRefiner())
    off = stroke(block((5, 6), (5, 25)), is_positive=False, after=1)
    together, alone = asked_of(frame, Prompt(1, 0, [MIDDLE], scribbles=[off]))
    np.testing.assert_array_equal(together.signs, [1] + [0] * POINTS_OF_SCRIBBLE)
    assert together.box is None
    # By itself, the newest action shows what is there.
    np.testing.assert_array_equal(alone.signs, [1])


def test_an_empty_mask_is_not_shown_to_the_decoder():
    frame = frame_with(ProposalRefiner())
    seen = []
    decode = frame.decoder.decode

    def noted(embedding, prompts, previous_logits):
        seen.extend(previous_logits)
        return decode(embedding, prompts)

    frame.decoder.decode = noted
    asked_of(frame, Prompt(1, 0, [MIDDLE]))
    asked_of(frame, Prompt(1, 0, [MIDDLE]), EMPTY)
    assert seen[0].shape == (LOW_RES, LOW_RES)
    # What the click shows by itself is remembered from the first question.
    assert seen[1:] == [None] * 2


def test_what_a_click_shows_by_itself_is_decoded_once():
    frame = frame_with(ProposalRefiner())
    (first,) = actions_of(Prompt(1, 0, [MIDDLE]), SHAPE)
    shown = frame.decode_first(Prompt(1, 0, [MIDDLE]), first).low_res_logits[0]
    rival = Prompt(2, 0, [(5, 5), MIDDLE], signs=[True, False])
    _, alone = frame.decode_action(rival, actions_of(rival, SHAPE), MASK)
    assert np.shares_memory(alone, shown)
    assert [list(asked.signs) for asked in frame.decoder.asked] == [[1], [1, 0]]


def test_in_a_box_a_click_shows_something_else():
    frame = frame_with(ProposalRefiner())
    boxed = Prompt(1, 0, [MIDDLE], box=(10, 10, 30, 30))
    frame.decode_first(boxed, actions_of(boxed, SHAPE)[0])
    asked_of(frame, Prompt(1, 0, [MIDDLE]))
    _, _, alone = frame.decoder.asked
    assert alone.box is None


def test_only_the_last_clicks_are_remembered():
    frame = frame_with(ProposalRefiner())

    def asked_at(column):
        frame.decoder.asked.clear()
        return len(asked_of(frame, Prompt(1, 0, [(3, column)])))

    assert [asked_at(column) for column in range(1 + CLICKS_REMEMBERED)] == (
        [2] * (1 + CLICKS_REMEMBERED)
    )
    assert asked_at(CLICKS_REMEMBERED) == 1
    assert asked_at(0) == 2, "the first is forgotten"
