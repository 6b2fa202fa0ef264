from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("napari.layers")

from made_up import preview_of

from napari_sam_decoder.prompts import Prompt
from napari_sam_decoder.widgets.previews import KEPT_PREVIEWS, PreviewBook

PROMPT = Prompt(1, 0, points=[(5, 6)])
OTHER = Prompt(2, 0, points=[(9, 3)])


def rows_of(mask):
    """Which hypothesis a made-up mask is, told by its height."""
    return int(mask.any(axis=1).sum())


@pytest.fixture
def book():
    book = PreviewBook()
    book.add(preview_of(PROMPT))
    return book


def test_only_prompts_without_a_preview_are_decoded(book):
    assert book.missing([PROMPT]) == ()
    assert PreviewBook().missing([PROMPT]) == (PROMPT,)


def test_a_new_prompt_concerns_the_others_on_its_frame(book):
    assert book.missing([PROMPT, OTHER]) == (PROMPT, OTHER)
    together, known = book.asked([PROMPT, OTHER])
    assert together == (PROMPT, OTHER)
    assert [shown.preview.prompt for shown in known] == [PROMPT]
    for prompt in (PROMPT, OTHER):
        book.add(preview_of(prompt, together=[PROMPT, OTHER]))
    assert book.missing([PROMPT, OTHER]) == ()
    picked = replace(PROMPT, hypothesis=2)
    assert book.missing([picked, OTHER]) == (picked, OTHER)
    assert book.missing([PROMPT]) == (PROMPT,), "the other one is gone"


def test_the_same_point_on_another_frame_is_another_prompt(book):
    later = replace(PROMPT, frame=1)
    assert book.missing([later]) == (later,)
    assert book.latest(1, 1) is None


def test_a_moved_point_is_decoded_again(book):
    moved = replace(PROMPT, points=[(5, 7)])
    assert book.missing([moved]) == (moved,)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_picked_hypothesis_is_shown_without_decoding(book, number):
    picked = replace(PROMPT, hypothesis=number)
    assert book.missing([picked]) == ()
    assert book.latest(1, 0).preview.chosen.number == number
    assert rows_of(book.masks([picked])[1]) == number


def test_one_pick_after_another_needs_no_decoding(book):
    for number in (2, 3, 1):
        assert book.missing([replace(PROMPT, hypothesis=number)]) == ()
    assert book.latest(1, 0).preview.chosen.number == 1


def test_the_pictures_stay_when_a_hypothesis_is_picked(book):
    pictures = book.latest(1, 0).thumbnails
    book.missing([replace(PROMPT, hypothesis=3)])
    assert book.latest(1, 0).thumbnails is pictures


def test_without_a_pick_the_network_is_asked_again(book):
    book.missing([replace(PROMPT, hypothesis=2)])
    assert book.missing([PROMPT]) == (PROMPT,)


def test_a_pick_of_a_moved_point_is_decoded(book):
    moved = replace(PROMPT, points=[(5, 7)], hypothesis=2)
    assert book.missing([moved]) == (moved,)
    assert book.latest(1, 0).preview.chosen.number == 1


def test_a_failed_prompt_is_asked_for_no_more_until_it_changes():
    book = PreviewBook()
    book.give_up([PROMPT])
    moved = replace(PROMPT, points=[(5, 7)])
    assert book.missing([PROMPT, OTHER]) == (OTHER,)
    assert book.missing([moved]) == (moved,)


def test_another_network_may_succeed(book):
    book.give_up([OTHER])
    book.settle([PROMPT])
    book.clear()
    assert book.missing([PROMPT, OTHER]) == (PROMPT, OTHER)
    assert book.latest(1, 0) is None
    book.add(preview_of(PROMPT))
    assert book.masks([PROMPT]).keys() == {1}


def test_the_chosen_mask_is_drawn_of_each_object(book):
    book.add(preview_of(OTHER, number=3))
    masks = book.masks([PROMPT, OTHER])
    assert {object_id: rows_of(mask) for object_id, mask in masks.items()} == {
        1: 1,
        2: 3,
    }


def test_the_joint_answer_to_several_points_is_drawn():
    several = Prompt(1, 0, points=[(5, 6), (7, 8)])
    book = PreviewBook()
    book.add(preview_of(several, number=0))
    assert rows_of(book.masks([several])[1]) == 4


def test_nothing_is_drawn_of_an_object_that_is_not_decoded_yet(book):
    assert book.masks([PROMPT, OTHER]).keys() == {1}


def test_the_last_mask_stays_while_the_next_is_decoded(book):
    moved = replace(PROMPT, points=[(5, 7)])
    np.testing.assert_array_equal(
        book.masks([moved])[1], book.latest(1, 0).preview.chosen.mask
    )


def test_what_is_in_the_labels_is_not_drawn_over_them(book):
    book.settle([PROMPT])
    assert book.masks([PROMPT]) == {}
    assert book.missing([PROMPT]) == ()
    assert book.latest(1, 0) is not None


def test_a_pick_after_the_run_is_drawn_again(book):
    book.settle([PROMPT])
    picked = replace(PROMPT, hypothesis=2)
    assert book.missing([picked]) == ()
    assert rows_of(book.masks([picked])[1]) == 2


def test_all_is_drawn_again_when_the_labels_are_gone(book):
    book.settle([PROMPT])
    book.unsettle()
    assert book.masks([PROMPT]).keys() == {1}


def test_old_previews_of_other_frames_are_let_go():
    book = PreviewBook()
    for frame in range(2 * KEPT_PREVIEWS):
        book.add(preview_of(replace(PROMPT, frame=frame)))
    assert book.latest(1, 0) is None
    assert book.latest(1, 2 * KEPT_PREVIEWS - 1) is not None


def test_all_objects_of_one_frame_keep_their_previews():
    book = PreviewBook()
    for object_id in range(1, 2 * KEPT_PREVIEWS):
        book.add(preview_of(replace(PROMPT, object_id=object_id)))
    assert all(book.latest(number, 0) for number in range(1, 2 * KEPT_PREVIEWS))
