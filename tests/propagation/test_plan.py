from __future__ import annotations

import pytest

from napari_sam_decoder.errors import OptionError, PromptError
from napari_sam_decoder.prompts import Prompt, PromptSet
from napari_sam_decoder.propagation.plan import Leg, plan


def prompts_on(*frames, object_id=1):
    return PromptSet(Prompt(object_id, frame, [(1, 1)]) for frame in frames)


def legs_of(prompts, frames):
    return plan(prompts, frames).legs


def test_one_prompt_goes_both_ways():
    assert legs_of(prompts_on(4), range(2, 8)) == (
        Leg(1, 4, range(3, 1, -1)),
        Leg(1, 4, range(5, 8)),
    )


def test_a_prompt_at_the_end_goes_one_way():
    assert legs_of(prompts_on(0), range(3)) == (Leg(1, 0, range(1, 3)),)
    assert legs_of(prompts_on(2), range(3)) == (Leg(1, 2, range(1, -1, -1)),)


def test_a_single_frame_needs_no_leg():
    assert legs_of(prompts_on(5), range(5, 6)) == ()


def test_a_gap_is_covered_from_both_sides():
    assert legs_of(prompts_on(0, 4), range(6)) == (
        Leg(1, 0, range(1, 4)),
        Leg(1, 4, range(3, 0, -1)),
        Leg(1, 4, range(5, 6)),
    )


def test_neighbouring_prompts_leave_no_gap():
    assert legs_of(prompts_on(0, 1), range(2)) == ()


def test_prompts_outside_are_not_used():
    assert legs_of(prompts_on(0, 4, 9), range(3, 6)) == (
        Leg(1, 4, range(3, 2, -1)),
        Leg(1, 4, range(5, 6)),
    )


def test_an_object_without_a_prompt_inside_is_refused():
    prompts = PromptSet([*prompts_on(1), *prompts_on(7, 9, object_id=3)])
    with pytest.raises(PromptError, match=r"object 3 .* frame 7, 9, outside .* 0:5"):
        legs_of(prompts, range(5))


def test_no_prompts_and_no_frames_are_refused():
    with pytest.raises(PromptError, match="add a point or a box first"):
        legs_of(PromptSet(), range(5))
    with pytest.raises(OptionError, match="no frames"):
        legs_of(prompts_on(1), range(5, 5))


def test_the_number_of_results_is_known_in_advance():
    itinerary = plan(prompts_on(2, 4), range(6))
    assert itinerary.forward == (2, 3, 4, 5)
    assert itinerary.backward == (3, 1, 0)
    assert itinerary.visits == 7
