from __future__ import annotations

import numpy as np
import pytest
from theatre import SIDE, movie_of

from napari_sam_decoder.memory import Memory
from napari_sam_decoder.prompts import Prompt
from napari_sam_decoder.prompts.painted import LOGIT_SCALE
from napari_sam_decoder.propagation import Verdict
from napari_sam_decoder.propagation.seeds import plant_seeds


def still(frame):
    return 12, 12


@pytest.fixture
def truth():
    return movie_of(still)


def seed_of(scene, prompt):
    (seed,) = plant_seeds(scene, prompt.frame, [prompt])
    return seed


def test_every_prompt_gives_a_seed(stage):
    _, scene = stage(movie_of(still, lambda frame: (12, 40)))
    seeds = plant_seeds(scene, 0, [Prompt(1, 0, [(16, 16)]), Prompt(2, 0, [(16, 44)])])
    assert [seed.outcome.result.object_id for seed in seeds] == [1, 2]
    assert all((seed.logits[16, 16] > 0) != (seed.logits[16, 44] > 0) for seed in seeds)


def test_a_click_is_answered_by_the_decoder(stage, truth):
    theatre, scene = stage(truth)
    seed = seed_of(scene, Prompt(1, 0, [(16, 16)]))
    np.testing.assert_array_equal(seed.logits > 0, truth[0] == 1)
    assert theatre.shown == [[None]]
    assert seed.trust == pytest.approx(0.9)
    assert seed.outcome.painted is None
    view = scene.view(0)
    assert seed.memory.recognised(view).max() == pytest.approx(1, abs=0.1)


def test_a_picked_hypothesis_is_trusted(stage, truth):
    _, scene = stage(truth, quality={0: 0.5})
    automatic = seed_of(scene, Prompt(1, 0, [(16, 16)]))
    picked = seed_of(scene, Prompt(1, 0, [(16, 16)], hypothesis=2))
    assert (automatic.trust, picked.trust) == (0.5, 1)
    verdicts = [seed.outcome.result.verdict for seed in (automatic, picked)]
    assert verdicts == [Verdict.DOUBTFUL, Verdict.PROMPTED]


def test_a_painted_mask_is_taken_as_it_is(stage, truth):
    theatre, scene = stage(truth)
    painted = truth[0] == 1
    seed = seed_of(scene, Prompt(1, 0, mask=painted))
    assert not theatre.asked
    np.testing.assert_array_equal(seed.logits > 0, painted)
    np.testing.assert_array_equal(seed.outcome.painted.to_array(), painted)
    result = seed.outcome.result
    assert (result.verdict, result.confidence) == (Verdict.PROMPTED, 1)
    assert (result.likeness, result.temporal_iou, result.area_change) == (1, 1, 1)
    assert seed.trust == 1


def test_a_click_beside_a_painted_mask_is_decoded_on_top_of_it(stage, truth):
    theatre, scene = stage(truth)
    painted = truth[0] == 1
    painted[:, 16:] = False
    seed = seed_of(scene, Prompt(1, 0, [(16, 20)], mask=painted))
    ((shown,),) = theatre.shown
    np.testing.assert_array_equal(shown, np.where(painted, LOGIT_SCALE, -LOGIT_SCALE))
    np.testing.assert_array_equal(seed.logits > 0, truth[0] == 1)
    assert seed.outcome.painted is None


def test_nothing_starts_from_an_absence(stage, truth):
    theatre, scene = stage(truth)
    absence = Prompt(1, 0, mask=np.zeros((SIDE, SIDE), bool))
    seed = seed_of(scene, absence)
    assert not theatre.asked
    assert seed.outcome.result.verdict is Verdict.ABSENT
    assert seed.outcome.logits is None
    assert seed.memory is None
    known = Memory.of(scene.view(0), np.full((SIDE, SIDE), 8.0))
    assert seed.track(known, scene.grid) is None
