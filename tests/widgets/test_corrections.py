from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_sam_decoder.prompts import Prompt, PromptSet
from napari_sam_decoder.propagation import FrameResult, ObjectResult, Verdict
from napari_sam_decoder.widgets.corrections import Correction, Ledger

FIRST = Prompt(1, 2, points=[(5, 5)])
LATER = Prompt(1, 6, points=[(5, 9)])
BESIDE = Prompt(1, 4, points=[(9, 9)], labels=[False])


def result_of(frame, *object_ids):
    objects = {key: ObjectResult(key, Verdict.SURE) for key in object_ids}
    return FrameResult(frame, np.zeros((1, 1), np.uint16), objects)


def ledger_of(*prompts, frames=range(8)):
    """What a run through some frames has made of prompts."""
    ledger = Ledger()
    extend(ledger, *prompts, frames=frames)
    return ledger


def extend(ledger, *prompts, frames):
    made = PromptSet(prompts)
    ledger.begin(made)
    for frame in frames:
        ledger.note(result_of(frame, *made.object_ids))


def corrections(ledger, *present, masks=()):
    return ledger.corrections(
        PromptSet(present), lambda object_id, frame: (object_id, frame) in masks
    )


def test_nothing_new_corrects_nothing():
    assert corrections(ledger_of(FIRST), FIRST) == ()


def test_without_a_run_there_is_nothing_to_correct():
    assert corrections(Ledger(), FIRST) == ()


def test_a_point_on_another_frame_is_a_correction():
    (found,) = corrections(ledger_of(FIRST), FIRST, LATER)
    assert found == Correction((LATER,), range(8))
    assert found.object_ids == (1,)


def test_a_further_point_brings_all_that_is_said_on_its_frame():
    now = FIRST.merge(Prompt(1, 2, points=[(6, 6)], labels=[False]))
    (found,) = corrections(ledger_of(FIRST), now)
    assert found.prompts == (now,)


def test_another_hypothesis_is_a_correction():
    picked = replace(FIRST, hypothesis=2)
    (found,) = corrections(ledger_of(FIRST), picked)
    assert found.prompts == (picked,)


def test_corrections_of_the_same_frames_come_together():
    other = Prompt(2, 0, points=[(1, 1)])
    clicked = Prompt(2, 5, points=[(1, 1)])
    ledger = ledger_of(FIRST, other)
    (found,) = corrections(ledger, FIRST, LATER, other, clicked)
    assert found == Correction((LATER, clicked), range(8))
    assert found.object_ids == (1, 2)


@pytest.mark.parametrize(
    ("clicked", "stretch"), [(1, range(3)), (5, range(4, 7)), (3, None), (7, None)]
)
def test_a_correction_stays_where_the_run_has_been(clicked, stretch):
    ledger = ledger_of(FIRST, frames=(0, 1, 2, 4, 5, 6))
    found = corrections(ledger, FIRST, Prompt(1, clicked, points=[(1, 1)]))
    assert [one.frames for one in found] == ([] if stretch is None else [stretch])


def test_what_counts_is_the_last_run_of_the_object():
    ledger = ledger_of(FIRST)
    extend(ledger, FIRST, frames=range(1, 4))
    assert corrections(ledger, FIRST, LATER) == (), "it has not come that far"
    (found,) = corrections(ledger, FIRST, Prompt(1, 3, points=[(1, 1)]))
    assert found.frames == range(1, 4)


def test_an_object_that_was_not_run_again_can_still_be_corrected():
    ledger = ledger_of(FIRST)
    extend(ledger, Prompt(2, 0, points=[(1, 1)]), frames=range(2))
    assert ledger.object_ids == (1, 2)
    (found,) = corrections(ledger, FIRST, Prompt(2, 0, points=[(1, 1)]), LATER)
    assert found == Correction((LATER,), range(8))


def test_a_new_object_waits_for_a_run():
    assert corrections(ledger_of(FIRST), FIRST, Prompt(2, 3, points=[(1, 1)])) == ()


@pytest.mark.parametrize(
    "present",
    [
        (LATER,),
        (Prompt(1, 2, points=[(5, 6)]), LATER),
        (replace(FIRST, labels=[False]), LATER),
    ],
    ids=["removed", "moved", "turned"],
)
def test_an_object_that_has_lost_a_point_waits_for_a_run(present):
    other = Prompt(2, 0, points=[(1, 1)])
    clicked = Prompt(2, 5, points=[(1, 1)])
    ledger = ledger_of(FIRST, other)
    (found,) = corrections(ledger, *present, other, clicked, masks={(1, 2)})
    assert found.prompts == (clicked,), "the other object is not concerned"


def test_one_of_two_points_at_the_same_place_may_not_be_lost():
    twice = FIRST.merge(FIRST)
    assert corrections(ledger_of(twice), FIRST, LATER) == ()


def test_negative_points_alone_correct_a_mask_that_is_there():
    ledger = ledger_of(FIRST)
    (found,) = corrections(ledger, FIRST, BESIDE, masks={(1, 4)})
    assert found.prompts == (BESIDE,)
    assert corrections(ledger, FIRST, BESIDE, masks={(1, 3), (2, 4)}) == ()


def test_a_correction_that_was_made_is_not_proposed_again():
    ledger = ledger_of(FIRST)
    assert not ledger.holds(LATER)
    ledger.amend([LATER])
    assert ledger.holds(LATER)
    assert corrections(ledger, FIRST, LATER) == ()
    assert corrections(ledger, FIRST) == (), "its point was removed"
    more = LATER.merge(Prompt(1, 6, points=[(2, 2)]))
    assert len(corrections(ledger, FIRST, more)) == 1


def test_what_was_declined_waits_for_another_point_or_another_run():
    ledger = ledger_of(FIRST)
    ledger.decline(corrections(ledger, FIRST, LATER))
    assert corrections(ledger, FIRST, LATER) == ()
    more = LATER.merge(Prompt(1, 6, points=[(2, 2)]))
    assert len(corrections(ledger, FIRST, more)) == 1
    extend(ledger, FIRST, frames=range(8))
    assert len(corrections(ledger, FIRST, LATER)) == 1


def test_what_was_declined_can_be_reconsidered():
    ledger = ledger_of(FIRST)
    ledger.decline(corrections(ledger, FIRST, LATER))
    ledger.reconsider()
    assert len(corrections(ledger, FIRST, LATER)) == 1


def test_corrected_frames_are_left_out_of_what_is_known():
    ledger = ledger_of(FIRST, LATER)
    more = LATER.merge(BESIDE)
    assert list(ledger.without([Correction((more,), range(8))])) == [FIRST]


def test_a_cleared_ledger_proposes_nothing_and_hears_of_no_old_run():
    ledger = ledger_of(FIRST)
    ledger.clear()
    ledger.note(result_of(5, 1))
    ledger.amend([LATER])
    assert ledger.object_ids == ()
    assert not ledger.holds(LATER)
    assert corrections(ledger, FIRST, LATER) == ()
