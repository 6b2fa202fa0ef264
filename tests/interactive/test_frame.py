from __future__ import annotations

import numpy as np
from made_frames import LOW_RES, MIDDLE, SHAPE, ProposalRefiner, block, frame_with
from made_frames import scribble as stroke

from napari_sam_decoder.interactive.actions import actions_of
from napari_sam_decoder.interactive.frame import POINTS_OF_SCRIBBLE
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
    assert seen[1:] == [None] * 3
