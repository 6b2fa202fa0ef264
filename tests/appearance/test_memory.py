from __future__ import annotations

from functools import reduce

import numpy as np
import pytest

from napari_sam_decoder.appearance.features import FrameFeatures, low_res_picture
from napari_sam_decoder.appearance.memory import FIXED, LATEST, Memory
from napari_sam_decoder.model.values import Embedding

CELLS = np.full((16, 16), 3)
CELLS[2:6, 2:6] = 1
CELLS[8:12, 8:12] = 2

COLOURS = np.array([[0, 0, 0], [200, 40, 40], [40, 200, 40], [90, 90, 90]], np.uint8)


def features_of(cells, colours=None):
    """One channel per kind of cell, and one colour."""
    features = np.stack([cells == kind for kind in (1, 2, 3)]).astype(np.float16)
    shown = np.kron(cells if colours is None else colours, np.ones((4, 4), int))
    embedding = Embedding(features + 5, (64, 64))
    return FrameFeatures(embedding, low_res_picture(COLOURS[shown], (64, 64)), 64)


def mask(row, column, size=16):
    logits = np.full((64, 64), -9, np.float32)
    logits[row : row + size, column : column + size] = 9
    return logits


def centres(values):
    """Of the cells, where nothing is interpolated or blurred by much."""
    return values[2::4, 2::4]


@pytest.mark.parametrize("ask", [Memory.cell_scores, Memory.pixel_scores])
def test_an_object_is_recognised_elsewhere_and_not_taken_for_another(ask):
    memory = Memory.of(features_of(CELLS), mask(8, 8))
    moved = np.roll(CELLS, (3, 5), axis=(0, 1))
    scores = centres(ask(memory, features_of(moved)))
    assert scores[moved == 1].mean() > 0.7
    assert scores[moved == 2].mean() < -0.5
    assert scores[moved == 3].mean() < -0.7


def test_things_are_remembered_apart_from_colours():
    memory = Memory.of(features_of(CELLS), mask(8, 8))
    swapped = np.where(CELLS == 1, 2, np.where(CELLS == 2, 1, 3))
    features = features_of(CELLS, colours=swapped)
    assert centres(memory.cell_scores(features))[3:5, 3:5].mean() > 0.7
    assert centres(memory.pixel_scores(features))[9:11, 9:11].mean() > 0.5
    assert centres(memory.pixel_scores(features))[3:5, 3:5].mean() < 0


@pytest.mark.parametrize("ask", [Memory.cell_scores, Memory.pixel_scores])
def test_accepted_frames_and_other_certain_ones_are_learned(ask):
    memory = Memory.of(features_of(CELLS), mask(8, 8))
    other_appearance = features_of(np.where(CELLS == 1, 2, 3))
    seen = memory
    for _ in range(10):
        seen = seen.updated(other_appearance, mask(8, 8), 1.0)
    joined = memory.join(Memory.of(other_appearance, mask(8, 8)))

    def score(remembered):
        return centres(ask(remembered, other_appearance))[3:5, 3:5].mean()

    assert score(seen) > score(memory) + 0.2
    assert score(joined) > score(memory) + 0.2


def test_likeness_tells_the_object_from_what_is_beside_it():
    memory = Memory.of(features_of(CELLS), mask(8, 8))
    moved = features_of(np.roll(CELLS, (1, 1), axis=(0, 1)))
    assert memory.likeness(moved, mask(12, 12)) == pytest.approx(1, abs=0.05)
    assert memory.likeness(moved, mask(36, 36)) < 0.5
    assert memory.likeness(moved, mask(0, 44)) < 0.1
    assert -1 <= memory.likeness(moved, mask(12, 12)) <= 1


def test_likeness_compares_with_all_fixed_frames():
    memory = Memory.of(features_of(CELLS), mask(8, 8))
    joined = memory.join(Memory.of(features_of(CELLS), mask(32, 32)))
    assert joined.likeness(features_of(CELLS), mask(32, 32)) > 0.5
    assert memory.likeness(features_of(CELLS), mask(32, 32)) < 0.5


def first_row(cells):
    return cells.origin[0] + int(np.flatnonzero((cells.shares > 0.5).any(axis=1))[0])


def test_only_the_latest_frames_and_the_nearest_fixed_ones_are_known_one_by_one():
    features = features_of(CELLS)
    fixed = [8, 12, 16, 20, 24, 28]
    memory = reduce(Memory.join, (Memory.of(features, mask(row, 8)) for row in fixed))
    assert [4 * first_row(cells) for cells in memory.fixed] == fixed[:FIXED]
    places = [8, 12, 16, 20, 24]
    for place in places:
        memory = memory.updated(features, mask(place, 8), 1.0)
    assert [4 * first_row(cells) for cells in memory.latest] == places[-LATEST:]


def test_propagated_scores_follow_the_object_where_they_are_asked_for():
    features = features_of(CELLS)
    memory = Memory.of(features, mask(8, 8)).updated(features, mask(8, 8), 1.0)
    moved = features_of(np.roll(CELLS, 2, axis=1))
    asked = np.zeros((64, 64), bool)
    asked[4:40, 4:44] = True
    scores = centres(memory.propagated_scores(moved, asked))
    assert scores[2:6, 4:8].min() > 0.5
    assert scores[2:6, 1:3].max() < -0.5
    assert (scores[12:] == -1).all()


def test_without_a_frame_that_shows_the_object_nothing_is_propagated():
    features = features_of(CELLS)
    nothing = np.full((64, 64), -9, np.float32)
    memory = Memory.of(features, nothing)
    assert memory.fixed == ()
    scores = memory.propagated_scores(features, np.ones((64, 64), bool))
    assert (scores == -1).all()
