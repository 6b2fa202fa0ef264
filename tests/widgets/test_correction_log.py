from __future__ import annotations

import pytest

pytest.importorskip("napari.layers")

from dataclasses import replace

import numpy as np

from napari_sam_decoder.prompts import Prompt, PromptSet
from napari_sam_decoder.propagation import Direction, FrameResult, ObjectResult, Verdict
from napari_sam_decoder.widgets.correction_log import Correction, CorrectionLog, Ledger
from napari_sam_decoder.widgets.layers import Edit
from napari_sam_decoder.widgets.movie_state import RunRequest


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
        log.trace(1, frame, noisy_edit(frame), None)
    frames = [correction.prompt.frame for correction in log]
    assert frames == list(range(6 - len(frames), 6))
    assert 1 < len(frames) < 6
    assert sum(correction.size for correction in log) <= 5000


def test_what_comes_before_any_correction_is_passed_over():
    log = CorrectionLog()
    log.trace(1, 0, noisy_edit(0), None)
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
    ledger = Ledger()
    extend(ledger, *prompts, frames=frames)
    return ledger


def extend(ledger, *prompts, frames):
    made = PromptSet(prompts)
    ledger.begin(made, RunRequest())
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


def test_what_earlier_runs_have_made_counts_as_well():
    ledger = ledger_of(FIRST)
    later = Prompt(1, 3, points=[(1, 1)])
    ledger.begin(PromptSet([later]), RunRequest(frames=range(3, 5)))
    for frame in (3, 4):
        ledger.note(result_of(frame, 1))
    assert ledger.holds(FIRST)
    (found,) = corrections(ledger, FIRST, later, LATER)
    assert found == Correction((LATER,), range(8))


def test_an_object_that_was_not_run_again_can_still_be_corrected():
    ledger = ledger_of(FIRST)
    extend(ledger, Prompt(2, 0, points=[(1, 1)]), frames=range(2))
    assert ledger.object_ids == (1, 2)
    (found,) = corrections(ledger, FIRST, Prompt(2, 0, points=[(1, 1)]), LATER)
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


@pytest.mark.parametrize("present", REDUCED.values(), ids=REDUCED)
def test_an_object_that_has_lost_a_point_of_its_run_is_computed_anew(present):
    other = Prompt(3, 0, points=[(1, 1)])
    clicked = Prompt(3, 5, points=[(1, 1)])
    ledger = ledger_of(FIRST, other)
    (found,) = corrections(ledger, *present, other, clicked, masks={(1, 2)})
    assert found.prompts == (clicked,), "the other object is not concerned"
    assert ledger.reconcile((*present, other, clicked)) == ()
    request = ledger.renewal((*present, other, clicked))
    assert request == RunRequest(
        frames=range(8), object_ids=(1,), is_renewal=True, replace=False
    )


def test_nothing_is_computed_anew_without_a_reason():
    ledger = ledger_of(FIRST)
    assert ledger.renewal((FIRST, LATER)) is None
    assert ledger.renewal((FIRST.merge(BESIDE_FIRST),)) is None
    assert ledger.renewal((replace(FIRST, hypothesis=3),)) is None


def test_where_no_positive_point_is_left_labels_stay_until_there_is_one():
    ledger = ledger_of(FIRST)
    assert ledger.renewal((BESIDE,)) is None
    assert ledger.bereft((BESIDE,)) == (1,)
    beyond = Prompt(1, 9, points=[(1, 1)])
    assert ledger.renewal((beyond,)) is None, "no run has come there"
    assert ledger.renewal((BESIDE, LATER)) == RunRequest(
        frames=range(8), object_ids=(1,), is_renewal=True
    )
    assert ledger.bereft((BESIDE, LATER)) == ()


def test_negative_points_correct_an_object_that_has_no_positive_one_left():
    ledger = ledger_of(FIRST.merge(BESIDE_FIRST))
    (found,) = corrections(ledger, BESIDE_FIRST, BESIDE, masks={(1, 2), (1, 4)})
    assert found.prompts == (BESIDE,), "what is left of the run's is known"
    ledger.amend([BESIDE])
    assert ledger.bereft((BESIDE_FIRST, BESIDE)) == (1,)


@pytest.mark.parametrize(
    ("way", "seed", "expected"),
    [
        (Direction.FORWARD, 2, Direction.FORWARD),
        (Direction.FORWARD, 4, Direction.BOTH),
        (Direction.BACKWARD, 7, Direction.BACKWARD),
        (Direction.BACKWARD, 4, Direction.BOTH),
    ],
)
def test_it_is_computed_anew_the_same_way_if_that_leads_everywhere(way, seed, expected):
    ledger = Ledger()
    ledger.begin(PromptSet([FIRST]), RunRequest(way, replace=True))
    for frame in range(2, 8):
        ledger.note(result_of(frame, 1))
    request = ledger.renewal((Prompt(1, seed, points=[(1, 1)]),))
    assert request == RunRequest(expected, range(2, 8), (1,), is_renewal=True)


def test_objects_that_ran_alike_are_computed_anew_together():
    other = Prompt(2, 0, points=[(1, 1)])
    ledger = ledger_of(FIRST, other)
    present = (replace(FIRST, points=[(6, 6)]), replace(other, points=[(2, 2)]))
    assert ledger.renewal(present).object_ids == (1, 2)


def test_what_was_declined_is_not_computed_anew_until_points_change():
    ledger, present = ledger_of(FIRST), (LATER,)
    ledger.decline_renewal((1,), present)
    assert ledger.renewal(present) is None
    assert ledger.postponed(present) == (1,)
    assert ledger.renewal((LATER, Prompt(1, 3, points=[(1, 1)]))) is not None
    ledger.reconsider()
    assert ledger.renewal(present) is not None


def edit(row=0, before=0, after=1):
    return Edit(
        (slice(row, row + 1), slice(0, 2)),
        np.full((1, 2), before, np.uint16),
        np.full((1, 2), after, np.uint16),
    )


def correct(ledger, prompt, *frames, row=0, before=0):
    ledger.amend([prompt])
    for frame in frames:
        ledger.trace(
            prompt.object_id,
            frame,
            edit(row, before, prompt.object_id),
            Verdict.DOUBTFUL,
        )


def test_a_correction_whose_point_is_gone_is_taken_back():
    ledger = ledger_of(FIRST)
    correct(ledger, LATER, 6, 7)
    (correction,) = ledger.reconcile((FIRST,))
    assert [trace.frame for trace in correction.traces] == [6, 7]
    assert {trace.earlier for trace in correction.traces} == {Verdict.DOUBTFUL}
    assert (correction.traces[0].edit.unpacked().after == 1).all()
    assert ledger.reconcile((FIRST,)) == ()
    assert ledger.renewal((FIRST,)) is None
    assert len(corrections(ledger, FIRST, LATER)) == 1, "it may come again"


def test_of_two_corrections_on_a_frame_the_first_stays_when_the_second_goes():
    ledger = ledger_of(FIRST)
    more = LATER.merge(Prompt(1, 6, points=[(2, 2)]))
    correct(ledger, LATER, 6)
    correct(ledger, more, 6)
    (correction,) = ledger.reconcile((FIRST, LATER))
    assert correction.prompt == more
    assert ledger.holds(LATER)


def test_when_the_first_goes_both_are_taken_back_and_the_second_comes_again():
    ledger = ledger_of(FIRST)
    second = Prompt(1, 6, points=[(2, 2)])
    correct(ledger, LATER, 6)
    correct(ledger, LATER.merge(second), 6)
    gone = ledger.reconcile((FIRST, second))
    assert [correction.prompt for correction in gone] == [LATER.merge(second), LATER]
    (found,) = corrections(ledger, FIRST, second)
    assert found.prompts == (second,)


def test_later_corrections_on_neighbouring_frames_depend_on_it_and_others_do_not():
    ledger = ledger_of(FIRST, frames=range(30))
    near, far = (Prompt(1, frame, points=[(1, 1)]) for frame in (9, 20))
    earlier = Prompt(1, 4, points=[(1, 1)])
    for prompt, frames in (
        (earlier, (4, 5)),
        (LATER, (6, 7)),
        (near, (9, 8)),
        (far, (20,)),
    ):
        correct(ledger, prompt, *frames)
    gone = ledger.reconcile((FIRST, earlier, near, far))
    assert [correction.prompt for correction in gone] == [near, LATER]
    (found,) = corrections(ledger, FIRST, earlier, near, far)
    assert found.prompts == (near,)


@pytest.mark.parametrize(("row", "depends"), [(0, True), (3, False)])
def test_corrections_of_other_objects_depend_on_it_where_they_touch(row, depends):
    other = Prompt(2, 0, points=[(1, 1)])
    clicked = Prompt(2, 6, points=[(1, 1)])
    ledger = ledger_of(FIRST, other)
    correct(ledger, LATER, 6)
    correct(ledger, clicked, 6, row=row, before=1)
    gone = ledger.reconcile((FIRST, other, clicked))
    assert [correction.object_id for correction in gone] == ([2, 1] if depends else [1])


def test_a_pick_that_is_undone_is_taken_back():
    ledger = ledger_of(FIRST)
    picked = replace(FIRST, hypothesis=2)
    correct(ledger, picked, 2)
    assert ledger.reconcile((picked,)) == ()
    (correction,) = ledger.reconcile((FIRST,))
    assert correction.prompt == picked
    assert ledger.holds(FIRST)
    assert corrections(ledger, FIRST) == ()


def test_a_point_of_the_run_that_goes_after_a_correction_on_its_frame():
    ledger = ledger_of(FIRST)
    correct(ledger, FIRST.merge(BESIDE_FIRST), 2)
    left = Prompt(1, 2, points=[(8, 8)])
    assert len(ledger.reconcile((left,))) == 1
    assert ledger.renewal((left,)).object_ids == (1,)


def test_what_a_later_run_has_made_anew_is_not_taken_back():
    ledger = ledger_of(FIRST, frames=range(20))
    far = Prompt(1, 15, points=[(1, 1)])
    correct(ledger, LATER, 6, 7)
    correct(ledger, far, 15, 14)
    ledger.begin(PromptSet([FIRST, LATER]), RunRequest(frames=range(15)))
    (correction,) = ledger.reconcile((FIRST, LATER))
    assert correction.prompt == far
    assert [trace.frame for trace in correction.traces] == [15]


def test_pixels_that_a_later_run_of_another_object_has_decided_are_not_given_back():
    other = Prompt(2, 0, points=[(1, 1)])
    ledger = ledger_of(FIRST, other)
    correct(ledger, LATER, 6, before=2)
    extend(ledger, other, frames=range(8))
    (correction,) = ledger.reconcile((FIRST, other))
    assert (correction.traces[0].edit.unpacked().before == 0).all()


def test_points_that_go_with_their_layer_take_nothing_back_and_may_come_again():
    ledger = ledger_of(FIRST)
    correct(ledger, LATER, 6)
    ledger.withdraw(())
    assert ledger.reconcile(()) == ()
    assert ledger.renewal(()) is None
    assert ledger.bereft(()) == ()
    assert ledger.reconcile((FIRST, LATER)) == ()
    assert corrections(ledger, FIRST, LATER) == (), "they are in the labels still"
    (found,) = corrections(ledger, FIRST, LATER, BESIDE, masks={(1, 4)})
    assert found.prompts == (BESIDE,)


def test_after_the_layer_is_back_a_point_of_the_run_that_goes_counts_again():
    ledger = ledger_of(FIRST)
    ledger.withdraw(())
    ledger.reconcile((FIRST, LATER))
    assert ledger.renewal((LATER,)) is not None


def test_labels_of_another_day_can_be_corrected_and_that_taken_back():
    ledger = Ledger()
    ledger.adopt((1, 3), range(8))
    assert ledger.object_ids == (1, 3)
    (found,) = corrections(ledger, LATER)
    assert found == Correction((LATER,), range(8))
    correct(ledger, LATER, 6)
    (correction,) = ledger.reconcile(())
    assert correction.prompt == LATER
    assert ledger.renewal(()) is None
    assert ledger.bereft(()) == ()
    assert len(corrections(ledger, LATER)) == 1


def test_labels_of_another_day_are_not_computed_anew_beyond_the_run():
    ledger = Ledger()
    ledger.adopt((1,), range(100))
    ledger.begin(PromptSet([FIRST]), RunRequest(frames=range(8)))
    for frame in range(8):
        ledger.note(result_of(frame, 1))
    request = ledger.renewal((replace(FIRST, points=[(6, 6)]),))
    assert request.frames == range(8)


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
