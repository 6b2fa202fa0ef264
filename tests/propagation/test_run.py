from __future__ import annotations

import numpy as np
import pytest
from theatre import movie_of

from napari_sam_decoder.errors import OptionError
from napari_sam_decoder.prompts import Prompt, PromptSet
from napari_sam_decoder.propagation import Settings, Verdict, plan
from napari_sam_decoder.propagation import propagate as run_itinerary

FRAMES = range(10)


def propagate(scene, prompts, frames):
    return run_itinerary(scene, plan(prompts, frames))


def still(frame):
    return 10, 10


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


@pytest.mark.parametrize("path", [still, falling])
@pytest.mark.parametrize("frame", [0, 5, 9])
def test_an_object_is_carried_both_ways(stage, path, frame):
    truth = movie_of(path)
    _, scene = stage(truth)
    results = list(propagate(scene, PromptSet([click(truth, frame=frame)]), FRAMES))
    assert_labels_are(truth, results)
    assert results[0].frame == frame
    assert results[0].objects[1].verdict is Verdict.PROMPTED


def test_only_the_asked_frames_come(stage):
    truth = movie_of(falling)
    _, scene = stage(truth)
    results = propagate(scene, PromptSet([click(truth, frame=5)]), range(3, 8))
    assert_labels_are(truth, results, range(3, 8))


def test_several_objects_share_one_decoder_call_per_frame(stage):
    truth = movie_of(still, lambda frame: (10, 40))
    theatre, scene = stage(truth, quality=dict.fromkeys(FRAMES, 1.0))
    prompts = PromptSet([click(truth, 1), click(truth, 2)])
    assert_labels_are(truth, propagate(scene, prompts, FRAMES))
    assert theatre.asked == [(frame, 2) for frame in FRAMES]


def test_an_unclear_answer_is_asked_for_again_without_the_mask(stage):
    truth = movie_of(still, lambda frame: (10, 40))
    theatre, scene = stage(truth, quality={**dict.fromkeys(FRAMES, 1.0), 3: 0.8})
    prompts = PromptSet([click(truth, 1), click(truth, 2)])
    assert_labels_are(truth, propagate(scene, prompts, FRAMES))
    assert theatre.asked[3:5] == [(3, 2), (3, 2)]
    assert theatre.masks[3:5] == [[True, True], [False, False]]


def test_a_mask_on_something_else_is_not_the_object(stage):
    truth = movie_of(still)
    _, scene = stage(truth, disguised={4})
    results = list(propagate(scene, PromptSet([click(truth)]), FRAMES))
    verdicts = {result.frame: result.objects[1].verdict for result in results}
    assert verdicts[4] is Verdict.ABSENT
    assert verdicts[5] is Verdict.SURE


def test_objects_may_be_prompted_on_different_frames(stage):
    truth = movie_of(still, falling)
    _, scene = stage(truth)
    prompts = PromptSet([click(truth, 1, frame=2), click(truth, 2, frame=7)])
    results = list(propagate(scene, prompts, FRAMES))
    assert_labels_are(truth, results)
    early = [result for result in results if not result.is_final]
    assert {result.frame for result in early} == {2, 3, 4, 5, 6}


def test_an_object_that_vanishes_is_absent(stage):
    truth = movie_of(vanishing)
    _, scene = stage(truth)
    results = list(propagate(scene, PromptSet([click(truth)]), FRAMES))
    assert_labels_are(truth, results)
    verdicts = [result.objects[1].verdict for result in results]
    assert verdicts[5:] == [Verdict.SURE, *[Verdict.ABSENT] * 4]
    assert results[-1].objects[1].confidence == 0


def test_a_second_click_brings_an_object_back(stage):
    truth = movie_of(leaving_and_back)
    _, scene = stage(truth)
    prompts = PromptSet([click(truth), click(truth, frame=9)])
    assert_labels_are(truth, propagate(scene, prompts, FRAMES))


def test_a_hidden_object_is_found_where_it_should_be(stage):
    truth = movie_of(falling)
    truth[4:6] = 0
    _, scene = stage(truth)
    assert_labels_are(truth, propagate(scene, PromptSet([click(truth)]), FRAMES))


def test_patience_ends(stage):
    truth = movie_of(falling)
    truth[4:7] = 0
    theatre, scene = stage(truth, Settings(patience=2))
    labels = final_labels(propagate(scene, PromptSet([click(truth)]), FRAMES))
    assert not any(labels[frame].any() for frame in range(4, 10))
    assert max(frame for frame, _ in theatre.asked) == 6


def test_a_poor_mask_is_kept_but_marked(stage):
    truth = movie_of(still)
    _, scene = stage(truth, quality={4: 0.5})
    results = list(propagate(scene, PromptSet([click(truth)]), FRAMES))
    assert_labels_are(truth, results)
    doubtful = [r.frame for r in results if r.objects[1].verdict is Verdict.DOUBTFUL]
    assert doubtful == [4]


def test_no_frame_is_surer_than_the_prompt(stage):
    truth = movie_of(still)
    _, scene = stage(truth, quality={0: 0.5})
    results = propagate(scene, PromptSet([click(truth)]), FRAMES)
    assert {r.objects[1].verdict for r in results} == {Verdict.DOUBTFUL}


def test_a_picked_hypothesis_is_trusted_and_carried(stage):
    truth = movie_of(still)
    _, scene = stage(truth, quality={0: 0.5})
    prompts = PromptSet([click(truth, hypothesis=2)])
    results = list(propagate(scene, prompts, FRAMES))
    assert_labels_are(truth, results)
    assert results[0].objects[1].verdict is Verdict.PROMPTED
    assert {result.objects[1].hypothesis for result in results} == {2}


def test_stopping_early_is_harmless(stage):
    truth = movie_of(falling)
    theatre, scene = stage(truth)
    results = propagate(scene, PromptSet([click(truth)]), FRAMES)
    next(results)
    results.close()
    assert len(theatre.asked) == 1


def test_there_are_as_many_results_as_planned(stage):
    truth = movie_of(still, falling)
    _, scene = stage(truth)
    prompts = PromptSet([click(truth, 1, frame=2), click(truth, 1, frame=6)])
    itinerary = plan(prompts, FRAMES)
    results = list(run_itinerary(scene, itinerary))
    assert len(results) == itinerary.visits
    assert sum(result.is_final for result in results) == len(FRAMES)


@pytest.mark.parametrize(
    "values",
    [
        {"absent_below": 0.7},
        {"doubtful_below": 1.1},
        {"absent_below": -0.1},
        {"patience": -1},
        {"unlike_below": 1.5},
    ],
)
def test_settings_out_of_range_are_refused(values):
    with pytest.raises(OptionError, match="must"):
        Settings(**values)
