from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from drawn_frame import LABELS, shown_frame

from napari_sam_decoder.model.refinement import CLUES
from napari_sam_decoder.model.values import GRID_SIDE
from refiner_parts import rollouts, simulated_person
from refiner_parts.refinement_task import MASK
from refiner_parts.rollouts import Rollouts, View

if TYPE_CHECKING:
    from refiner_parts.rollouts import Sample

ADDED, REMOVED, REGION, OTHERS = 14, 15, 16, 17


def drawn(own_share: float, seed: int) -> list[Sample]:
    found = Rollouts(shown_frame(), LABELS, own_share)
    return list(found.samples(3, np.random.default_rng(seed)))


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    return [sample for seed in range(3) for sample in drawn(0.65, seed)]


@pytest.fixture
def clicks_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulated_person, "SCRIBBLES", 0)
    monkeypatch.setattr(simulated_person, "CLICK", 1)


def test_every_view_is_sampled(samples: list[Sample]) -> None:
    assert {sample.view for sample in samples} == set(View)
    for sample in samples:
        assert sample.clues.shape == (CLUES, GRID_SIDE, GRID_SIDE)
        assert sample.truth.shape == (GRID_SIDE, GRID_SIDE)
        assert np.abs(sample.clues).max() <= 1 + 1e-5
        assert 0 <= sample.truth.min() <= sample.truth.max() <= 1 + 1e-5
    assert np.mean([sample.truth.any() for sample in samples]) > 0.9


def test_there_is_no_mask_at_first(samples: list[Sample]) -> None:
    for sample in samples:
        if sample.view is View.FIRST:
            assert not sample.clues[MASK].any()
            assert sample.clues[[ADDED, REGION]].any()
    assert any(sample.clues[MASK].any() for sample in samples)


@pytest.mark.usefixtures("clicks_only")
def test_the_newest_click_is_where_the_mask_is_wrong() -> None:
    near = [one for one in drawn(0.5, seed=4) if one.view is View.NEAR]
    assert len(near) > 8
    for sample in near:
        newest = sample.clues[ADDED] + sample.clues[REMOVED]
        cell = np.unravel_index(int(newest.argmax()), newest.shape)
        is_missing = sample.truth[cell] > 0.5
        assert is_missing != (sample.clues[MASK][0][cell] > 0.5)
        assert is_missing == sample.clues[ADDED].any()


def test_known_others_are_not_the_object(samples: list[Sample]) -> None:
    with_others = [one for one in samples if one.clues[OTHERS].any()]
    assert with_others
    for sample in with_others:
        assert not ((sample.clues[OTHERS] > 0.6) & (sample.truth > 0.6)).any()


def test_the_truth_corrects_masks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollouts, "WHOLE_VIEWS", 1)
    first, last = [], []
    for seed in range(6):
        seen = [one for one in of_one_object(0, seed) if one.view is View.WHOLE]
        errors = [
            np.abs(one.clues[MASK][0] - one.truth).sum() * one.focus.cell**2
            for one in seen
        ]
        if errors:
            first.append(errors[0])
            last.append(errors[-1])
    assert sum(last) < 0.7 * sum(first)


def test_the_refiner_changes_only_what_is_at_an_action(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It draws all discs, of which the third touches no other."""
    monkeypatch.setattr(rollouts, "OWN_FIRST", 0)
    is_seen = False
    for seed in range(4):
        for sample in of_one_object(1, seed):
            apart = sample.focus.sample([LABELS == 3])[0] > 0.6
            mask = sample.clues[MASK][0] > 0.6
            assert not (mask & apart).any()
            is_seen |= bool(apart.any())
    assert is_seen


def of_one_object(own_share: float, seed: int) -> list[Sample]:
    labels = np.where(LABELS == 2, 1, 0)
    found = Rollouts(shown_frame(), labels, own_share)
    return list(found.samples(1, np.random.default_rng(seed)))
