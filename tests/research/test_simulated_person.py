from __future__ import annotations

import numpy as np
import pytest
from drawn_frame import LABELS

from napari_sam_decoder.interactive.actions import actions_of
from napari_sam_decoder.interactive.proposals import region_of
from napari_sam_decoder.metrics import mask_iou
from refiner_parts import simulated_person
from refiner_parts.simulated_person import correct, disc, show_first, spoiled

TRUTH = LABELS == 2
SHAPE = (LABELS.shape[0], LABELS.shape[1])
ROUNDS = 60


def test_an_object_is_shown_in_four_ways() -> None:
    ways = set()
    for seed in range(ROUNDS):
        prompt = show_first(TRUTH, np.random.default_rng(seed))
        region = region_of(prompt, SHAPE)
        if region is None:
            ways.add("click" if prompt.points else "scribble")
            (action,) = actions_of(prompt, SHAPE)
            assert action.is_positive
            assert TRUTH[action.index].mean() > 0.9
        else:
            ways.add("box" if prompt.lasso is None else "lasso")
            assert mask_iou(region, TRUTH) > 0.5
    assert ways == {"click", "scribble", "box", "lasso"}


def test_a_lasso_goes_around_the_whole_object() -> None:
    lassos = [
        prompt
        for seed in range(ROUNDS)
        if (prompt := show_first(TRUTH, np.random.default_rng(seed))).lasso is not None
    ]
    assert lassos
    for prompt in lassos:
        region = region_of(prompt, SHAPE)
        assert region is not None
        assert np.count_nonzero(TRUTH & ~region) < 0.03 * np.count_nonzero(TRUTH)


@pytest.mark.parametrize("row", [0, 119])
def test_an_object_at_the_border_is_shown_within_the_frame(row: int) -> None:
    truth = disc(SHAPE, np.array([row, 3]), 6)
    for seed in range(ROUNDS):
        prompt = show_first(truth, np.random.default_rng(seed))
        for action in actions_of(prompt, SHAPE):
            assert truth[action.index].any()
        spoiled(truth, truth.astype(int), np.random.default_rng(seed))


def test_a_correction_is_on_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulated_person, "SCRIBBLES_INSIDE", 1)
    signs, ways = set(), set()
    for seed in range(ROUNDS):
        rng = np.random.default_rng(seed)
        mask = spoiled(TRUTH, LABELS, rng)
        found = correct(TRUTH, mask, rng)
        if found is None:
            assert np.count_nonzero(mask != TRUTH) < 60
            continue
        (action,) = actions_of(found.prompt, SHAPE)
        assert len(action.contradicted(mask)) == len(action.pixels)
        assert (TRUTH[action.index] == action.is_positive).all()
        assert found.error[action.index].all()
        signs.add(action.is_positive)
        ways.add(action.is_click)
    assert signs == ways == {True, False}


def test_a_good_mask_is_not_corrected() -> None:
    mask = TRUTH.copy()
    mask[45, 82] = False
    assert correct(TRUTH, mask, np.random.default_rng(0)) is None


def test_mostly_the_largest_error_is_corrected() -> None:
    mask = (TRUTH & ~disc(SHAPE, np.array([45, 82]), 8)) | disc(
        SHAPE, np.array([100, 20]), 4
    )
    found = [correct(TRUTH, mask, np.random.default_rng(seed)) for seed in range(200)]
    signs = [bool((one.prompt.signs or (True,))[0]) for one in found if one]
    assert 0.85 <= np.mean(signs) < 1


def test_masks_are_spoiled_as_propagation_does() -> None:
    masks = [spoiled(TRUTH, LABELS, np.random.default_rng(n)) for n in range(ROUNDS)]
    ious = np.array([mask_iou(mask, TRUTH) for mask in masks])
    assert 0.5 < np.median(ious) < 0.97
    assert ious.min() < 0.5
    merged = [np.count_nonzero(mask & (LABELS == 1)) > 100 for mask in masks]
    assert 0 < np.mean(merged) < 0.5
    assert not any((mask & (LABELS == 3)).sum() > 100 for mask in masks)
