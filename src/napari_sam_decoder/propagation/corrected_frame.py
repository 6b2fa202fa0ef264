"""Decode a frame that the user has corrected: clicks on top of an existing mask."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np
from scipy import ndimage

from napari_sam_decoder.model.values import BACKGROUND_LOGIT, ModelPrompt
from napari_sam_decoder.propagation.decoding import DecoderInput, decode_alternatives
from napari_sam_decoder.propagation.initial_masks import InitialMask, initial_masks
from napari_sam_decoder.propagation.prior import (
    MotionPrior,
    appearance_anywhere,
    combine_prompts,
    depth_inside,
    prompt_from_mask,
)
from napari_sam_decoder.propagation.results import ObjectResult
from napari_sam_decoder.propagation.track import LARGEST_GROWTH
from napari_sam_decoder.selection import MASKS_PER_SET, Expectation, choose_expected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sam_decoder.appearance.features import FrameFeatures
    from napari_sam_decoder.appearance.memory import Memory
    from napari_sam_decoder.prompts import Prompt
    from napari_sam_decoder.propagation.context import Context

__all__ = ["FixedFrames", "LocalCorrection", "decode_corrected_frame"]

CLICK_LOGIT = 8.0
SMALLEST_RATING = 0.01
WRONG_BY = 0.1
"""How far the outline may be wrong, as a share of the object's side."""

CLICK_RADIUS = 3
"""Low-res pixels around a click in which the prior is made to agree with it."""

FAR_AWAY = 1.0
"""In units of the mask's side. A positive click farther away means that the object is
there instead; a nearer one adds to the mask."""

EXTENT = 4.0
"""How far from the click a mask may change, in units of the depth of the change at the
click. People click in the middle of an error, so they do not mean what is far away."""


@dataclass(frozen=True, eq=False)
class FixedFrames:
    """What the other fixed frames tell about an object.

    Attributes
    ----------
    memory : Memory
    size : float
        Mean area on these frames, in low-res pixels.
    """

    memory: Memory
    size: float


@dataclass(frozen=True, eq=False)
class LocalCorrection:
    """A mask that differs from the existing one around one click only.

    Attributes
    ----------
    logits : (h, w) array of float32
        Low-res logits of the mask.
    centrality : float
        0..1: depth of the change at the click, divided by its largest depth. A change
        whose rim was clicked is probably not the one that was meant.
    """

    logits: np.ndarray
    centrality: float

    @classmethod
    def of(
        cls, candidate: np.ndarray, existing: np.ndarray, pixel: tuple[int, int]
    ) -> Self | None:
        """Take only what a candidate changes around the click.

        Parameters
        ----------
        candidate, existing : (h, w) array
            Low-res logits.
        pixel : (row, column)
            Of the click.

        Returns
        -------
        LocalCorrection or None
            None if the candidate does not change the clicked pixel.
        """
        different = (candidate > 0) != (existing > 0)
        if not different[pixel]:
            return None
        depth = depth_inside(different)
        rows, columns = np.ogrid[: different.shape[0], : different.shape[1]]
        distances = np.hypot(rows - pixel[0], columns - pixel[1])
        parts, _ = ndimage.label(different & (distances <= EXTENT * depth[pixel]))
        changed = parts == parts[pixel]
        logits = np.where(changed, candidate, existing)
        return cls(logits, float(depth[pixel] / depth[changed].max()))


def decode_corrected_frame(
    context: Context,
    prompt: Prompt,
    existing: np.ndarray | None,
    fixed: FixedFrames | None,
) -> InitialMask:
    """Decode a correction on its own frame.

    Parameters
    ----------
    context : Context
        Has the frames, the decoder and the settings.
    prompt : Prompt
        All that the user has said about the object on this frame.
    existing : (h, w) array, optional
        Low-res logits of the object's mask so far; None if there was none.
    fixed : FixedFrames, optional
        What the object's other fixed frames tell.

    Returns
    -------
    InitialMask
        An existing mask changes only around the clicks that contradict it. If there was
        none, if a box was drawn, or if a positive click lies far from the mask, the
        whole object is decoded: the result is the mask that agrees with most clicks and
        fits the memory best. Painted masks and picked hypotheses are taken as they are.
    """
    if prompt.mask is not None or prompt.hypothesis is not None:
        return initial_masks(context, prompt.frame, [prompt])[0]
    features = context.features(prompt.frame)
    clicks = prompt.to_model(context.geometry)
    frame = _CorrectedFrame(context, features, fixed, clicks)
    if existing is not None and not frame.is_elsewhere(existing):
        result = ObjectResult.confirmed(prompt.object_id)
        return InitialMask.of(result, frame.corrected(existing), features)
    if fixed is not None:
        return frame.whole_object(prompt.object_id, fixed)
    return initial_masks(context, prompt.frame, [prompt])[0]


@dataclass(frozen=True, eq=False)
class _CorrectedFrame:
    """One frame, the clicks on it, and what other frames tell about the object."""

    context: Context
    features: FrameFeatures
    fixed: FixedFrames | None
    clicks: ModelPrompt

    def is_elsewhere(self, existing: np.ndarray) -> bool:
        """Whether the user shows that the object is not where the mask is."""
        if self.clicks.box is not None:
            return True
        mask = existing > 0
        distances = ndimage.distance_transform_edt(~mask)
        far = FAR_AWAY * np.sqrt(np.count_nonzero(mask))
        rows, columns = self._pixels[self.clicks.signs > 0].T
        return bool((distances[rows, columns] > far).any())

    def whole_object(self, object_id: int, fixed: FixedFrames) -> InitialMask:
        """Decode the object without an existing mask."""
        expectation = self._expected_anywhere(fixed)
        prior = self.context.grid.pad(expectation.prior)
        masks, ratings = self._decode(self._inputs(None, prior))
        choice = choose_expected(masks, ratings, expectation, self._obedience(masks))
        if not choice.score:
            # Nothing has about the size of the object: only the click is certain.
            nothing = np.full(masks.shape[1:], BACKGROUND_LOGIT, np.float32)
            logits = self._with_clicks(nothing)
            choice = replace(choice, logits=logits, iou_prediction=0.0)
        doubtful_below = self.context.settings.doubtful_below
        result = ObjectResult.prompted(
            object_id, choice, choice.confidence, doubtful_below
        )
        return InitialMask.of(result, choice.logits, self.features)

    def corrected(self, existing: np.ndarray) -> np.ndarray:
        """Correct a mask around each click that contradicts it."""
        logits = existing
        for index in range(len(self._pixels)):
            if not self._agreement(logits[None])[0, index]:
                logits = self._corrected_at(index, logits)
        return logits

    def _corrected_at(self, index: int, existing: np.ndarray) -> np.ndarray:
        """Correct a mask around one click."""
        expectation = self._expected_near(self.context.grid.crop(existing))
        candidates, ratings = self._candidates(index, existing, expectation)
        pixel = int(self._pixels[index, 0]), int(self._pixels[index, 1])
        local = [LocalCorrection.of(one, existing, pixel) for one in candidates]
        masks = np.stack([one.logits if one else existing for one in local])
        merits = np.array([one.centrality if one else 0.0 for one in local])
        merits *= self._obedience(masks)
        if not merits.any():
            return self._with_clicks(existing)
        return choose_expected(masks, ratings, expectation, merits).logits

    def _expected_anywhere(self, fixed: FixedFrames) -> Expectation:
        """Expect the object by its appearance, near the positive clicks."""
        nothing, size = np.zeros(self.context.grid.content, np.float32), fixed.size
        expected = appearance_anywhere(fixed.memory, self.features)
        if self.clicks.signs.any():
            tolerance = np.full(nothing.shape, max(np.sqrt(size) / 2, 1))
            near_clicks = MotionPrior.of(self._disks(size), tolerance, size)
            expected = expected + near_clicks.logits
        prior = self._with_clicks(expected)
        return Expectation(nothing, prior, size, LARGEST_GROWTH * size)

    def _expected_near(self, existing: np.ndarray) -> Expectation:
        """Expect the object about where it was."""
        size = float(np.count_nonzero(existing > 0))
        tolerance = np.full(existing.shape, max(WRONG_BY * np.sqrt(size), 1))
        prior = MotionPrior.of(existing, tolerance, size)
        logits = prior.logits
        if self.fixed is not None:
            memory = self.fixed.memory
            logits = logits + prior.appearance_logits(memory, self.features)
        return Expectation(existing, self._with_clicks(logits))

    def _disks(self, size: float) -> np.ndarray:
        """(rows, columns) logits of disks of a given area around positive clicks."""
        height, width = self.context.grid.content
        rows, columns = np.ogrid[:height, :width]
        distances = [
            np.hypot(rows - row, columns - column)
            for row, column in self._pixels[self.clicks.signs > 0]
        ]
        disks: np.ndarray = np.sqrt(size / np.pi) + 1 - np.min(distances, axis=0)
        return disks

    def _with_clicks(self, logits: np.ndarray) -> np.ndarray:
        """Make logits agree with the clicks, in a small disk around each."""
        rows, columns = np.ogrid[: logits.shape[0], : logits.shape[1]]
        agreed = logits.copy()
        for (row, column), sign in zip(self._pixels, self.clicks.signs, strict=True):
            disk = (rows - row) ** 2 + (columns - column) ** 2 <= CLICK_RADIUS**2
            agreed[disk] = CLICK_LOGIT if sign else -CLICK_LOGIT
        return agreed

    def _candidates(
        self, index: int, existing: np.ndarray, expectation: Expectation
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the masks that a click may mean, and their ratings.

        The last ones add what lies under a positive click, or remove what lies under a
        negative one: what the decoder sees at the click alone is the part that was
        wrong.
        """
        prior = self.context.grid.pad(expectation.prior)
        points = self.clicks.points[index : index + 1]
        alone = DecoderInput(ModelPrompt(points=points, signs=np.array([1])))
        masks, ratings = self._decode([*self._inputs(existing, prior), alone])
        parts = masks[-MASKS_PER_SET:]
        masks[-MASKS_PER_SET:] = (
            np.maximum(existing, parts)
            if self.clicks.signs[index]
            else np.minimum(existing, -parts)
        )
        return masks, ratings

    def _decode(self, inputs: Sequence[DecoderInput]) -> tuple[np.ndarray, np.ndarray]:
        """Return (N, h, w) logits and (N,) ratings of all masks of all inputs."""
        embedding = self.features.embedding
        ((masks, ratings),) = decode_alternatives(self.context, embedding, [inputs])
        return masks, np.maximum(ratings, SMALLEST_RATING)

    def _inputs(
        self, existing: np.ndarray | None, prior: np.ndarray
    ) -> list[DecoderInput]:
        """Make alternative prompts: with the prior, clicks alone, or the mask."""
        clicks = self.clicks
        inputs: list[DecoderInput] = []
        expected = prompt_from_mask(prior, self.context.grid)
        if expected is not None:
            # Its innermost point, but not its box, which may be wrong.
            around = combine_prompts(clicks, expected, clicks.box)
            inputs += [DecoderInput(around, prior), DecoderInput(around)]
        if clicks.signs.any() or clicks.box is not None:
            inputs.append(DecoderInput(clicks))
            if existing is not None:
                inputs.append(DecoderInput(clicks, existing))
        return inputs or [DecoderInput(clicks, existing)]

    def _obedience(self, logits: np.ndarray) -> np.ndarray:
        """Which of (N, h, w) masks agree with the most clicks; empty ones do not."""
        agreeing = np.count_nonzero(self._agreement(logits), axis=1)
        # An empty mask agrees with a negative click, but is not what is meant.
        agreeing[~(self.context.grid.crop(logits) > 0).any(axis=(1, 2))] = -1
        obedient: np.ndarray = agreeing == agreeing.max()
        return obedient

    def _agreement(self, logits: np.ndarray) -> np.ndarray:
        """Whether each of (N, h, w) masks agrees with each click: (N, clicks)."""
        inside = logits[:, self._pixels[:, 0], self._pixels[:, 1]] > 0
        agreement: np.ndarray = inside == (self.clicks.signs > 0)
        return agreement

    @property
    def _pixels(self) -> np.ndarray:
        """(clicks, 2) row and column of the low-res pixel of each click."""
        return self.context.grid.prompt_pixels(self.clicks)
