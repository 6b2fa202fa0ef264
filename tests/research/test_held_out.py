from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
import pytest

from interactive_parts.held_out import ACTIONS, HeldOut, read_objects, score_actions
from napari_sam_decoder.model.values import Embedding, MaskCandidates

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_sam_decoder.model.sam import Sam
    from napari_sam_decoder.model.values import ModelPrompt

SIDE = 64
TRUTH = np.zeros((SIDE, SIDE), bool)
TRUTH[10:40, 20:50] = True


class LearningSam:
    """Rates best half of the object, and one more column of it with each click."""

    image_size = 4 * SIDE

    def __init__(self) -> None:
        self.asked: list[tuple[ModelPrompt, np.ndarray | None]] = []

    def decode(
        self,
        embedding: Embedding,
        prompts: Sequence[ModelPrompt],
        previous_logits: Sequence[np.ndarray] | None = None,
    ) -> MaskCandidates:
        (prompt,) = prompts
        self.asked.append((prompt, previous_logits and previous_logits[0]))
        masks = np.full((1, 4, SIDE, SIDE), -1, np.float32)
        masks[0, 0][TRUTH] = 1
        masks[0, 2, 10:40, 35 - len(prompt.points) : 50] = 1
        ratings = np.array([[0, 0, 1, 0]], np.float32)
        return MaskCandidates(masks, ratings, np.zeros((1, 5, 8), np.float32))

    def upscale(self, logits: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        return logits


def shown() -> HeldOut:
    return HeldOut(Embedding(np.zeros((1, 1, 1), np.float32), TRUTH.shape), TRUTH)


@pytest.mark.parametrize("box_first", [False, True])
def test_the_first_answer_is_the_best_and_later_ones_the_best_rated(
    box_first: bool,
) -> None:
    sam = LearningSam()
    ious = score_actions(cast("Sam", sam), shown(), box_first)
    columns = [16, 17, 18, 19, 20]
    if box_first:  # The whole object is among the four masks.
        assert ious == [1] * ACTIONS
        np.testing.assert_array_equal(sam.asked[0][0].box, [80, 40, 200, 160])
    else:
        np.testing.assert_allclose(ious, np.array(columns) / 30)


def test_each_click_is_on_the_error_and_takes_the_last_logits_along() -> None:
    sam = LearningSam()
    score_actions(cast("Sam", sam), shown(), box_first=False)
    assert sam.asked[0][1] is None
    prompt, previous = sam.asked[1]
    assert previous is not None
    assert list(prompt.signs) == [1, 1]
    column, row = prompt.points[1] / 4
    assert TRUTH[int(row), int(column)]
    assert previous[int(row), int(column)] < 0


def test_objects_are_large_enough_and_always_the_same(tmp_path: Path) -> None:
    labels = np.zeros((40, 40), np.uint16)
    labels[:5, :5], labels[10:20, 10:20], labels[25:, 25:] = 1, 2, 3
    path = tmp_path / "a.npz"
    np.savez(path, labels=labels, features=np.zeros((2, 4, 4), np.float16))
    sizes = [found.truth.sum() for found in read_objects(path, 5)]
    assert sorted(sizes) == [100, 225]
    again = [found.truth.sum() for found in read_objects(path, 1)]
    assert again == sizes[:1]
