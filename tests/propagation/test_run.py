from __future__ import annotations

from dataclasses import replace
from threading import Barrier

import numpy as np
import pytest
import torch
from ideal_network import movie_of

from napari_sam_decoder.appearance.memory import Memory
from napari_sam_decoder.errors import FormatError
from napari_sam_decoder.metrics import mask_iou
from napari_sam_decoder.prompts import Prompt, PromptSet
from napari_sam_decoder.propagation import Reason, Settings, Verdict, Views, plan
from napari_sam_decoder.propagation import propagate as run_itinerary

FRAMES = range(10)


def propagate(context, prompts, frames):
    return run_itinerary(Views(context), plan(prompts, frames))


def still(frame):
    return 12, 12


def falling(frame):
    return 4 * frame, 40


def leaving_and_back(frame):
    """Out through the top between frames 4 and 7."""
    places = {0: 8, 1: 4, 2: 0, 3: -5, 8: -5, 9: 0}
    return (places[frame], 20) if frame in places else None


def vanishing(frame):
    return (30, 30) if frame < 6 else None


def click(truth, object_id=1, frame=0, **values):
    rows, columns = np.nonzero(truth[frame] == object_id)
    return Prompt(object_id, frame, [(rows.mean(), columns.mean())], **values)


def final_labels(results):
    return {result.frame: result.labels for result in results if result.is_final}


def assert_labels_are(truth, results, frames=FRAMES):
    found = final_labels(results)
    assert sorted(found) == list(frames)
    for frame in frames:
        np.testing.assert_array_equal(found[frame], truth[frame])


def assert_nearly(truth, labels):
    """What is seen after a gap may lack a corner: nothing drew it sharply before."""
    for frame, found in labels.items():
        assert mask_iou(found == 1, truth[frame] == 1) > 0.95 or not truth[frame].any()
        assert found.any() == truth[frame].any()


@pytest.mark.parametrize("path", [still, falling])
@pytest.mark.parametrize("frame", [0, 5, 9])
def test_an_object_is_carried_both_ways(make_context, path, frame):
    truth = movie_of(path)
    _, context = make_context(truth)
    results = list(propagate(context, PromptSet([click(truth, frame=frame)]), FRAMES))
    assert_labels_are(truth, results)
    assert results[0].frame == frame
    assert results[0].objects[1].verdict is Verdict.PROMPTED


def test_only_the_requested_frames_are_yielded(make_context):
    truth = movie_of(falling)
    _, context = make_context(truth)
    results = propagate(context, PromptSet([click(truth, frame=5)]), range(3, 8))
    assert_labels_are(truth, results, range(3, 8))


def test_several_objects_share_one_decoder_call_per_frame(make_context):
    truth = movie_of(still, lambda frame: (12, 40))
    network, context = make_context(truth, quality=dict.fromkeys(FRAMES, 1.0))
    prompts = PromptSet([click(truth, 1), click(truth, 2)])
    for frame, found in final_labels(propagate(context, prompts, FRAMES)).items():
        np.testing.assert_array_equal(found == 1, truth[frame] == 1)
        # An object that vanishes nearby may change its outline for a frame.
        assert mask_iou(found == 2, truth[frame] == 2) > 0.9
    # The first frame after the prompts is not clear yet: it is asked about again.
    assert network.asked[-8:] == [(frame, 2) for frame in range(2, 10)]


def test_an_ambiguous_object_is_decoded_with_two_alternative_prompts(make_context):
    truth = movie_of(still, lambda frame: (12, 40))
    network, context = make_context(
        truth, quality={**dict.fromkeys(FRAMES, 1.0), 3: 0.8}
    )
    prompts = PromptSet([click(truth, 1), click(truth, 2)])
    assert_labels_are(truth, propagate(context, prompts, FRAMES))
    turns = [turn for turn, asked in enumerate(network.asked) if asked[0] == 3]
    assert [network.asked[turn] for turn in turns] == [(3, 2), (3, 4)]
    shown = [[mask is not None for mask in network.shown[turn]] for turn in turns]
    assert shown == [[True, True], [False, True] * 2]


def test_a_mask_on_something_else_is_not_the_object(make_context):
    truth = movie_of(still)
    _, context = make_context(truth, appearances={4: {0: 1, 1: 0}})
    results = list(propagate(context, PromptSet([click(truth)]), FRAMES))
    verdicts = {result.frame: result.objects[1].verdict for result in results}
    assert verdicts[4] is Verdict.ABSENT
    assert verdicts[5] is Verdict.SURE


def test_objects_may_be_prompted_on_different_frames(make_context):
    truth = movie_of(still, falling)
    _, context = make_context(truth)
    prompts = PromptSet([click(truth, 1, frame=2), click(truth, 2, frame=7)])
    results = list(propagate(context, prompts, FRAMES))
    assert_labels_are(truth, results)
    early = [result for result in results if not result.is_final]
    assert {result.frame for result in early} == {2, 3, 4, 5, 6}


def test_an_object_that_vanishes_is_absent(make_context):
    truth = movie_of(vanishing)
    _, context = make_context(truth)
    results = list(propagate(context, PromptSet([click(truth)]), FRAMES))
    assert_labels_are(truth, results)
    verdicts = [result.objects[1].verdict for result in results]
    assert verdicts[5:] == [Verdict.SURE, *[Verdict.ABSENT] * 4]
    lost = [result.objects[1].confidence for result in results[-3:]]
    assert lost[0] > lost[1] > lost[2]


def shrinking(frames):
    """A square that becomes smaller."""
    truth = movie_of(frames=frames)
    for frame in range(frames):
        side = 24 - frame // 2
        truth[frame, 20 : 20 + side, 20 : 20 + side] = 1
    return truth


def test_what_becomes_small_and_unsure_has_ended(make_context):
    frames = range(34)
    truth = shrinking(len(frames))
    unsure = {frame: 0.37 if frame > 8 else 1.0 for frame in frames}
    _, context = make_context(truth, quality=unsure)
    found = {
        result.frame: result.objects[1]
        for result in propagate(context, PromptSet([click(truth)]), frames)
    }
    ended = [frame for frame in frames if found[frame].reason is Reason.ENDED]
    assert ended
    assert ended == [*frames[ended[0] :]], "it does not come back"
    assert found[ended[0] - 1].verdict is Verdict.DOUBTFUL
    assert all(found[frame].verdict is Verdict.ABSENT for frame in ended)


def test_what_stays_large_does_not_end(make_context):
    frames = range(34)
    truth = movie_of(still, frames=len(frames))
    unsure = {frame: 0.37 if frame > 8 else 1.0 for frame in frames}
    _, context = make_context(truth, quality=unsure)
    results = propagate(context, PromptSet([click(truth)]), frames)
    assert all(result.objects[1].reason is not Reason.ENDED for result in results)


def test_a_second_click_brings_an_object_back(make_context):
    truth = movie_of(leaving_and_back)
    _, context = make_context(truth)
    prompts = PromptSet([click(truth), click(truth, frame=9)])
    assert_nearly(truth, final_labels(propagate(context, prompts, FRAMES)))


def test_a_hidden_object_is_found_where_it_should_be(make_context):
    truth = movie_of(falling)
    truth[4:6] = 0
    _, context = make_context(truth)
    assert_labels_are(truth, propagate(context, PromptSet([click(truth)]), FRAMES))


@pytest.mark.parametrize("hidden", [1, 2, 3, 4])
def test_a_lost_object_is_searched_for_nearby_and_later_anywhere(make_context, hidden):
    back = 3 + hidden
    truth = movie_of(lambda frame: (12, 4) if frame < back else (44, 44))
    truth[3:back] = 0
    _, context = make_context(truth, Settings(patience=2))
    results = list(propagate(context, PromptSet([click(truth)]), FRAMES))
    found = max(back, 6)
    verdicts = [result.objects[1].verdict for result in results]
    assert verdicts[3:found] == [Verdict.ABSENT] * (found - 3)
    assert Verdict.ABSENT not in verdicts[found:]
    assert_labels_are(truth, results[:3], range(3))
    assert_labels_are(truth, results[found:], range(found, 10))


def test_an_object_that_is_lost_for_good_is_not_taken_for_another(make_context):
    truth = movie_of(vanishing, lambda frame: (12, 40))
    _, context = make_context(truth, Settings(patience=1))
    results = list(propagate(context, PromptSet([click(truth)]), FRAMES))
    verdicts = [result.objects[1].verdict for result in results]
    assert verdicts[6:] == [Verdict.ABSENT] * 4


def test_a_later_prompt_helps_on_the_way_towards_it(make_context):
    """The object comes back far away, and looks like what was background before."""
    truth = movie_of(
        lambda frame: (12, 4) if frame < 3 else (44, 44),
        lambda frame: (44, 4) if frame < 3 else None,
    )
    truth[3:6] = 0
    appearances = {frame: {1: 2} for frame in range(6, 10)}
    _, context = make_context(truth, Settings(patience=2), appearances=appearances)

    alone = final_labels(propagate(context, PromptSet([click(truth)]), FRAMES))
    assert not any(alone[frame].any() for frame in (6, 7, 8))
    both = PromptSet([click(truth), click(truth, frame=9)])
    early = {r.frame: r for r in propagate(context, both, FRAMES) if not r.is_final}
    labels = {frame: early[frame].labels for frame in (6, 7, 8)}
    assert_nearly(truth, labels)


def test_the_parts_of_the_confidence_are_reported(make_context):
    truth = movie_of(still)
    truth[3, 12:24, 24:28] = 1
    _, context = make_context(truth)
    results = list(propagate(context, PromptSet([click(truth)]), FRAMES))
    before, grown = results[2].objects[1], results[3].objects[1]
    assert (before.area_change, grown.area_change) == (1, pytest.approx(4 / 3))
    assert before.temporal_iou == pytest.approx(1, abs=0.02)
    assert grown.temporal_iou < before.temporal_iou
    assert grown.confidence == pytest.approx(grown.iou_prediction)
    assert 3 / 4 < grown.memory_agreement <= 1
    prompted = results[0].objects[1]
    assert (prompted.memory_agreement, prompted.temporal_iou) == (1, 1)


def test_a_poor_mask_is_doubtful(make_context):
    truth = movie_of(still)
    _, context = make_context(truth, quality={4: 0.5})
    results = list(propagate(context, PromptSet([click(truth)]), FRAMES))
    assert_labels_are(truth, results)
    doubtful = [r.frame for r in results if r.objects[1].verdict is Verdict.DOUBTFUL]
    assert doubtful == [4]


def test_what_looks_less_like_the_object_is_doubtful(make_context, monkeypatch):
    truth = movie_of(still)
    _, context = make_context(truth)
    monkeypatch.setattr(Memory, "likeness", lambda *_: 0.5)
    results = list(propagate(context, PromptSet([click(truth)]), FRAMES))
    assert_labels_are(truth, results)
    found = [result.objects[1] for result in results]
    assert {one.verdict for one in found[1:]} == {Verdict.DOUBTFUL}
    assert {one.reason for one in found[1:]} == {Reason.UNLIKE}
    assert min(one.confidence for one in found) > 0.6


def test_no_frame_is_surer_than_the_prompt(make_context):
    truth = movie_of(still)
    _, context = make_context(truth, quality={0: 0.5})
    results = propagate(context, PromptSet([click(truth)]), FRAMES)
    assert {r.objects[1].verdict for r in results} == {Verdict.DOUBTFUL}


def test_a_picked_hypothesis_is_trusted_and_carried(make_context):
    truth = movie_of(still)
    _, context = make_context(truth, quality={0: 0.5})
    prompts = PromptSet([click(truth, hypothesis=3)])
    results = list(propagate(context, prompts, FRAMES))
    assert_labels_are(truth, results)
    assert results[0].objects[1].verdict is Verdict.PROMPTED
    followed = {result.objects[1].hypothesis for result in results[1:]}
    assert followed == {2}, "the decoder's own number"


def ragged(truth, frame):
    """Half of the first object, and single pixels outside it."""
    mask = truth[frame] == 1
    mask[:, :18] = False
    mask[40:50:3, 40:50:2] = True
    return mask


def test_a_painted_mask_is_the_result_to_the_pixel_and_needs_no_decoder(make_context):
    truth = movie_of(still)
    network, context = make_context(truth)
    painted = ragged(truth, 0)
    results = list(propagate(context, PromptSet([Prompt(5, 0, mask=painted)]), FRAMES))
    np.testing.assert_array_equal(results[0].labels, np.where(painted, 5, 0))
    told = results[0].objects[5]
    assert (told.verdict, told.confidence) == (Verdict.PROMPTED, 1)
    assert 0 not in {frame for frame, _ in network.asked}
    assert {frame for frame, _ in network.asked} == set(range(1, 10))


def test_a_painted_mask_is_carried(make_context):
    truth = movie_of(falling)
    _, context = make_context(truth)
    prompts = PromptSet([Prompt(1, 5, mask=truth[5] == 1)])
    assert_labels_are(truth, propagate(context, prompts, FRAMES))


@pytest.mark.parametrize("object_id", [1, 3])
def test_a_painted_mask_takes_pixels_from_other_objects(make_context, object_id):
    truth = movie_of(still)
    _, context = make_context(truth)
    other = 4 - object_id
    prompts = PromptSet(
        [
            Prompt(other, 0, [(15, 14), (16, 14)]),
            Prompt(object_id, 0, mask=ragged(truth, 0)),
        ]
    )
    (result,) = propagate(context, prompts, range(1))
    expected = np.where(truth[0] == 1, other, 0)
    expected[ragged(truth, 0)] = object_id
    np.testing.assert_array_equal(result.labels, expected)


def test_two_objects_that_were_picked_alike_are_doubted(make_context):
    truth = movie_of(still)
    _, context = make_context(truth)
    prompts = PromptSet([click(truth), replace(click(truth), object_id=2)])
    picked = PromptSet([replace(prompt, hypothesis=3) for prompt in prompts])
    (result,) = propagate(context, picked, range(1))
    assert result.objects[1].reason is Reason.SHARED
    assert result.objects[2].verdict is Verdict.ABSENT


def test_an_empty_mask_says_that_the_object_is_not_there(make_context):
    truth = movie_of(still)
    network, context = make_context(truth)
    nothing = np.zeros_like(truth[0], bool)
    prompts = PromptSet([click(truth), Prompt(1, 6, mask=nothing)])
    results = list(propagate(context, prompts, FRAMES))
    expected = truth.copy()
    expected[6:] = 0
    assert_labels_are(expected, results)
    verdicts = {result.frame: result.objects[1].verdict for result in results}
    assert {verdicts[frame] for frame in range(6, 10)} == {Verdict.ABSENT}
    assert max(frame for frame, _ in network.asked) == 5


def test_stopping_early_is_harmless(make_context):
    truth = movie_of(falling)
    network, context = make_context(truth)
    results = propagate(context, PromptSet([click(truth)]), FRAMES)
    next(results)
    results.close()
    assert len(network.asked) == 1


def test_there_are_as_many_results_as_planned(make_context):
    truth = movie_of(still, falling)
    _, context = make_context(truth)
    prompts = PromptSet([click(truth, 1, frame=2), click(truth, 1, frame=6)])
    itinerary = plan(prompts, FRAMES)
    results = list(run_itinerary(Views(context), itinerary))
    assert len(results) == itinerary.visits
    assert sum(result.is_final for result in results) == len(FRAMES)


def test_a_lost_object_is_not_found_where_another_one_is(make_context):
    truth = movie_of(vanishing, lambda frame: (10, 40))
    _, context = make_context(truth, Settings(patience=0))
    prompts = PromptSet([click(truth, 1), click(truth, 2)])
    for frame, found in final_labels(propagate(context, prompts, FRAMES)).items():
        np.testing.assert_array_equal(found == 1, truth[frame] == 1)
        # An object that vanishes nearby may change its outline for a frame.
        assert mask_iou(found == 2, truth[frame] == 2) > 0.9


def test_results_before_an_unreadable_frame_are_yielded(make_context, monkeypatch):
    truth = movie_of(still)
    network, context = make_context(truth)
    read_frame = network.get_with_pixels

    def fail_at_three(frame):
        if frame == 3:
            raise FormatError("frame 3 is damaged")
        return read_frame(frame)

    monkeypatch.setattr(network, "get_with_pixels", fail_at_three)
    results = propagate(context, PromptSet([click(truth)]), FRAMES)
    assert [next(results).frame for _ in range(3)] == [0, 1, 2]
    with pytest.raises(FormatError, match="frame 3 is damaged"):
        next(results)


def test_each_frame_is_read_once(make_context, monkeypatch):
    truth = movie_of(still, falling)
    network, context = make_context(truth)
    read = []
    read_frame = network.get_with_pixels
    monkeypatch.setattr(
        network,
        "get_with_pixels",
        lambda frame: read.append(frame) or read_frame(frame),
    )
    prompts = PromptSet([click(truth), click(truth, object_id=2)])
    list(propagate(context, prompts, FRAMES))
    assert sorted(read) == list(FRAMES)


def test_the_next_two_frames_are_read_side_by_side(make_context, monkeypatch):
    usual = torch.get_num_threads()
    torch.set_num_threads(2)
    truth = movie_of(still)
    network, context = make_context(truth)
    torch.set_num_threads(usual)
    both, read_frame = Barrier(2, timeout=10), network.get_with_pixels

    def read_together(frame):
        if frame:
            both.wait()
        return read_frame(frame)

    monkeypatch.setattr(network, "get_with_pixels", read_together)
    frames = range(9)  # The first, and four times two.
    assert_labels_are(
        truth, propagate(context, PromptSet([click(truth)]), frames), frames
    )


def test_no_frame_is_read_ahead_of_an_object_that_was_never_there(
    make_context, monkeypatch
):
    truth = movie_of(still)
    network, context = make_context(truth)
    read = []
    read_frame = network.get_with_pixels
    monkeypatch.setattr(
        network,
        "get_with_pixels",
        lambda frame: read.append(frame) or read_frame(frame),
    )
    nothing = Prompt(1, 0, mask=np.zeros(truth.shape[1:], bool))
    list(propagate(context, PromptSet([nothing]), FRAMES))
    assert set(read) <= {0}
