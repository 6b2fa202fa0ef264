from __future__ import annotations

import numpy as np
import pytest
from large_network import FRAME, SIDES, LargeNetwork, large_movie, still

from napari_sam_decoder.frames import Pyramid, Window
from napari_sam_decoder.metrics import mask_iou
from napari_sam_decoder.model.values import BACKGROUND_LOGIT
from napari_sam_decoder.prompts import Prompt, PromptSet, Scribble
from napari_sam_decoder.propagation import (
    CurrentLabels,
    Views,
    correct,
    plan,
    preview_prompts,
    propagate,
)
from napari_sam_decoder.propagation.views import low_res_box, transfer_logits

WHOLE = Window(0, 0, FRAME, FRAME)


def square(row, column, side=16):
    mask = np.zeros((FRAME, FRAME), bool)
    mask[row : row + side, column : column + side] = True
    return mask


def final_labels(results):
    return {one.frame: one.labels for one in results if one.is_final}


def run(network, *prompts, frames=range(10)):
    itinerary = plan(PromptSet(prompts), frames)
    return final_labels(propagate(network.views(), itinerary))


def seen_on(network, frame):
    return {window for at, window in network.embedded if at == frame}


def low_res(mask, window):
    unit = window.side // 64
    return np.where(mask[window.place][::unit, ::unit], 9, -9).astype(np.float32)


@pytest.mark.parametrize("target", [Window(64, 64, 64, 64), Window(0, 0, 128, 128)])
def test_logits_are_the_same_in_another_window(target):
    mask, source = square(72, 80, 24), Window(32, 64, 64, 64)
    moved = transfer_logits(low_res(mask, source), source, target)
    found = moved > 0
    assert mask_iou(found, low_res(mask, target) > 0) == 1
    back = transfer_logits(moved, target, source)
    assert mask_iou(back > 0, low_res(mask, source) > 0) > 0.99


def test_beyond_a_window_nothing_is_known_of_an_object():
    everything = np.ones((64, 64), np.float32)
    moved = transfer_logits(everything, Window(0, 0, 64, 64), Window(32, 0, 64, 64))
    assert (moved[:32] == 1).all()
    assert (moved[33:] == BACKGROUND_LOGIT).all()


def test_the_box_of_logits_is_in_frame_pixels():
    window = Window(128, 0, 128, 128)
    logits = low_res(square(140, 20, 32), window)
    assert low_res_box(logits, window) == Window(140, 20, 32, 32)
    assert low_res_box(np.full((64, 64), -1.0), window) is None


def test_a_small_object_is_answered_in_a_small_window():
    truth = large_movie(still(140, 33))
    network = LargeNetwork(truth)
    (shown,) = preview_prompts(network.views(), [Prompt(1, 0, points=[(146, 38)])])
    assert shown.window.side == SIDES[-1]
    np.testing.assert_array_equal(shown.chosen.mask, truth[0] == 1)
    assert all(one.mask.shape == (FRAME, FRAME) for one in shown.hypotheses)


def test_a_box_needs_no_look_at_the_whole_frame():
    network = LargeNetwork(large_movie(still(140, 33)))
    preview_prompts(network.views(), [Prompt(1, 0, box=(139, 32, 153, 46))])
    assert [window.side for _, window in network.embedded] == [SIDES[-1]]


def test_a_later_action_is_answered_in_the_same_window():
    truth = large_movie(still(140, 33))
    network = LargeNetwork(truth)
    first = Prompt(1, 0, points=[(147, 40)])
    (shown,) = preview_prompts(network.views(), [first])
    del network.embedded[:]
    more = first.merge(Prompt(1, 0, points=[(120, 40)], signs=[False]))
    (again,) = preview_prompts(network.views(), [more], [shown])
    assert again.window == shown.window
    assert {window for _, window in network.embedded} <= {shown.window}


def test_an_object_that_crosses_windows_is_held():
    truth = large_movie(lambda frame: (100, 8 + 12 * frame), frames=18)
    network = LargeNetwork(truth)
    labels = run(network, Prompt(1, 0, mask=truth[0] == 1), frames=range(18))
    for frame, found in labels.items():
        np.testing.assert_array_equal(found == 1, truth[frame] == 1)
    sides = {window.side for _, window in network.embedded}
    assert sides == {SIDES[-1]}
    assert len({window for _, window in network.embedded}) > 3


def test_an_object_that_grows_is_seen_from_farther_away():
    def grows(frame):
        side = 12 + 2 * frame
        return 128 - side // 2, 128 - side // 2, side

    truth = large_movie(grows, frames=20)
    network = LargeNetwork(truth)
    labels = run(network, Prompt(1, 0, mask=truth[0] == 1), frames=range(20))
    assert all(
        mask_iou(found == 1, truth[frame] == 1) > 0.85
        for frame, found in labels.items()
    )
    assert {window.side for window in seen_on(network, 0)} == {SIDES[1]}
    assert {window.side for window in seen_on(network, 19)} == {SIDES[0]}


def test_neighbours_are_followed_in_one_window():
    truth = large_movie(still(100, 80), still(100, 92))
    network = LargeNetwork(truth)
    prompts = [Prompt(one, 0, mask=truth[0] == one) for one in (1, 2)]
    labels = run(network, *prompts)
    for frame, found in labels.items():
        np.testing.assert_array_equal(found, truth[frame])
    assert len(seen_on(network, 5)) == 1


def test_objects_far_apart_have_a_window_each():
    truth = large_movie(still(8, 8), still(200, 220))
    network = LargeNetwork(truth)
    prompts = [Prompt(one, 0, mask=truth[0] == one) for one in (1, 2)]
    labels = run(network, *prompts)
    for frame, found in labels.items():
        np.testing.assert_array_equal(found, truth[frame])
    assert len(seen_on(network, 5)) == 2


def test_runs_from_prompts_in_different_windows_are_joined():
    truth = large_movie(lambda frame: (100, 8 + 12 * frame))
    network = LargeNetwork(truth)
    prompts = [Prompt(1, frame, mask=truth[frame] == 1) for frame in (0, 9)]
    labels = run(network, *prompts)
    for frame, found in labels.items():
        np.testing.assert_array_equal(found == 1, truth[frame] == 1)


def test_a_correction_is_carried_through_windows():
    truth = large_movie(lambda frame: (100, 8 + 12 * frame), frames=14)
    network = LargeNetwork(truth)
    labels = np.where(truth == 1, 1, 0)
    labels[:, 106:] = 0
    scribble = Scribble.along([(110, 10), (110, 18)], (FRAME, FRAME))
    prompt = Prompt(1, 0, mask=labels[0] == 1, scribbles=[scribble])
    current = CurrentLabels(labels.__getitem__, PromptSet([prompt]))
    for result in correct(network.views(), current, [(1, 0)], range(14)):
        labels[result.frame] = result.labels
    assert mask_iou(labels == 1, truth == 1) > 0.98


def test_a_frame_no_larger_than_the_input_has_no_windows():
    assert not Pyramid.of((480, 1024), 1024, 512).sides
    assert Pyramid.of((480, 1025), 1024, 512).sides == (1024, 512)
    assert Pyramid.of((4096, 4096), 1024, 128).sides == (1024, 512, 256, 128)
    assert not Pyramid.of((4096, 4096), 1024, 100_000).sides


def test_a_neighbour_is_answered_in_the_window_of_the_first():
    truth = large_movie(still(140, 33), still(165, 45))
    network = LargeNetwork(truth)
    first, second = (
        Prompt(1, 0, points=[(146, 38)]),
        Prompt(2, 0, points=[(171, 51)]),
    )
    (before,) = preview_prompts(network.views(), [first])
    network.embedded.clear()
    shown = preview_prompts(network.views(), [first, second], [before])
    assert {one.window for one in shown} == {before.window}
    np.testing.assert_array_equal(shown[1].chosen.mask, truth[0] == 2)
    assert (0, WHOLE) not in network.embedded
    together = preview_prompts(network.views(), [second, first])
    assert {one.window for one in together} == {before.window}


def test_a_neighbour_of_another_size_is_seen_in_its_own_window():
    truth = large_movie(still(140, 33), lambda _: (130, 60, 60))
    network = LargeNetwork(truth)
    prompts = [Prompt(1, 0, points=[(146, 38)]), Prompt(2, 0, points=[(150, 80)])]
    small, large = preview_prompts(network.views(), prompts)
    assert small.window.side < large.window.side
    assert mask_iou(large.chosen.mask, truth[0] == 2) > 0.9


def test_what_was_answered_on_one_frame_says_nothing_of_another():
    truth = large_movie(lambda frame: (140 + 8 * frame, 33), still(150, 70))
    network = LargeNetwork(truth)
    views = network.views()
    for frame in (0, 1):
        row = 146 + 8 * frame
        prompts = [
            Prompt(1, frame, points=[(row, 38)]),
            Prompt(2, frame, points=[(156, 76)]),
        ]
        shown = preview_prompts(views, prompts)
        np.testing.assert_array_equal(shown[0].chosen.mask, truth[frame] == 1)


def far_views(network):
    """A frame that is four times as large as its windows."""
    views = network.views()
    return Views(views.whole, Pyramid(WHOLE.shape, SIDES[-1:]), network.source)


def test_a_very_large_frame_is_not_looked_at_whole_for_a_small_object():
    truth = large_movie(still(140, 33))
    network = LargeNetwork(truth)
    prompt = Prompt(1, 0, points=[(146, 38)])
    (shown,) = preview_prompts(far_views(network), [prompt])
    assert shown.window.side == SIDES[-1]
    np.testing.assert_array_equal(shown.chosen.mask, truth[0] == 1)
    assert (0, WHOLE) not in network.embedded


def test_an_object_that_is_larger_than_the_window_is():
    truth = large_movie(lambda _: (40, 40, 120))
    network = LargeNetwork(truth)
    (shown,) = preview_prompts(far_views(network), [Prompt(1, 0, points=[(100, 100)])])
    assert shown.window == WHOLE
    assert mask_iou(shown.chosen.mask, truth[0] == 1) > 0.9
