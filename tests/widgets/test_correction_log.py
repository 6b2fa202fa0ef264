from __future__ import annotations

import pytest

pytest.importorskip("napari.layers")

from dataclasses import replace

import numpy as np

from napari_sam_decoder.prompts import Prompt, PromptSet
from napari_sam_decoder.propagation import Direction, FrameResult, ObjectResult, Verdict
from napari_sam_decoder.widgets.correction_log import (
    Correction,
    CorrectionLog,
    FrameChange,
    PromptLog,
)
from napari_sam_decoder.widgets.layers import Edit
from napari_sam_decoder.widgets.runs import RunRequest


def noisy_edit(value):
    noise = np.random.default_rng(value).integers(0, 9999, (20, 20)).astype(np.uint16)
    return Edit((slice(0, 20), slice(5, 25)), noise, noise + 1)


def test_an_edit_is_packed_without_what_has_not_changed():
    before, after = np.zeros((9, 9), np.uint16), np.zeros((9, 9), np.uint16)
    after[3:5, 2] = 4
    packed = Edit((slice(10, 19), slice(20, 29)), before, after).packed()
    assert packed.window == (slice(13, 15), slice(22, 23))
    np.testing.assert_array_equal(packed.unpacked().after, [[4], [4]])
    np.testing.assert_array_equal(packed.unpacked().before, [[0], [0]])


def test_of_the_oldest_corrections_it_is_not_known_what_they_changed():
    log = CorrectionLog(room=5000)
    for frame in range(6):
        log.begin(Prompt(1, frame, points=[(1, 1)]), None)
        log.add_change(1, FrameChange(frame, noisy_edit(frame).packed(), None))
    frames = [correction.prompt.frame for correction in log]
    assert frames == list(range(6 - len(frames), 6))
    assert 1 < len(frames) < 6
    assert sum(correction.size for correction in log) <= 5000


def test_what_comes_before_any_correction_is_passed_over():
    log = CorrectionLog()
    log.add_change(1, FrameChange(0, noisy_edit(0).packed(), None))
    assert list(log) == []


FIRST = Prompt(1, 2, points=[(5, 5)])
LATER = Prompt(1, 6, points=[(5, 9)])
BESIDE = Prompt(1, 4, points=[(9, 9)], signs=[False])

BESIDE_FIRST = Prompt(1, 2, points=[(8, 8)], signs=[False])


def result_of(frame, *object_ids):
    objects = {key: ObjectResult(key, Verdict.SURE) for key in object_ids}
    return FrameResult(frame, np.zeros((1, 1), np.uint16), objects)


def ledger_of(*prompts, frames=range(8)):
    """What a run through some frames has made of prompts."""
    prompt_log = PromptLog()
    extend(prompt_log, *prompts, frames=frames)
    return prompt_log


def extend(prompt_log, *prompts, frames):
    made = PromptSet(prompts)
    prompt_log.begin(made, RunRequest())
    for frame in frames:
        prompt_log.note(result_of(frame, *made.object_ids))


def corrections(prompt_log, *prompts_now, masks=()):
    return prompt_log.corrections(
        PromptSet(prompts_now), lambda object_id, frame: (object_id, frame) in masks
    )


def test_nothing_new_corrects_nothing():
    assert corrections(ledger_of(FIRST), FIRST) == ()


def test_without_a_run_there_is_nothing_to_correct():
    assert corrections(PromptLog(), FIRST) == ()


def test_a_point_on_another_frame_is_a_correction():
    (found,) = corrections(ledger_of(FIRST), FIRST, LATER)
    assert found == Correction((LATER,), range(8))
    assert found.object_ids == (1,)


def test_a_further_point_brings_all_that_is_said_on_its_frame():
    now = FIRST.merge(Prompt(1, 2, points=[(6, 6)], signs=[False]))
    (found,) = corrections(ledger_of(FIRST), now)
    assert found.prompts == (now,)


def test_another_hypothesis_is_a_correction():
    picked = replace(FIRST, hypothesis=2)
    (found,) = corrections(ledger_of(FIRST), picked)
    assert found.prompts == (picked,)


def test_corrections_of_the_same_frames_come_together():
    other = Prompt(2, 0, points=[(1, 1)])
    clicked = Prompt(2, 5, points=[(1, 1)])
    prompt_log = ledger_of(FIRST, other)
    (found,) = corrections(prompt_log, FIRST, LATER, other, clicked)
    assert found == Correction((LATER, clicked), range(8))
    assert found.object_ids == (1, 2)


@pytest.mark.parametrize(
    ("clicked", "stretch"), [(1, range(3)), (5, range(4, 7)), (3, None), (7, None)]
)
def test_a_correction_stays_where_the_run_has_been(clicked, stretch):
    prompt_log = ledger_of(FIRST, frames=(0, 1, 2, 4, 5, 6))
    found = corrections(prompt_log, FIRST, Prompt(1, clicked, points=[(1, 1)]))
    assert [one.frames for one in found] == ([] if stretch is None else [stretch])


def test_what_earlier_runs_have_made_counts_as_well():
    prompt_log = ledger_of(FIRST)
    later = Prompt(1, 3, points=[(1, 1)])
    prompt_log.begin(PromptSet([later]), RunRequest(frames=range(3, 5)))
    for frame in (3, 4):
        prompt_log.note(result_of(frame, 1))
    assert prompt_log.holds(FIRST)
    (found,) = corrections(prompt_log, FIRST, later, LATER)
    assert found == Correction((LATER,), range(8))


def test_an_object_that_was_not_run_again_can_still_be_corrected():
    prompt_log = ledger_of(FIRST)
    extend(prompt_log, Prompt(2, 0, points=[(1, 1)]), frames=range(2))
    assert prompt_log.object_ids == (1, 2)
    (found,) = corrections(prompt_log, FIRST, Prompt(2, 0, points=[(1, 1)]), LATER)
    assert found == Correction((LATER,), range(8))


def test_a_new_object_waits_for_a_run():
    assert corrections(ledger_of(FIRST), FIRST, Prompt(2, 3, points=[(1, 1)])) == ()


REDUCED = {
    "removed": (LATER,),
    "moved": (Prompt(1, 2, points=[(5, 6)]), LATER),
    "turned": (replace(FIRST, signs=[False]), LATER),
    "moved to another frame": (replace(FIRST, frame=3),),
    "given to another object": (replace(FIRST, object_id=2), LATER),
}


@pytest.mark.parametrize("prompts_now", REDUCED.values(), ids=REDUCED)
def test_an_object_that_has_lost_a_point_of_its_run_is_recomputed(prompts_now):
    other = Prompt(3, 0, points=[(1, 1)])
    clicked = Prompt(3, 5, points=[(1, 1)])
    prompt_log = ledger_of(FIRST, other)
    (found,) = corrections(prompt_log, *prompts_now, other, clicked, masks={(1, 2)})
    assert found.prompts == (clicked,), "the other object is not concerned"
    assert prompt_log.reconcile((*prompts_now, other, clicked)) == ()
    request = prompt_log.rerun((*prompts_now, other, clicked))
    assert request == RunRequest(
        frames=range(8), object_ids=(1,), is_rerun=True, replace=False
    )


def test_nothing_is_recomputed_without_a_reason():
    prompt_log = ledger_of(FIRST)
    assert prompt_log.rerun((FIRST, LATER)) is None
    assert prompt_log.rerun((FIRST.merge(BESIDE_FIRST),)) is None
    assert prompt_log.rerun((replace(FIRST, hypothesis=3),)) is None


def test_where_no_positive_point_is_left_labels_stay_until_there_is_one():
    prompt_log = ledger_of(FIRST)
    assert prompt_log.rerun((BESIDE,)) is None
    assert prompt_log.without_positive_points((BESIDE,)) == (1,)
    beyond = Prompt(1, 9, points=[(1, 1)])
    assert prompt_log.rerun((beyond,)) is None, "no run has come there"
    assert prompt_log.rerun((BESIDE, LATER)) == RunRequest(
        frames=range(8), object_ids=(1,), is_rerun=True
    )
    assert prompt_log.without_positive_points((BESIDE, LATER)) == ()


def test_negative_points_correct_an_object_that_has_no_positive_one_left():
    prompt_log = ledger_of(FIRST.merge(BESIDE_FIRST))
    (found,) = corrections(prompt_log, BESIDE_FIRST, BESIDE, masks={(1, 2), (1, 4)})
    assert found.prompts == (BESIDE,), "what is left of the run's is known"
    prompt_log.note_correction([BESIDE])
    assert prompt_log.without_positive_points((BESIDE_FIRST, BESIDE)) == (1,)


@pytest.mark.parametrize(
    ("way", "seed", "expected"),
    [
        (Direction.FORWARD, 2, Direction.FORWARD),
        (Direction.FORWARD, 4, Direction.BOTH),
        (Direction.BACKWARD, 7, Direction.BACKWARD),
        (Direction.BACKWARD, 4, Direction.BOTH),
    ],
)
def test_it_is_recomputed_the_same_way_if_that_leads_everywhere(way, seed, expected):
    prompt_log = PromptLog()
    prompt_log.begin(PromptSet([FIRST]), RunRequest(way, replace=True))
    for frame in range(2, 8):
        prompt_log.note(result_of(frame, 1))
    request = prompt_log.rerun((Prompt(1, seed, points=[(1, 1)]),))
    assert request == RunRequest(expected, range(2, 8), (1,), is_rerun=True)


def test_objects_that_ran_alike_are_computed_anew_together():
    other = Prompt(2, 0, points=[(1, 1)])
    prompt_log = ledger_of(FIRST, other)
    prompts_now = (replace(FIRST, points=[(6, 6)]), replace(other, points=[(2, 2)]))
    assert prompt_log.rerun(prompts_now).object_ids == (1, 2)


def test_what_was_declined_is_not_computed_anew_until_points_change():
    prompt_log, prompts_now = ledger_of(FIRST), (LATER,)
    prompt_log.decline_rerun((1,), prompts_now)
    assert prompt_log.rerun(prompts_now) is None
    assert prompt_log.declined_reruns(prompts_now) == (1,)
    assert prompt_log.rerun((LATER, Prompt(1, 3, points=[(1, 1)]))) is not None
    prompt_log.reconsider()
    assert prompt_log.rerun(prompts_now) is not None


def edit(row=0, before=0, after=1):
    return Edit(
        (slice(row, row + 1), slice(0, 2)),
        np.full((1, 2), before, np.uint16),
        np.full((1, 2), after, np.uint16),
    )


def correct(prompt_log, prompt, *frames, row=0, before=0):
    prompt_log.note_correction([prompt])
    for frame in frames:
        prompt_log.note_change(
            prompt.object_id,
            frame,
            edit(row, before, prompt.object_id),
            Verdict.DOUBTFUL,
        )


def test_a_correction_whose_point_is_gone_is_taken_back():
    prompt_log = ledger_of(FIRST)
    correct(prompt_log, LATER, 6, 7)
    (correction,) = prompt_log.reconcile((FIRST,))
    assert [trace.frame for trace in correction.changes] == [6, 7]
    assert {trace.earlier for trace in correction.changes} == {Verdict.DOUBTFUL}
    assert (correction.changes[0].edit.unpacked().after == 1).all()
    assert prompt_log.reconcile((FIRST,)) == ()
    assert prompt_log.rerun((FIRST,)) is None
    assert len(corrections(prompt_log, FIRST, LATER)) == 1, "it may come again"


def test_of_two_corrections_on_a_frame_the_first_stays_when_the_second_goes():
    prompt_log = ledger_of(FIRST)
    more = LATER.merge(Prompt(1, 6, points=[(2, 2)]))
    correct(prompt_log, LATER, 6)
    correct(prompt_log, more, 6)
    (correction,) = prompt_log.reconcile((FIRST, LATER))
    assert correction.prompt == more
    assert prompt_log.holds(LATER)


def test_when_the_first_goes_both_are_taken_back_and_the_second_comes_again():
    prompt_log = ledger_of(FIRST)
    second = Prompt(1, 6, points=[(2, 2)])
    correct(prompt_log, LATER, 6)
    correct(prompt_log, LATER.merge(second), 6)
    gone = prompt_log.reconcile((FIRST, second))
    assert [correction.prompt for correction in gone] == [LATER.merge(second), LATER]
    (found,) = corrections(prompt_log, FIRST, second)
    assert found.prompts == (second,)


def test_later_corrections_on_neighbouring_frames_depend_on_it_and_others_do_not():
    prompt_log = ledger_of(FIRST, frames=range(30))
    near, far = (Prompt(1, frame, points=[(1, 1)]) for frame in (9, 20))
    earlier = Prompt(1, 4, points=[(1, 1)])
    for prompt, frames in (
        (earlier, (4, 5)),
        (LATER, (6, 7)),
        (near, (9, 8)),
        (far, (20,)),
    ):
        correct(prompt_log, prompt, *frames)
    gone = prompt_log.reconcile((FIRST, earlier, near, far))
    assert [correction.prompt for correction in gone] == [near, LATER]
    (found,) = corrections(prompt_log, FIRST, earlier, near, far)
    assert found.prompts == (near,)


@pytest.mark.parametrize(("row", "depends"), [(0, True), (3, False)])
def test_corrections_of_other_objects_depend_on_it_where_they_touch(row, depends):
    other = Prompt(2, 0, points=[(1, 1)])
    clicked = Prompt(2, 6, points=[(1, 1)])
    prompt_log = ledger_of(FIRST, other)
    correct(prompt_log, LATER, 6)
    correct(prompt_log, clicked, 6, row=row, before=1)
    gone = prompt_log.reconcile((FIRST, other, clicked))
    assert [correction.object_id for correction in gone] == ([2, 1] if depends else [1])


def test_a_pick_that_is_undone_is_taken_back():
    prompt_log = ledger_of(FIRST)
    picked = replace(FIRST, hypothesis=2)
    correct(prompt_log, picked, 2)
    assert prompt_log.reconcile((picked,)) == ()
    (correction,) = prompt_log.reconcile((FIRST,))
    assert correction.prompt == picked
    assert prompt_log.holds(FIRST)
    assert corrections(prompt_log, FIRST) == ()


def test_a_point_of_the_run_that_goes_after_a_correction_on_its_frame():
    prompt_log = ledger_of(FIRST)
    correct(prompt_log, FIRST.merge(BESIDE_FIRST), 2)
    left = Prompt(1, 2, points=[(8, 8)])
    assert len(prompt_log.reconcile((left,))) == 1
    assert prompt_log.rerun((left,)).object_ids == (1,)


def test_what_a_later_run_has_made_anew_is_not_taken_back():
    prompt_log = ledger_of(FIRST, frames=range(20))
    far = Prompt(1, 15, points=[(1, 1)])
    correct(prompt_log, LATER, 6, 7)
    correct(prompt_log, far, 15, 14)
    prompt_log.begin(PromptSet([FIRST, LATER]), RunRequest(frames=range(15)))
    (correction,) = prompt_log.reconcile((FIRST, LATER))
    assert correction.prompt == far
    assert [trace.frame for trace in correction.changes] == [15]


def test_pixels_that_a_later_run_of_another_object_has_decided_are_not_given_back():
    other = Prompt(2, 0, points=[(1, 1)])
    prompt_log = ledger_of(FIRST, other)
    correct(prompt_log, LATER, 6, before=2)
    extend(prompt_log, other, frames=range(8))
    (correction,) = prompt_log.reconcile((FIRST, other))
    assert (correction.changes[0].edit.unpacked().before == 0).all()


def test_points_that_go_with_their_layer_take_nothing_back_and_may_come_again():
    prompt_log = ledger_of(FIRST)
    correct(prompt_log, LATER, 6)
    prompt_log.withdraw(())
    assert prompt_log.reconcile(()) == ()
    assert prompt_log.rerun(()) is None
    assert prompt_log.without_positive_points(()) == ()
    assert prompt_log.reconcile((FIRST, LATER)) == ()
    assert corrections(prompt_log, FIRST, LATER) == (), "they are in the labels still"
    (found,) = corrections(prompt_log, FIRST, LATER, BESIDE, masks={(1, 4)})
    assert found.prompts == (BESIDE,)


def test_after_the_layer_is_back_a_point_of_the_run_that_goes_counts_again():
    prompt_log = ledger_of(FIRST)
    prompt_log.withdraw(())
    prompt_log.reconcile((FIRST, LATER))
    assert prompt_log.rerun((LATER,)) is not None


def test_labels_of_another_day_can_be_corrected_and_that_taken_back():
    prompt_log = PromptLog()
    prompt_log.adopt((1, 3), range(8))
    assert prompt_log.object_ids == (1, 3)
    (found,) = corrections(prompt_log, LATER)
    assert found == Correction((LATER,), range(8))
    correct(prompt_log, LATER, 6)
    (correction,) = prompt_log.reconcile(())
    assert correction.prompt == LATER
    assert prompt_log.rerun(()) is None
    assert prompt_log.without_positive_points(()) == ()
    assert len(corrections(prompt_log, LATER)) == 1


def test_labels_of_another_day_are_not_computed_anew_beyond_the_run():
    prompt_log = PromptLog()
    prompt_log.adopt((1,), range(100))
    prompt_log.begin(PromptSet([FIRST]), RunRequest(frames=range(8)))
    for frame in range(8):
        prompt_log.note(result_of(frame, 1))
    request = prompt_log.rerun((replace(FIRST, points=[(6, 6)]),))
    assert request.frames == range(8)


def test_one_of_two_points_at_the_same_place_may_not_be_lost():
    twice = FIRST.merge(FIRST)
    assert corrections(ledger_of(twice), FIRST, LATER) == ()


def test_negative_points_alone_correct_a_mask_that_is_there():
    prompt_log = ledger_of(FIRST)
    (found,) = corrections(prompt_log, FIRST, BESIDE, masks={(1, 4)})
    assert found.prompts == (BESIDE,)
    assert corrections(prompt_log, FIRST, BESIDE, masks={(1, 3), (2, 4)}) == ()


def test_a_correction_that_was_made_is_not_proposed_again():
    prompt_log = ledger_of(FIRST)
    assert not prompt_log.holds(LATER)
    prompt_log.note_correction([LATER])
    assert prompt_log.holds(LATER)
    assert corrections(prompt_log, FIRST, LATER) == ()
    assert corrections(prompt_log, FIRST) == (), "its point was removed"
    more = LATER.merge(Prompt(1, 6, points=[(2, 2)]))
    assert len(corrections(prompt_log, FIRST, more)) == 1


def test_what_was_declined_waits_for_another_point_or_another_run():
    prompt_log = ledger_of(FIRST)
    prompt_log.decline(corrections(prompt_log, FIRST, LATER))
    assert corrections(prompt_log, FIRST, LATER) == ()
    more = LATER.merge(Prompt(1, 6, points=[(2, 2)]))
    assert len(corrections(prompt_log, FIRST, more)) == 1
    extend(prompt_log, FIRST, frames=range(8))
    assert len(corrections(prompt_log, FIRST, LATER)) == 1


def test_what_was_declined_can_be_reconsidered():
    prompt_log = ledger_of(FIRST)
    prompt_log.decline(corrections(prompt_log, FIRST, LATER))
    prompt_log.reconsider()
    assert len(corrections(prompt_log, FIRST, LATER)) == 1


def test_corrected_frames_are_left_out_of_what_is_known():
    prompt_log = ledger_of(FIRST, LATER)
    more = LATER.merge(BESIDE)
    assert list(prompt_log.without([Correction((more,), range(8))])) == [FIRST]
