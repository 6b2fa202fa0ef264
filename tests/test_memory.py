from __future__ import annotations

import numpy as np
import pytest

from napari_sam_decoder.memory import Memory, View
from napari_sam_decoder.model.values import Embedding

WHOLE = (64, 64)


def embedding_of(cells):
    """One channel per kind of cell, on top of something all cells share."""
    features = np.stack([cells == kind for kind in (1, 2, 3)]).astype(np.float16)
    return Embedding(features + 5, WHOLE)


CELLS = np.full((16, 16), 3)
CELLS[2:6, 2:6] = 1
CELLS[8:12, 8:12] = 2


def view_of(cells, content=WHOLE):
    return View(embedding_of(cells), content, 64)


def mask(row, column, size=16):
    logits = np.full(WHOLE, -9, np.float32)
    logits[row : row + size, column : column + size] = 9
    return logits


def test_an_object_is_recognised_elsewhere_and_not_taken_for_another():
    memory = Memory.of(view_of(CELLS), mask(8, 8))
    moved = np.roll(CELLS, (3, 5), axis=(0, 1))
    scores = memory.scores(view_of(moved)).reshape(16, 16)
    np.testing.assert_allclose(scores[moved == 1], 1, atol=0.1)
    np.testing.assert_allclose(scores[moved == 2], -1, atol=0.2)
    np.testing.assert_allclose(scores[moved == 3], -1, atol=0.1)


def test_a_small_object_is_remembered_as_well_as_a_large_one():
    cells = np.full((16, 16), 3)
    cells[5, 5] = 1
    scores = Memory.of(view_of(cells), mask(20, 20, 4)).scores(view_of(cells))
    assert scores.reshape(16, 16)[5, 5] == pytest.approx(1, abs=0.1)


def test_what_is_seen_is_learned_and_fades_but_the_prompt_stays():
    other_look = np.where(CELLS == 1, 2, np.where(CELLS == 2, 1, 3))
    memory = Memory.of(view_of(CELLS), mask(8, 8))
    taught = memory
    for _ in range(10):
        taught = taught.seen(view_of(other_look), mask(8, 8), 1.0)

    def score(remembered):
        return remembered.scores(view_of(other_look)).reshape(16, 16)[3, 3]

    faded = taught
    blank = np.full((16, 16), 3)
    for _ in range(60):
        faded = faded.seen(view_of(blank), mask(0, 0, 0), 1.0)
    assert score(memory) < -0.8
    assert score(taught) > score(memory) + 0.3
    assert score(faded) < score(taught) - 0.2
    assert taught.scores(view_of(CELLS)).reshape(16, 16)[3, 3] > 0


def test_a_doubtful_frame_teaches_less():
    other_look = np.where(CELLS == 1, 2, np.where(CELLS == 2, 1, 3))
    memory = Memory.of(view_of(CELLS), mask(8, 8))
    scores = [
        memory.seen(view_of(other_look), mask(8, 8), confidence)
        .scores(view_of(other_look))
        .reshape(16, 16)[3, 3]
        for confidence in (0.2, 1.0)
    ]
    assert scores[0] < scores[1]


def test_memories_of_two_frames_join():
    swapped = np.where(CELLS == 1, 2, np.where(CELLS == 2, 1, 3))
    joined = Memory.of(view_of(CELLS), mask(8, 8)).join(
        Memory.of(view_of(swapped), mask(32, 32))
    )
    scores = joined.scores(view_of(CELLS)).reshape(16, 16)
    assert scores[3, 3] == pytest.approx(1, abs=0.1)
    assert scores[9, 9] == pytest.approx(-1, abs=0.2)


def test_the_memory_does_not_grow():
    memory = Memory.of(view_of(CELLS), mask(8, 8))
    grown = memory
    for _ in range(5):
        grown = grown.seen(view_of(CELLS), mask(8, 8), 0.9)
    sizes = [
        (kept.certain.moments.nbytes, kept.recent.moments.nbytes, kept.weights.nbytes)
        for kept in (memory, grown)
    ]
    assert sizes[0] == sizes[1]


def test_likeness_tells_the_object_from_another_and_the_background():
    memory = Memory.of(view_of(CELLS), mask(8, 8))
    moved = view_of(np.roll(CELLS, (3, 5), axis=(0, 1)))
    assert memory.likeness(moved, mask(20, 28)) == pytest.approx(1, abs=0.01)
    assert memory.likeness(view_of(CELLS), mask(32, 32)) < 0.5
    assert memory.likeness(view_of(CELLS), mask(0, 40)) < 0


def test_the_padding_has_no_say():
    padded = CELLS.copy()
    padded[8:] = 1
    scores = Memory.of(view_of(CELLS, (32, 64)), mask(8, 8)).scores(
        view_of(padded, (32, 64))
    )
    assert scores.shape == (8 * 16,)
    assert scores.reshape(8, 16)[3, 3] == pytest.approx(1, abs=0.1)


def test_a_frame_without_contrast_is_no_error():
    view = view_of(np.full((16, 16), 3))
    assert np.isfinite(Memory.of(view, mask(8, 8)).scores(view)).all()


def test_values_of_cells_are_spread_between_their_centres():
    view = view_of(CELLS, (62, 64))
    columns = np.tile(np.arange(16.0), 16)
    spread = view.spread(columns)
    assert spread.shape == (62, 64)
    np.testing.assert_allclose(spread[10, :4], [0, 0, 0.125, 0.375])
    np.testing.assert_allclose(spread[0, 60:], [14.625, 14.875, 15, 15])
