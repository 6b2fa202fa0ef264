from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.model.values import MaskCandidates
from shipped_head.sam_examples import record_example
from shipped_head.scenes import SyntheticScene

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sam_decoder.model.sam import Sam
    from napari_sam_decoder.model.values import Embedding, ModelPrompt


def scene() -> SyntheticScene:
    masks = np.zeros((3, 200, 400), bool)
    masks[0, 40:120, 40:160] = True
    masks[1, 100:180, 220:380] = True
    masks[2, 5:7, 5:7] = True
    picture = np.where(masks.any(axis=0), 200, 30).astype(np.uint8)
    return SyntheticScene(np.repeat(picture[..., None], 3, axis=-1), masks)


class Oracle:
    """Sees what it is clicked on as whole, one low-res pixel too far to the right."""

    def __init__(self, sam: Sam, masks: np.ndarray, share: float = 1) -> None:
        self.image_size, self.mask_size = sam.image_size, sam.mask_size
        self.encode = sam.encode
        self.asked: list[list[ModelPrompt]] = []
        self._masks = masks
        self._share = share

    def decode(
        self,
        embedding: Embedding,
        prompts: Sequence[ModelPrompt],
        previous: Sequence[np.ndarray | None],
    ) -> MaskCandidates:
        self.asked.append(list(prompts))
        assert all((mask is None) == (len(self.asked) == 1) for mask in previous)
        logits = np.full((len(prompts), 4, self.mask_size, self.mask_size), -5, "f4")
        for drawn, prompt in zip(logits, prompts, strict=True):
            drawn[:, : self.mask_size // 2] = self._answer(prompt)
        tokens = np.full((len(prompts), 5, 256), len(self.asked), np.float32)
        return MaskCandidates(logits, np.zeros((len(prompts), 4), np.float32), tokens)

    def _answer(self, prompt: ModelPrompt) -> np.ndarray:
        if prompt.box is not None:
            place = prompt.box.reshape(2, 2).mean(axis=0)
        else:
            place = prompt.points[0]
        column, row = (place / self.image_size * 400).astype(int)
        mask = self._masks[self._masks[:, row, column].argmax()].astype(float)
        columns = np.minimum((np.arange(self.mask_size) - 1).clip(0) * 400 // 128, 399)
        rows = np.arange(self.mask_size // 2) * 400 // 128
        answer = 8 * mask[np.ix_(rows, columns)] - 4
        answer[:, int(self._share * self.mask_size) :] = -4
        return answer


def test_objects_are_asked_for_again_and_again(early_sam: Sam) -> None:
    oracle = Oracle(early_sam, scene().masks)
    example = record_example(scene(), oracle, np.random.default_rng(0))
    assert example is not None
    # The third one is smaller than a low-res pixel, so it can not be asked for.
    assert [len(prompts) for prompts in oracle.asked] == [2, 2, 2]
    first, _, last = oracle.asked
    for before, after in zip(first, last, strict=True):
        assert len(after.points) == len(before.points) + 2
        assert len(after.signs) == len(after.points)
    assert np.unique_counts(example.objects).counts.tolist() == [2, 2]
    assert len(example.logits) == 4
    # There are three hypotheses for the first prompts only.
    assert np.all(example.tokens == 1)
    assert example.ious.shape == (2, 3)
    assert example.ious.min() > 0.8


def test_an_example_holds_truth_at_the_pixels_of_the_input(early_sam: Sam) -> None:
    oracle = Oracle(early_sam, scene().masks)
    example = record_example(scene(), oracle, np.random.default_rng(1))
    assert example is not None
    assert example.shown.tolist() == [256, 512]
    for index, logits in zip(example.objects, example.logits, strict=True):
        truth = example.mask(int(index))
        assert truth.shape == (256, 512)
        found = (logits > 0)[:64].repeat(4, axis=0).repeat(4, axis=1)
        assert (truth & found).sum() > 0.8 * (truth | found).sum()
    np.testing.assert_array_equal(example.picture, scene().picture)
    features = early_sam.encode(scene().picture).features
    np.testing.assert_allclose(example.features, features, atol=0.01)


def test_clicks_that_correct_lie_where_it_is_wrong(early_sam: Sam) -> None:
    masks = scene().masks[:1]
    oracle = Oracle(early_sam, masks, share=0.2)
    record_example(
        SyntheticScene(scene().picture, masks), oracle, np.random.default_rng(0)
    )
    added = oracle.asked[1][0]
    column, row = added.points[-1] / 512 * 400
    assert masks[0, int(row), int(column)]
    assert column > 0.2 * 400
    assert added.signs[-1] == 1


def test_masks_of_something_else_are_left_out(early_sam: Sam) -> None:
    oracle = Oracle(early_sam, scene().masks, share=0.05)
    assert record_example(scene(), oracle, np.random.default_rng(0)) is None


def test_a_scene_without_anything_gives_no_example(early_sam: Sam) -> None:
    empty = SyntheticScene(scene().picture, np.zeros((0, 200, 400), bool))
    assert record_example(empty, early_sam, np.random.default_rng(0)) is None
