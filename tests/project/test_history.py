from __future__ import annotations

import itertools
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_documents import Volume

from napari_sam_decoder.project import (
    EntryChange,
    History,
    Operation,
    PointRow,
    Step,
)

SHAPE = (2, 3, 4)


class Scene:
    """A document with a history, and two others that follow all its operations."""

    def __init__(self):
        self.history, self.volume = History(), Volume(SHAPE)
        self.history.document.attach(1, self.volume)
        self.mirror, self.copy = History(), Volume(SHAPE)
        self.mirror.document.attach(1, self.copy)
        self.shadow = History()
        self.operations: list[Operation] = []
        self.history.subscribe(self.operations.append)
        self.history.subscribe(self.mirror.repeat)
        self.history.subscribe(lambda one: self.shadow.repeat(one, is_applied=True))
        self.runs: list[Step] = []

    def state(self, history=None, volume=None):
        document = (history or self.history).document
        tables = {
            (table.name, table.scope): dict(table.items())
            for table in document.tables
            if len(table)
        }
        labels = (volume or self.volume).data.tolist()
        return tables, document.rows("points"), document.rows("shapes"), labels

    def edit(self, edits):
        document = self.history.document
        for kind, where, value in edits:
            if kind == "entry":
                table = document.table("ids", where % 2)
                if value:
                    table[where] = value
                else:
                    table.pop(where, None)
            elif kind == "rows":
                rows = list(document.rows("points"))
                rows[where : where + value % 2] = [PointRow((where,), value + 1)]
                document.set_rows("points", tuple(rows))
            else:
                axis = 0 if kind == "plane" else 1
                window = np.s_[where % 3 :, : value + 1]
                self.volume.paint(document, (axis,), (where % 2,), window, value)

    def do(self, kind, which, edits):
        history = self.history
        if kind == "step":
            with history.step("Step", "points"):
                self.edit(edits)
        elif kind == "caused":
            cause = history.done[which % len(history.done)] if history.done else None
            with history.step("Caused", "points", cause=cause):
                self.edit(edits)
        elif kind == "open":
            cause = history.done[-1] if history.done and which % 2 else None
            self.runs.append(history.open_step("Run", "run", {"which": which}, cause))
        elif kind == "extend" and self.runs:
            with history.extend(self.runs[which % len(self.runs)]):
                self.edit(edits)
        elif kind == "extend a step" and history.done:
            with history.extend(history.done[which % len(history.done)]):
                self.edit(edits)
        elif kind == "fail":
            self._fail(edits)
        elif kind == "undo":
            history.undo()
        elif kind == "redo":
            history.redo()
        elif kind == "limit":
            history.limit = 1000 + 400 * which

    def _fail(self, edits):
        before, done = self.state(), self.outline()
        with suppress(KeyError), self.history.step("Fails", "points"):
            self.edit(edits)
            raise KeyError
        assert self.state() == before
        assert self.outline() == done

    def outline(self, history=None):
        """The stacks, as far as they tell."""
        chosen = history or self.history
        return [
            [
                (one.number, one.title, one.kind, one.group, one.size, one.changes)
                for one in steps
            ]
            for steps in (chosen.done, chosen.undone)
        ]

    def work(self):
        """What names the state of the document."""
        return tuple((one.number, len(one.parts)) for one in self.history.done)


EDITS = st.lists(
    st.tuples(
        st.sampled_from(["entry", "rows", "plane", "crossing plane"]),
        st.integers(0, 3),
        st.integers(0, 3),
    ),
    max_size=4,
)
ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "step",
                "step",
                "caused",
                "open",
                "extend",
                "extend",
                "extend a step",
                "fail",
                "undo",
                "undo",
                "redo",
            ]
        ),
        st.integers(0, 5),
        EDITS,
    ),
    max_size=25,
)


def check_size(history):
    steps = (*history.done, *history.undone)
    assert history.size == sum(one.size for one in steps)
    for one in steps:
        assert one.size == sum(change.size for change in one.changes)


def check_mirrors(scene):
    assert scene.outline(scene.mirror) == scene.outline()
    assert scene.outline(scene.shadow) == scene.outline()
    assert scene.state(scene.mirror, scene.copy) == scene.state()
    assert not scene.shadow.document.tables
    check_size(scene.mirror)


@given(ACTIONS)
def test_the_same_work_makes_the_same_document(actions):
    """Whatever was undone, redone and extended in between, on all three histories."""
    scene = Scene()
    known = {(): scene.state()}
    for action in actions:
        scene.do(*action)
        assert scene.state() == known.setdefault(scene.work(), scene.state())
        check_size(scene.history)
    check_mirrors(scene)
    while scene.history.undo():
        check_mirrors(scene)
        assert scene.state() == known.setdefault(scene.work(), scene.state())
    assert scene.state() == known[()]
    while scene.history.redo():
        check_mirrors(scene)
    assert not scene.history.undone
    assert scene.state() == known[scene.work()]


@given(ACTIONS)
def test_undo_and_redo_are_inverse_to_each_other(actions):
    scene = Scene()
    for action in actions:
        scene.do(*action)
        outline, state = scene.outline(), scene.state()
        if scene.history.undo():
            scene.history.redo()
        assert (scene.outline(), scene.state()) == (outline, state)
        if scene.history.redo():
            scene.history.undo()
        assert (scene.outline(), scene.state()) == (outline, state)


@given(ACTIONS, st.integers(0, 6))
def test_it_stays_within_its_limit(actions, which):
    scene = Scene()
    scene.do("limit", which, [])
    for action in actions:
        told = len(scene.operations)
        scene.do(*action)
        check_size(scene.history)
        check_mirrors(scene)
        if {one.kind for one in scene.operations[told:]} & {"step", "extend", "trim"}:
            check_limit(scene.history)
    scene.do("limit", 0, [])
    check_limit(scene.history)
    check_mirrors(scene)
    last, done = scene.state(), scene.outline()[0]
    while scene.history.undo():
        pass
    for _ in done:
        scene.history.redo()
        if scene.outline()[0] == done:
            break
    assert (scene.outline()[0], scene.state()) == (done, last)


def check_limit(history):
    if history.size > history.limit:
        assert history.done == history.last_group
        assert not history.undone


def history_of(*keys):
    """One entry in each step."""
    history = History()
    for key in keys:
        with history.step(f"Set {key}", "points"):
            history.document.table("ids")[key] = 1
    return history


def test_steps_are_named_and_counted():
    history = history_of(1, 2)
    assert [one.title for one in history.done] == ["Set 1", "Set 2"]
    assert [one.number for one in history.done] == [1, 2]
    assert history.next_undo.title == "Set 2"
    assert history.next_redo is None
    history.undo()
    assert history.next_undo.title == "Set 1"
    assert history.next_redo.title == "Set 2"


def test_where_there_is_nothing_to_undo_or_redo_nothing_happens():
    history, told = History(), []
    history.subscribe(told.append)
    assert history.undo() == history.redo() == ()
    assert told == []


def test_something_new_ends_what_could_be_redone():
    history = history_of(1, 2)
    history.undo()
    with history.step("Set 3", "points"):
        history.document.table("ids")[3] = 1
    assert history.redo() == ()
    assert set(history.document.table("ids")) == {1, 3}


def test_a_step_without_changes_is_none():
    history, told = history_of(1), []
    history.subscribe(told.append)
    with history.step("Set 1 again", "points") as step:
        history.document.table("ids")[1] = 1
    assert (len(history.done), told) == (1, [])
    assert step not in history.done


def test_a_step_that_was_dropped_extends_none_that_came_later():
    history = History()
    with history.step("Nothing", "run") as dropped:
        pass
    with history.step("Set 1", "points"):
        history.document.table("ids")[1] = 1
    with history.extend(dropped):
        history.document.table("ids")[2] = 1
    assert [one.title for one in history.done] == ["Set 1", "Nothing"]
    history.undo()
    assert set(history.document.table("ids")) == {1}


def test_a_step_within_another_one_is_a_part_of_it_also_later():
    history = History()
    table = history.document.table("ids")
    with history.step("Outer", "run") as outer:
        table[1] = 1
        with history.step("Inner", "points") as inner:
            table[2] = 1
    assert inner is outer
    with history.extend(inner):
        table[3] = 1
    (step,) = history.done
    assert step.title == "Outer"
    history.undo()
    assert not table


def test_what_changes_outside_of_steps_is_told_but_not_undone():
    history, told = History(), []
    history.subscribe(told.append)
    history.document.table("ids")[1] = 1
    (note,) = told
    assert (note.kind, note.changes) == (
        "note",
        (EntryChange("ids", (), 1, None, 1),),
    )
    assert history.undo() == ()
    other = History()
    other.repeat(note)
    assert other.document.table("ids")[1] == 1


def test_what_a_step_causes_is_undone_with_it_and_named_after_it():
    history = history_of(1)
    (cause,) = history.done
    run = history.open_step("Correction", "correction", {}, cause)
    for key in (2, 3):
        with history.extend(run):
            history.document.table("ids")[key] = 1
    assert [one.group for one in history.done] == [1, 1]
    assert history.next_undo is cause
    assert history.undo() == (run, cause)
    assert not history.document.table("ids")
    assert history.next_redo is cause
    assert history.redo() == (cause, run)


def test_it_is_placed_behind_its_cause_if_nothing_in_between_is_in_the_way():
    history = history_of(1, 2)
    cause = history.done[0]
    with history.step("Follows", "correction", cause=cause):
        history.document.table("ids")[3] = 1
    assert [one.title for one in history.done] == ["Set 1", "Follows", "Set 2"]
    with history.step("Depends on 2", "correction", cause=cause):
        history.document.table("ids")[2] = 5
    last = history.done[-1]
    assert (last.title, last.group) == ("Depends on 2", last.number)


def test_a_run_goes_on_below_what_was_done_meanwhile_unless_that_is_in_its_way():
    history = History()
    table = history.document.table("ids")
    run = history.open_step("Run", "run", {"objects": [1]})
    with history.extend(run):
        table[1] = 1
    with history.step("Other", "paint"):
        table[9] = 1
    with history.extend(run):
        table[2] = 1
    assert [one.title for one in history.done] == ["Run", "Other"]
    with history.extend(run):
        table[9] = 2
    with history.extend(run):
        table[3] = 1
    assert [one.title for one in history.done] == ["Run", "Other", "Run"]
    assert history.done[-1].details["objects"] == [1]
    history.undo()
    assert dict(table.items()) == {1: 1, 9: 1, 2: 1}


def test_a_run_that_was_undone_goes_on_in_a_step_of_its_own():
    history = History()
    table = history.document.table("ids")
    run = history.open_step("Run", "run", {})
    with history.extend(run):
        table[1] = 1
    history.undo()
    with history.extend(run):
        table[2] = 1
    assert set(table) == {2}
    assert history.undone == ()
    history.undo()
    assert not table


def test_a_run_below_what_was_undone_keeps_that_unless_it_is_in_its_way():
    history = History()
    table = history.document.table("ids")
    run = history.open_step("Run", "run", {})
    with history.extend(run):
        table[1] = 1
    with history.step("Other", "paint"):
        table[9] = 1
    history.undo()
    with history.extend(run):
        table[2] = 1
    assert history.redo()
    assert dict(table.items()) == {1: 1, 2: 1, 9: 1}
    history.undo()
    with history.extend(run):
        table[9] = 5
    assert history.redo() == ()
    assert table[9] == 5


class Refusing(Volume):
    """Labels that take no change of one plane any more."""

    refused = None

    def apply(self, sliced, place, difference):
        if place == self.refused:
            raise OSError("no space left on the device")
        super().apply(sliced, place, difference)


@pytest.mark.parametrize("move", ["undo", "redo"])
def test_what_cannot_be_undone_or_redone_stays_as_it_is(move):
    """Not half of it is done, and it may be tried again."""
    history, volume = History(), Refusing(SHAPE)
    history.document.attach(1, volume)
    with history.step("Paint", "paint"):
        for place in (0, 1):
            volume.paint(history.document, (0,), (place,), np.s_[:], 7)
    if move == "redo":
        history.undo()
    before, stacks = volume.data.copy(), (history.done, history.undone)
    volume.refused = (0,) if move == "undo" else (1,)
    with pytest.raises(OSError, match="no space"):
        getattr(history, move)()
    np.testing.assert_array_equal(volume.data, before)
    assert (history.done, history.undone) == stacks
    volume.refused = None
    assert getattr(history, move)()


def test_the_last_step_is_kept_however_large_it_is():
    history = history_of(1, 2, 3)
    history.limit = 1
    assert [one.title for one in history.done] == ["Set 3"]
    assert history.size > 1
    history.undo()
    history.redo()
    assert len(history.done) == 1


def test_where_the_limit_leaves_no_room_nothing_can_be_redone():
    history = history_of(1, 2)
    history.undo()
    history.limit = 1
    assert history.undone == ()
    assert [one.title for one in history.done] == ["Set 1"]


class Counted(tuple):
    """Changes that count how often they are looked at."""

    __slots__ = ()
    looks = itertools.count()

    def __iter__(self):
        next(self.looks)
        return super().__iter__()


def test_a_long_run_does_not_look_at_all_that_was_done_since_at_each_frame():
    history = History()
    run = history.open_step("Run", "run", {})
    with history.extend(run):
        history.document.table("frames")[0] = 1
    many = Counted(EntryChange("ids", (), key, None, 1) for key in range(50))
    history.repeat(Operation("step", Step(7, "Many", "points", {}, 7), many))
    before = next(Counted.looks)
    for frame in range(1, 20):
        with history.extend(run):
            history.document.table("frames")[frame] = 1
    assert next(Counted.looks) - before <= 2
    assert [one.title for one in history.done] == ["Run", "Many"]
