from __future__ import annotations

import numpy as np
import pytest
from ideal_network import SIDE, movie_of

from napari_sam_decoder.prompts import PaintedMask, Prompt, PromptSet
from napari_sam_decoder.propagation import (
    CurrentLabels,
    Direction,
    Reason,
    Verdict,
    Views,
    correct,
    plan,
    propagate,
)
from napari_sam_decoder.propagation.division import (
    FRAMES_APART,
    Wholeness,
    halves,
    mothers,
)

FRAMES = range(12)
PARTED = 4
"""First frame on which the cell of the movies is in two parts."""
DIVIDED = PARTED + FRAMES_APART - 1


def squares(*sides, rows=16, columns=48):
    """A mask with squares side by side, two pixels apart."""
    mask, left = np.zeros((rows, columns), bool), 1
    for side in sides:
        mask[1 : 1 + side, left : left + side] = True
        left += side + 2
    return mask


@pytest.mark.parametrize("sides", [(8, 8), (10, 8), (8, 10), (8, 8, 3)])
def test_two_parts_of_similar_size_are_halves(sides):
    first, second = halves(squares(*sides))
    larger, smaller = sorted(sides, reverse=True)[:2]
    assert (first.sum(), second.sum()) == (larger**2, smaller**2)
    assert not (first & second).any()


@pytest.mark.parametrize("sides", [(), (8,), (8, 5), (8, 8, 8)])
def test_other_masks_are_not_in_halves(sides):
    assert halves(squares(*sides)) is None


def test_parts_that_touch_at_a_corner_are_one():
    mask = np.zeros((8, 8), bool)
    mask[:4, :4] = mask[4:, 4:] = True
    assert halves(mask) is None


def after(*masks):
    known = Wholeness()
    for mask in masks:
        known = known.after(mask)
    return known


WHOLE, APART = squares(12), squares(8, 8)


def test_an_object_has_divided_once_it_was_apart_for_some_frames():
    known = [after(WHOLE, *[APART] * count) for count in range(FRAMES_APART + 2)]
    assert [one.has_divided for one in known] == [False] * FRAMES_APART + [True] * 2
    assert [one.divides_now for one in known].index(True) == FRAMES_APART


def test_parts_that_join_again_are_no_division():
    assert not after(WHOLE, APART, APART, WHOLE, APART, APART).has_divided


def test_what_was_always_in_two_parts_has_not_divided():
    assert not after(*[APART] * 9).has_divided


def test_it_stays_divided_where_one_daughter_is_followed():
    assert after(WHOLE, *[APART] * FRAMES_APART, WHOLE).has_divided


def dividing(apart=FRAMES):
    """A square that becomes two, which move apart."""
    truth = movie_of(frames=len(FRAMES))
    for frame in FRAMES:
        gap = 2 + 2 * min(frame - PARTED, 3) if frame >= PARTED else 0
        away = gap if frame in apart else 0
        truth[frame, 24:36, 24 - away : 32 - away] = 1
        truth[frame, 24:36, 32 + away : 40 + away] = 1
    return truth


def results_of(context, truth, frame=0, direction=Direction.BOTH):
    prompt = Prompt(1, frame, mask=truth[frame] == 1)
    itinerary = plan(PromptSet([prompt]), FRAMES, direction)
    return {one.frame: one for one in propagate(Views(context), itinerary)}


def reasons(results):
    return {frame: results[frame].objects[1].reason for frame in sorted(results)}


def test_a_cell_that_divides_is_doubtful_from_then_on(make_context):
    truth = dividing()
    _, context = make_context(truth, quality=dict.fromkeys(FRAMES, 1.0))
    results = results_of(context, truth)
    found = reasons(results)
    assert {f for f in FRAMES if found[f] is Reason.DIVIDED} == {*FRAMES[DIVIDED:]}
    late = results[FRAMES[-1]].objects[1]
    assert late.verdict is Verdict.DOUBTFUL
    assert late.is_doubtful
    assert "divided" in late.why


def test_both_daughters_are_offered_once(make_context):
    truth = dividing()
    _, context = make_context(truth, quality=dict.fromkeys(FRAMES, 1.0))
    results = results_of(context, truth)
    offered = {f: r.objects[1].daughters for f, r in results.items()}
    assert [f for f, pair in offered.items() if pair is not None] == [DIVIDED]
    masks = [one.to_array() for one in offered[DIVIDED]]
    right = np.arange(SIDE) >= SIDE // 2
    for mask in masks:
        side = right if mask[:, right].any() else ~right
        np.testing.assert_array_equal(mask, (truth[DIVIDED] == 1) & side)
    assert not (masks[0] & masks[1]).any()


def test_what_hides_the_middle_of_a_cell_for_a_moment_is_no_division(make_context):
    truth = dividing(apart=range(PARTED, PARTED + FRAMES_APART - 1))
    _, context = make_context(truth, quality=dict.fromkeys(FRAMES, 1.0))
    assert Reason.DIVIDED not in reasons(results_of(context, truth)).values()


def test_backwards_in_time_nothing_divides(make_context):
    truth = dividing()[::-1].copy()
    _, context = make_context(truth, quality=dict.fromkeys(FRAMES, 1.0))
    last = FRAMES[-1]
    found = reasons(results_of(context, truth, last, Direction.BACKWARD))
    assert Reason.DIVIDED not in found.values()


def test_a_division_beyond_a_correction_is_found(make_context):
    truth = dividing()
    _, context = make_context(truth, quality=dict.fromkeys(FRAMES, 1.0))
    labels = np.zeros_like(truth)
    prompt = Prompt(1, 1, mask=truth[1] == 1)
    current = CurrentLabels(labels.__getitem__, PromptSet([prompt]))
    found = {}
    for result in correct(Views(context), current, [(1, 1)], FRAMES):
        labels[result.frame] = result.labels
        found[result.frame] = result
    assert found[DIVIDED].objects[1].reason is Reason.DIVIDED
    assert found[DIVIDED].objects[1].daughters is not None


MOTHER = np.zeros((20, 40), int)
MOTHER[4:16, 4:28] = 3
MOTHER[4:16, 32:38] = 7


def part(columns, rows=(4, 16)):
    mask = np.zeros(MOTHER.shape, bool)
    mask[slice(*rows), slice(*columns)] = True
    return PaintedMask.of(mask)


def now(columns=None):
    """Object 7 stays as it is; what is left of object 3 is in some columns."""
    kept = np.zeros(MOTHER.shape, bool)
    kept[:, slice(*columns) if columns else slice(0)] = True
    return np.where((MOTHER == 3) & ~kept, 0, MOTHER)


def test_what_is_where_half_of_an_object_was_is_its_daughter():
    assert mothers([part((16, 28))], MOTHER, now((4, 15))) == [3]


def test_two_that_are_where_an_object_was_are_its_daughters():
    found = [part((4, 14)), part((17, 28)), part((30, 32))]
    assert mothers(found, MOTHER, now()) == [3, 3, None]


@pytest.mark.parametrize(
    ("found", "left"),
    [
        ([part((16, 28))], None),
        ([part((16, 28))], (4, 24)),
        ([part((24, 28))], (4, 22)),
        ([part((4, 10)), part((11, 18))], (20, 28)),
        ([part((16, 28), (14, 20))], (4, 15)),
        ([PaintedMask.of(np.zeros(MOTHER.shape, bool))], (4, 15)),
        ([part((4, 28)), part((4, 28))], None),
    ],
    ids=[
        "alone",
        "the object is still whole",
        "far smaller",
        "three",
        "mostly elsewhere",
        "empty",
        "as large as the object",
    ],
)
def test_else_nothing_has_divided(found, left):
    assert mothers(found, MOTHER, now(left)) == [None] * len(found)
