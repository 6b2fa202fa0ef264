from __future__ import annotations

import numpy as np
import pytest

from napari_sam_decoder.errors import PromptError
from napari_sam_decoder.prompts import (
    Prompt,
    PromptSet,
    prompts_from_points,
    read_points,
    read_points_at,
)

NOTHING = np.zeros((20, 30), bool)
PAINTED = NOTHING.copy()
PAINTED[4:9, 10:17] = True


def test_a_subset_keeps_masks():
    painted, absence = Prompt(1, 2, mask=PAINTED), Prompt(1, 3, mask=NOTHING)
    prompts = PromptSet([Prompt(2, 2, [(1, 1)]), absence]).add(painted)
    assert prompts.at(1, 2) == painted
    assert prompts.of_object(1) == (painted, absence)
    assert list(prompts.within(range(3, 4))) == [absence]
    assert list(prompts.without(2).without(1, 3)) == [painted]


def test_a_set_is_ordered_and_has_subsets():
    prompts = PromptSet(
        [Prompt(2, 3, [(1, 1)]), Prompt(1, 2, [(1, 1)]), Prompt(1, 0, [(1, 1)])]
    )
    assert [(p.object_id, p.frame) for p in prompts] == [(1, 0), (1, 2), (2, 3)]
    assert prompts.object_ids == (1, 2)
    assert [p.frame for p in prompts.of_object(1)] == [0, 2]
    assert len(prompts.within(range(2, 4))) == 2
    assert len(prompts.without(1)) == 1
    assert [p.frame for p in prompts.without(1, 0).of_object(1)] == [2]


def test_a_table_of_points_becomes_prompts():
    prompts = prompts_from_points(
        frames=[0, 0, 3],
        positions=np.array([[1, 2], [3, 4], [5, 6]]),
        signs=[True, False, True],
        object_ids=[1, 1, 2],
        hypotheses=[0, 3, 0],
    )
    first, second = prompts
    assert first == Prompt(1, 0, [(1, 2), (3, 4)], [True, False], hypothesis=3)
    assert second == Prompt(2, 3, [(5, 6)])


def test_a_table_that_picks_two_hypotheses_is_refused():
    with pytest.raises(PromptError, match="different hypotheses on frame 0"):
        prompts_from_points([0, 0, 0], np.ones((3, 2)), [1, 1, 1], [1, 1, 1], [2, 0, 3])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"frames": [0.5, 1]}, "frames must be a list of whole numbers, not 0.5"),
        ({"frames": [0, np.nan]}, "frames must be finite"),
        ({"frames": [True, False]}, "frames must be finite numbers, not True"),
        ({"frames": [[0, 1]]}, "frames must be a list of whole numbers"),
        ({"frames": [0]}, "2 positions need as many frames, not 1"),
        ({"positions": [(0, 1, 2), (0, 3, 4)]}, "the frame is given apart"),
        ({"positions": 3}, "pairs"),
        ({"signs": [0.5, 1]}, "signs must be a list of True or False"),
        ({"signs": ["positive", "negative"]}, "signs must be a list of True or"),
        ({"object_ids": [1, 1.5]}, "object ids must be a list of whole numbers"),
        ({"object_ids": [1, 2**40]}, "is above 4294967295"),
        ({"object_ids": [1, 0]}, "ids start at 1"),
        ({"hypotheses": [0, 4]}, "1, 2 or 3"),
        ({"hypotheses": [0, 1.5]}, "hypotheses must be a list of whole numbers"),
        ({"hypotheses": [0, 1, 2]}, "as many hypotheses, not 3"),
    ],
)
def test_a_table_with_a_wrong_column_is_refused(columns, message):
    good = {
        "frames": [0, 1],
        "positions": [(1, 2), (3, 4)],
        "signs": [True, False],
        "object_ids": [1, 1],
    }
    with pytest.raises(PromptError, match=message):
        prompts_from_points(**{**good, **columns})


def test_a_table_may_have_whole_numbers_as_floats():
    floats = np.array([2.0]), np.array([[1, 2]]), np.array([1.0]), np.array([3.0])
    assert list(prompts_from_points(*floats)) == [Prompt(3, 2, [(1, 2)])]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: PromptSet([{"object_id": 1}]), "is not a Prompt"),
        (lambda: PromptSet(Prompt(1, 0, [(1, 1)])), "give a list of prompts"),
        (lambda: PromptSet(5), "give a list of prompts, not 5"),
        (lambda: PromptSet().at(1, 0.5), "a frame must be a whole number"),
        (lambda: PromptSet().at(True, 0), "an object id must be a whole number"),
        (lambda: PromptSet().without(1, 0.5), "a frame must be a whole number"),
        (lambda: PromptSet().without("1"), "an object id must be a whole number"),
    ],
)
def test_a_set_takes_prompts_and_whole_numbers(call, message):
    with pytest.raises(PromptError, match=message):
        call()


def test_a_set_is_shown_by_objects_and_frames():
    prompts = [Prompt(2, 3, [(1, 1)]), Prompt(1, 5, [(1, 1)]), Prompt(1, 0, [(1, 1)])]
    assert repr(PromptSet(prompts)) == "PromptSet({1: frames 0 5, 2: frame 3})"
    assert repr(PromptSet()) == "PromptSet({})"


def test_points_are_read_from_files_in_one_step(tmp_path):
    rows = ["0,10,15,positive,1,0", "0,11,16,negative,1,0", "2,3,4,,2,3"]
    for name, lines in {"a.csv": rows[:1], "b.csv": rows[1:]}.items():
        header = "axis-0,axis-1,axis-2,label,object_id,hypothesis"
        (tmp_path / name).write_text("\n".join([header, *lines]))
    assert list(read_points(tmp_path / "a.csv")) == [Prompt(1, 0, [(10, 15)])]
    assert list(read_points(str(tmp_path / "a.csv"), tmp_path / "b.csv")) == [
        Prompt(1, 0, [(10, 15), (11, 16)], [True, False]),
        Prompt(2, 2, [(3, 4)], hypothesis=3),
    ]


def test_files_that_pick_different_hypotheses_are_refused(tmp_path):
    for pick in (1, 2):
        text = f"axis-0,axis-1,axis-2,hypothesis\n0,1,2,{pick}\n"
        (tmp_path / f"{pick}.csv").write_text(text)
    with pytest.raises(PromptError, match="different hypotheses on frame 0"):
        read_points(tmp_path / "1.csv", tmp_path / "2.csv")


def test_points_at_a_position(tmp_path):
    every = tmp_path / "every.csv"
    every.write_text("axis-0,axis-1,axis-2,axis-3\n0,2,10,15\n1,3,20,25\n")
    movie = tmp_path / "movie.csv"
    movie.write_text("axis-0,axis-1,axis-2,object_id\n1,5,6,2\n")
    tables = [every, movie]
    assert list(read_points_at(tables, "TZYX", "T", {"Z": 3})) == [
        Prompt(1, 1, [(20, 25)]),
        Prompt(2, 1, [(5, 6)]),
    ]
    assert list(read_points_at([every], "TZYX", "Z", {"T": 0})) == [
        Prompt(1, 2, [(10, 15)])
    ]
    assert len(read_points_at([every], "TZYX", "T", {"Z": 1})) == 0
