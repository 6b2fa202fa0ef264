from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from napari_sam_decoder.project import (
    CORRECTION,
    Correction,
    EntryChange,
    FrameRecords,
    History,
    LabelDifference,
    LabelsChange,
    PromptLog,
    RunRequest,
)
from napari_sam_decoder.prompts import Prompt, PromptSet, Scribble
from napari_sam_decoder.propagation import Direction, FrameResult, ObjectResult, Verdict

FIRST = Prompt(1, 2, points=[(5, 5)])
LATER = Prompt(1, 6, points=[(5, 9)])
BESIDE = Prompt(1, 4, points=[(9, 9)], signs=[False])

BESIDE_FIRST = Prompt(1, 2, points=[(8, 8)], signs=[False])


STROKE = Scribble(np.eye(12, dtype=bool))


class Ledger(PromptLog):
    """A prompt log with the history and records that it needs."""

    def __init__(self):
        self.history = History()
        self.records = FrameRecords(self.history.document.table("frames", 1))
        super().__init__(self.history, (1,), self.records)

    def run(self, *prompts, frames=range(8), request=None):
        made = PromptSet(prompts)
        details = {"objects": list(made.object_ids)}
        with self.history.step("Run", "run", details):
            self.begin(made, request or RunRequest())
            for frame in frames:
                self.records.note(
                    result_of(frame, *made.object_ids), by_run=made.object_ids
                )

    def correct(self, prompt, *frames, row=0):
        with self.history.step("Correction", CORRECTION) as step:
            self.note_correction([prompt])
            for frame in frames:
                result = result_of(frame, prompt.object_id, verdict=Verdict.DOUBTFUL)
                self.records.note(result)
                self.history.document.record_labels(change_of(frame, row))
        return step

    def take_back_lost(self, *prompts_now):
        """Take back the entries of lost corrections, and return their prompts."""
        self.readmit(prompts_now)
        lost = self.lost_corrections(prompts_now)
        prompts = [self._prompt_of(step) for step in lost]
        with self.history.step("Take back", "points"):
            for step in lost:
                for change in reversed(step.changes):
                    self._restore(change)
            self.forget_adopted(prompts_now)
        return prompts

    def _prompt_of(self, step):
        (made,) = (change.after for change in self._entries(step.changes, "made"))
        return made

    def _restore(self, change):
        if not isinstance(change, EntryChange):
            return
        table = self.history.document.table(change.table, *change.scope)
        if table.get(change.key) == change.after:
            table.pop(change.key, None)
            if change.before is not None:
                table[change.key] = change.before


def change_of(frame, row):
    before, after = np.zeros((9, 9), np.uint16), np.zeros((9, 9), np.uint16)
    after[row, :2] = 1
    difference = LabelDifference.between(before, after)
    return LabelsChange(1, (0,), (frame,), difference)


def result_of(frame, *object_ids, verdict=Verdict.SURE):
    objects = {key: ObjectResult(key, verdict) for key in object_ids}
    return FrameResult(frame, np.zeros((1, 1), np.uint16), objects)


def ledger_of(*prompts, frames=range(8)):
    """What a run through some frames has made of prompts."""
    prompt_log = Ledger()
    prompt_log.run(*prompts, frames=frames)
    return prompt_log


def corrections(prompt_log, *prompts_now, masks=()):
    return prompt_log.corrections(
        PromptSet(prompts_now), lambda object_id, frame: (object_id, frame) in masks
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
    prompt_log.run(later, frames=(3, 4), request=RunRequest(frames=range(3, 5)))
    assert prompt_log.holds(FIRST)
    (found,) = corrections(prompt_log, FIRST, later, LATER)
    assert found == Correction((LATER,), range(8))


def test_an_object_that_was_not_run_again_can_still_be_corrected():
    prompt_log = ledger_of(FIRST)
    prompt_log.run(Prompt(2, 0, points=[(1, 1)]), frames=range(2))
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
    assert prompt_log.lost_corrections((*prompts_now, other, clicked)) == ()
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
    prompt_log = Ledger()
    prompt_log.run(FIRST, frames=range(2, 8), request=RunRequest(way, replace=True))
    request = prompt_log.rerun((Prompt(1, seed, points=[(1, 1)]),))
    assert request == RunRequest(expected, range(2, 8), (1,), is_rerun=True)


def test_objects_that_ran_alike_are_recomputed_together():
    other = Prompt(2, 0, points=[(1, 1)])
    prompt_log = ledger_of(FIRST, other)
    prompts_now = (replace(FIRST, points=[(6, 6)]), replace(other, points=[(2, 2)]))
    assert prompt_log.rerun(prompts_now).object_ids == (1, 2)


def test_what_was_declined_is_not_recomputed_until_points_change():
    prompt_log, prompts_now = ledger_of(FIRST), (LATER,)
    prompt_log.decline_rerun((1,), prompts_now)
    assert prompt_log.rerun(prompts_now) is None
    assert prompt_log.declined_reruns(prompts_now) == (1,)
    assert prompt_log.rerun((LATER, Prompt(1, 3, points=[(1, 1)]))) is not None
    prompt_log.reconsider()
    assert prompt_log.rerun(prompts_now) is not None


def test_a_correction_whose_point_is_gone_is_taken_back():
    prompt_log = ledger_of(FIRST)
    step = prompt_log.correct(LATER, 6, 7)
    assert prompt_log.lost_corrections((FIRST, LATER)) == ()
    assert prompt_log.lost_corrections((FIRST,)) == (step,)
    assert prompt_log.take_back_lost(FIRST) == [LATER]
    assert prompt_log.records.of(1, 6).verdict is Verdict.SURE
    assert prompt_log.lost_corrections((FIRST,)) == ()
    assert prompt_log.rerun((FIRST,)) is None
    assert len(corrections(prompt_log, FIRST, LATER)) == 1, "it may come again"


def test_a_correction_that_was_undone_is_not_taken_back():
    prompt_log = ledger_of(FIRST)
    prompt_log.correct(LATER, 6, 7)
    prompt_log.history.undo()
    assert prompt_log.lost_corrections((FIRST,)) == ()
    assert not prompt_log.holds(LATER)
    prompt_log.history.redo()
    assert prompt_log.holds(LATER)
    assert len(prompt_log.lost_corrections((FIRST,))) == 1


def test_a_run_that_was_undone_is_not_repeated():
    prompt_log = ledger_of(FIRST)
    prompt_log.history.undo()
    assert prompt_log.object_ids == ()
    assert prompt_log.rerun(()) is None
    assert corrections(prompt_log, FIRST, LATER) == ()
    prompt_log.history.redo()
    assert len(corrections(prompt_log, FIRST, LATER)) == 1


def test_of_two_corrections_on_a_frame_the_first_stays_when_the_second_goes():
    prompt_log = ledger_of(FIRST)
    more = LATER.merge(Prompt(1, 6, points=[(2, 2)]))
    prompt_log.correct(LATER, 6)
    prompt_log.correct(more, 6)
    assert prompt_log.take_back_lost(FIRST, LATER) == [more]
    assert prompt_log.holds(LATER)


def test_when_the_second_goes_and_then_the_first_both_are_taken_back():
    prompt_log = ledger_of(FIRST)
    more = LATER.merge(Prompt(1, 6, points=[(2, 2)]))
    prompt_log.correct(LATER, 6)
    prompt_log.correct(more, 6)
    assert prompt_log.take_back_lost(FIRST, LATER) == [more]
    assert prompt_log.take_back_lost(FIRST) == [LATER]
    assert prompt_log.lost_corrections((FIRST,)) == ()


def test_when_the_first_goes_both_are_taken_back_and_the_second_comes_again():
    prompt_log = ledger_of(FIRST)
    second = Prompt(1, 6, points=[(2, 2)])
    prompt_log.correct(LATER, 6)
    prompt_log.correct(LATER.merge(second), 6)
    gone = prompt_log.take_back_lost(FIRST, second)
    assert gone == [LATER.merge(second), LATER]
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
        prompt_log.correct(prompt, *frames)
    assert prompt_log.take_back_lost(FIRST, earlier, near, far) == [near, LATER]
    (found,) = corrections(prompt_log, FIRST, earlier, near, far)
    assert found.prompts == (near,)


class Counted(Sequence):
    """Changes that take a while each time they are looked at, as those in a file."""

    def __init__(self, changes):
        self._changes = changes
        self.looks = 0

    def __len__(self):
        return len(self._changes)

    def __getitem__(self, index):
        return self._changes[index]

    def __iter__(self):
        self.looks += 1
        return iter(self._changes)


def test_however_many_points_go_each_step_is_looked_at_twice_at_most():
    ids, frames = range(1, 6), range(30)
    firsts = [Prompt(one, 0, points=[(1, 1)]) for one in ids]
    prompt_log = ledger_of(*firsts, frames=frames)
    made = [Prompt(one, at, points=[(1, 1)]) for at in (5, 15, 25) for one in ids]
    corrected = [prompt_log.correct(one, one.frame, row=one.object_id) for one in made]
    with prompt_log.history.extend(prompt_log.history.done[0]):
        prompt_log.records.note(result_of(0, 1, verdict=Verdict.DOUBTFUL))
    steps = prompt_log.history.done
    for step in steps:
        step.parts[:] = map(Counted, step.parts)
    assert prompt_log.lost_corrections(firsts) == tuple(reversed(corrected))
    assert max(part.looks for step in steps for part in step.parts) == 2
    for step in steps:
        step.parts[:] = map(Counted, step.parts)
    assert prompt_log.lost_corrections(made) == ()
    assert [[part.looks for part in step.parts] for step in steps[:1]] == [[1, 0]]


def test_what_the_labels_have_of_a_point_is_known_without_looking_at_frames(
    monkeypatch,
):
    prompt_log = ledger_of(FIRST)
    monkeypatch.setattr(prompt_log, "covers", lambda _: pytest.fail("all frames"))
    assert corrections(prompt_log, FIRST) == ()


@pytest.mark.parametrize(("row", "depends"), [(0, True), (3, False)])
def test_corrections_of_other_objects_depend_on_it_where_they_touch(row, depends):
    other = Prompt(2, 0, points=[(1, 1)])
    clicked = Prompt(2, 6, points=[(1, 1)])
    prompt_log = ledger_of(FIRST, other)
    prompt_log.correct(LATER, 6)
    prompt_log.correct(clicked, 6, row=row)
    gone = prompt_log.take_back_lost(FIRST, other, clicked)
    assert [prompt.object_id for prompt in gone] == ([2, 1] if depends else [1])


@pytest.mark.parametrize(
    "more", [{"lasso": [(1, 1), (1, 9), (9, 1)]}, {"scribbles": [STROKE]}]
)
def test_a_lasso_or_a_scribble_that_is_gone_is_missed_although_points_stay(more):
    shown = replace(LATER, **more)
    ledger = ledger_of(FIRST)
    ledger.correct(shown, 6)
    assert ledger.take_back_lost(FIRST, shown) == []
    assert ledger.take_back_lost(FIRST, LATER) == [shown]
    shown_first = replace(FIRST, **more)
    assert ledger_of(shown_first).rerun([shown_first]) is None
    assert ledger_of(shown_first).rerun([FIRST]) is not None


def test_a_scribble_is_a_correction():
    scribbled = Prompt(1, 6, scribbles=[STROKE])
    (found,) = corrections(ledger_of(FIRST), FIRST, scribbled)
    assert found == Correction((scribbled,), range(8))
    erased = Prompt(1, 6, scribbles=[replace(STROKE, is_positive=False)])
    assert corrections(ledger_of(FIRST), FIRST, erased) == ()
    (found,) = corrections(ledger_of(FIRST), FIRST, erased, masks={(1, 6)})
    assert found.prompts == (erased,)


def test_a_scribble_stays_although_a_point_before_it_goes():
    """The point is lost, but nothing else."""
    clicks = [(5, 5), (9, 9)]
    both = Prompt(1, 2, clicks, scribbles=[replace(STROKE, after=2)])
    one_less = Prompt(1, 2, clicks[:1], scribbles=[replace(STROKE, after=1)])
    ledger = ledger_of(one_less)
    ledger.correct(both, 2)
    assert ledger.take_back_lost(one_less) == [both]
    assert ledger.rerun([one_less]) is None


def test_a_box_that_is_gone_or_moved_is_missed_although_points_stay():
    boxed = replace(LATER, box=(1, 1, 9, 9))
    ledger = ledger_of(FIRST)
    ledger.correct(boxed, 6)
    assert ledger.take_back_lost(FIRST, boxed) == []
    assert ledger.take_back_lost(FIRST, LATER) == [boxed]
    boxed_first = replace(FIRST, box=(1, 1, 9, 9))
    moved = replace(FIRST, box=(1, 1, 9, 8))
    assert ledger_of(boxed_first).rerun([boxed_first]) is None
    assert ledger_of(boxed_first).rerun([moved]) is not None


def test_a_pick_that_is_undone_is_taken_back():
    prompt_log = ledger_of(FIRST)
    picked = replace(FIRST, hypothesis=2)
    prompt_log.correct(picked, 2)
    assert prompt_log.take_back_lost(picked) == []
    assert prompt_log.take_back_lost(FIRST) == [picked]
    assert prompt_log.holds(FIRST)
    assert corrections(prompt_log, FIRST) == ()


def test_a_point_of_the_run_that_goes_after_a_correction_on_its_frame():
    prompt_log = ledger_of(FIRST)
    prompt_log.correct(FIRST.merge(BESIDE_FIRST), 2)
    left = Prompt(1, 2, points=[(8, 8)])
    assert len(prompt_log.take_back_lost(left)) == 1
    assert prompt_log.rerun((left,)).object_ids == (1,)


def test_what_a_later_run_has_recomputed_is_not_taken_back():
    prompt_log = ledger_of(FIRST, frames=range(20))
    far = Prompt(1, 15, points=[(1, 1)])
    prompt_log.correct(LATER, 6, 7)
    prompt_log.correct(far, 15, 14)
    prompt_log.run(FIRST, LATER, frames=range(15), request=RunRequest(frames=range(15)))
    assert prompt_log.take_back_lost(FIRST, LATER) == [far]
    assert prompt_log.lost_corrections((FIRST,)) == ()
    assert prompt_log.rerun((FIRST,)) is not None


def test_points_that_go_with_their_layer_take_nothing_back_and_may_come_again():
    prompt_log = ledger_of(FIRST)
    prompt_log.correct(LATER, 6)
    prompt_log.withdraw(())
    assert prompt_log.take_back_lost() == []
    assert prompt_log.rerun(()) is None
    assert prompt_log.without_positive_points(()) == ()
    assert prompt_log.take_back_lost(FIRST, LATER) == []
    assert corrections(prompt_log, FIRST, LATER) == (), "they are in the labels still"
    (found,) = corrections(prompt_log, FIRST, LATER, BESIDE, masks={(1, 4)})
    assert found.prompts == (BESIDE,)


def test_after_the_layer_is_back_a_point_of_the_run_that_goes_counts_again():
    prompt_log = ledger_of(FIRST)
    prompt_log.withdraw(())
    prompt_log.readmit((FIRST, LATER))
    assert prompt_log.rerun((LATER,)) is not None


def test_labels_of_another_day_can_be_corrected_and_that_taken_back():
    prompt_log = Ledger()
    prompt_log.adopt((1, 3), range(8))
    assert prompt_log.object_ids == (1, 3)
    (found,) = corrections(prompt_log, LATER)
    assert found == Correction((LATER,), range(8))
    prompt_log.correct(LATER, 6)
    assert prompt_log.take_back_lost() == [LATER]
    assert prompt_log.rerun(()) is None
    assert prompt_log.without_positive_points(()) == ()
    assert len(corrections(prompt_log, LATER)) == 1


def test_labels_of_another_day_are_not_recomputed_beyond_the_run():
    prompt_log = Ledger()
    prompt_log.adopt((1,), range(100))
    prompt_log.run(FIRST, request=RunRequest(frames=range(8)))
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
    prompt_log.run(FIRST, frames=range(8))
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


MASK = Prompt(1, 5, mask=np.eye(9, dtype=bool))
NOWHERE = Prompt(1, 5, mask=np.zeros((9, 9), bool))


@pytest.mark.parametrize("mask", [MASK, NOWHERE])
def test_a_confirmed_mask_is_in_the_labels_already(mask):
    prompt_log = ledger_of(FIRST)
    prompt_log.confirm(mask)
    assert prompt_log.holds(mask)
    assert corrections(prompt_log, FIRST, mask) == ()
    assert prompt_log.rerun((FIRST, mask)) is None
    assert prompt_log.confirmed([1, 2], 5) == {1: mask}
    assert prompt_log.confirmed([1, 2], 2) == {}
    (found,) = corrections(prompt_log, FIRST, mask, LATER)
    assert mask in prompt_log.without([found]), "corrections end there"


def test_a_run_starts_at_a_confirmed_mask_but_not_where_there_is_none():
    prompt_log = ledger_of(FIRST)
    prompt_log.confirm(NOWHERE)
    prompt_log.run(FIRST)
    assert prompt_log.confirmed([1], 5) == {1: NOWHERE}
    prompt_log.confirm(MASK)
    prompt_log.run(FIRST)
    assert prompt_log.confirmed([1], 5) == {}, "a run without it has made it anew"
    prompt_log.run(FIRST, MASK)
    assert prompt_log.confirmed([1], 5) == {1: MASK}


def test_other_labels_are_not_emptied_where_an_object_is_absent():
    assert corrections(ledger_of(FIRST), FIRST, NOWHERE, masks={(1, 5)}) == ()


def test_a_confirmed_mask_settles_what_was_corrected_there():
    prompt_log, clicked = ledger_of(FIRST), Prompt(1, 5, points=[(3, 3)], hypothesis=2)
    prompt_log.correct(clicked, 4, 5, 6)
    assert not prompt_log.has_lost([clicked], (FIRST, MASK)), "also during a run"
    prompt_log.confirm(MASK)
    assert prompt_log.take_back_lost(FIRST, MASK) == []


def test_a_point_on_a_confirmed_mask_is_a_correction():
    prompt_log, clicked = ledger_of(FIRST), Prompt(1, 5, points=[(3, 3)])
    prompt_log.confirm(MASK)
    prompt_log.end_confirmation(1, 5)
    prompt_log.end_confirmation(1, 2)
    assert prompt_log.holds(FIRST), "that is no confirmation"
    (found,) = corrections(prompt_log, FIRST, clicked)
    assert found.prompts == (clicked,)
    assert prompt_log.rerun((FIRST, clicked)) is None


def test_what_is_merged_is_confirmed_no_more():
    prompt_log = ledger_of(FIRST, Prompt(2, 1, points=[(1, 1)]))
    prompt_log.confirm(MASK)
    prompt_log.absorb(2, 1, (FIRST,))
    assert prompt_log.confirmed([1], 5) == {}
