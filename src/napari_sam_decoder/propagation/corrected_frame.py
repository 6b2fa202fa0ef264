"""Decode a frame that the user has corrected: clicks on top of what was there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np
from scipy import ndimage

from napari_sam_decoder.appearance.memory import Memory
from napari_sam_decoder.model.values import BACKGROUND_LOGIT, ModelPrompt
from napari_sam_decoder.propagation.accumulator import Outcome
from napari_sam_decoder.propagation.initial_masks import Seed, plant
from napari_sam_decoder.propagation.prior import (
    Place,
    inner_depths,
    prompt_from_mask,
    recall_anywhere,
    together,
)
from napari_sam_decoder.propagation.results import ObjectResult
from napari_sam_decoder.propagation.track import LARGEST_GROWTH
from napari_sam_decoder.selection import MASKS_PER_SET, Expectation, choose_expected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sam_decoder.appearance.features import View
    from napari_sam_decoder.prompts import Prompt
    from napari_sam_decoder.propagation.context import Scene

__all__ = ["Known", "Patch", "amend"]

CLICK_LOGIT = 8.0
SMALLEST_RATING = 0.01
WRONG_BY = 0.1
"""How far the outline may be wrong, as a share of the object's side."""

CLICK_RADIUS = 3
"""Low-res pixels around a click that the expected mask is made to agree with it."""

FAR_AWAY = 1.0
"""Sides of the mask. A positive click farther than that from it says that the object is
there instead, a nearer one that this belongs to it as well."""

EXTENT = 4.0
"""How far from the click a mask may change, in depths of the change at the click. One
clicks in the middle of what is wrong, so what lies far from there is not meant."""


@dataclass(frozen=True, eq=False)
class Known:
    """What the object's other fixed frames tell.

    Attributes
    ----------
    memory : Memory
    size : float
        Area in low-res pixels, the mean of those frames.
    """

    memory: Memory
    size: float


@dataclass(frozen=True, eq=False)
class Patch:
    """A mask that differs from what was there around one click only.

    Attributes
    ----------
    logits : (h, w) array of float32
        Low-res logits of the mask.
    centrality : float
        0..1: depth of the change at the click over its largest depth. A change that
        has the click at its rim is hardly the one that was meant.
    """

    logits: np.ndarray
    centrality: float

    @classmethod
    def of(
        cls, candidate: np.ndarray, existing: np.ndarray, spot: tuple[int, int]
    ) -> Self | None:
        """Take from a candidate what it changes around a spot, and nothing else.

        Parameters
        ----------
        candidate, existing : (h, w) array
            Low-res logits.
        spot : (row, column)
            Of the click.

        Returns
        -------
        Patch or None
            None if the candidate does not change what is at the spot.
        """
        different = (candidate > 0) != (existing > 0)
        if not different[spot]:
            return None
        depth = inner_depths(different)
        rows, columns = np.ogrid[: different.shape[0], : different.shape[1]]
        distances = np.hypot(rows - spot[0], columns - spot[1])
        changed = _part_at(different & (distances <= EXTENT * depth[spot]), spot)
        logits = np.where(changed, candidate, existing)
        return cls(logits, float(depth[spot] / depth[changed].max()))


def amend(
    scene: Scene, prompt: Prompt, existing: np.ndarray | None, known: Known | None
) -> Seed:
    """Decode a correction.

    Parameters
    ----------
    scene : Scene
        Where the embeddings come from and the decoder is.
    prompt : Prompt
        All that the user has said of the object on this frame.
    existing : (h, w) array, optional
        Low-res logits of the object's mask as it was; None if it was not there.
    known : Known, optional
        What the object's other fixed frames tell.

    Returns
    -------
    Seed
        Where there was a mask, it changes around the clicks that it disagrees with and
        nowhere else. Where there was none, where a box was drawn, and where a positive
        click lies far from the mask, the object is decoded as a whole: the mask that
        agrees with most clicks, and among several the best one that fits the memory.
        What the user painted, or a hypothesis that the user has picked, is taken as it
        is.
    """
    view = scene.view(prompt.frame)
    if prompt.mask is not None or prompt.hypothesis is not None:
        return plant(scene, view, [prompt])[0]
    case = _Case(scene, view, known, prompt.to_model(scene.geometry))
    if existing is not None and not case.is_elsewhere(existing):
        logits = case.patched(existing)
        result = ObjectResult.certain(prompt.object_id)
        return Seed(Outcome.of(result, logits), logits, Memory.of(view, logits))
    if known is not None:
        return case.found(prompt.object_id, known)
    return plant(scene, view, [prompt])[0]


@dataclass(frozen=True, eq=False)
class _Case:
    """One frame, the clicks on it, and what is known of the object."""

    scene: Scene
    view: View
    known: Known | None
    clicks: ModelPrompt

    def is_elsewhere(self, existing: np.ndarray) -> bool:
        """Whether the user shows the object at another place than where the mask is."""
        if self.clicks.box is not None:
            return True
        mask = existing > 0
        distances = ndimage.distance_transform_edt(~mask)
        far = FAR_AWAY * np.sqrt(np.count_nonzero(mask))
        rows, columns = self._spots[self.clicks.signs > 0].T
        return bool((distances[rows, columns] > far).any())

    def found(self, object_id: int, known: Known) -> Seed:
        """Decode the object anew."""
        expectation = self._expected_anywhere(known)
        prior = self.scene.grid.pad(expectation.prior)
        offers, ratings = self._decoded(self._wordings(None, prior))
        choice = choose_expected(offers, ratings, expectation, self._obeying(offers))
        if not choice.score:
            # Nothing of about its size: all that is sure is the click itself.
            nothing = np.full(offers.shape[1:], BACKGROUND_LOGIT, np.float32)
            choice = replace(choice, logits=self._stamped(nothing), iou_prediction=0.0)
        trust = choice.confidence
        doubtful_below = self.scene.settings.doubtful_below
        result = ObjectResult.pointed(object_id, choice, trust, doubtful_below)
        memory = Memory.of(self.view, choice.logits)
        return Seed(Outcome.of(result, choice.logits), choice.logits, memory, trust)

    def patched(self, existing: np.ndarray) -> np.ndarray:
        """Mend a mask around one click after the other that it disagrees with."""
        logits = existing
        for index in range(len(self._spots)):
            if not self._agreeing(logits[None])[0, index]:
                logits = self._patched_at(logits, index)
        return logits

    def _patched_at(self, existing: np.ndarray, index: int) -> np.ndarray:
        expectation = self._expected_near(self.scene.grid.cut(existing))
        offers, ratings = self._offers(existing, expectation, index)
        spot = int(self._spots[index, 0]), int(self._spots[index, 1])
        patches = [Patch.of(offer, existing, spot) for offer in offers]
        masks = np.stack([patch.logits if patch else existing for patch in patches])
        merits = np.array([patch.centrality if patch else 0.0 for patch in patches])
        merits *= self._obeying(masks)
        if not merits.any():
            return self._stamped(existing)
        return choose_expected(masks, ratings, expectation, merits).logits

    def _expected_anywhere(self, known: Known) -> Expectation:
        """Expect the object where it is recognised, near the clicks."""
        nothing, size = np.zeros(self.scene.grid.content, np.float32), known.size
        expected = recall_anywhere(known.memory, self.view)
        if self.clicks.signs.any():
            reach = np.full(nothing.shape, max(np.sqrt(size) / 2, 1))
            expected = expected + Place.of(self._disk(size), reach, size).logits
        prior = self._stamped(expected)
        return Expectation(nothing, prior, size, LARGEST_GROWTH * size)

    def _expected_near(self, was: np.ndarray) -> Expectation:
        """Expect the object about where it was."""
        size = float(np.count_nonzero(was > 0))
        reach = np.full(was.shape, max(WRONG_BY * np.sqrt(size), 1))
        place = Place.of(was, reach, size)
        expected = place.logits
        if self.known is not None:
            expected = expected + place.recall(self.known.memory, self.view)
        return Expectation(was, self._stamped(expected))

    def _disk(self, size: float) -> np.ndarray:
        """(rows, columns) logits of disks of so many pixels around positive clicks."""
        height, width = self.scene.grid.content
        rows, columns = np.ogrid[:height, :width]
        distances = [
            np.hypot(rows - row, columns - column)
            for row, column in self._spots[self.clicks.signs > 0]
        ]
        disk: np.ndarray = np.sqrt(size / np.pi) + 1 - np.min(distances, axis=0)
        return disk

    def _stamped(self, logits: np.ndarray) -> np.ndarray:
        """Make logits agree with the clicks, in a small disk around each."""
        rows, columns = np.ogrid[: logits.shape[0], : logits.shape[1]]
        agreed = logits.copy()
        for (row, column), label in zip(self._spots, self.clicks.signs, strict=True):
            disk = (rows - row) ** 2 + (columns - column) ** 2 <= CLICK_RADIUS**2
            agreed[disk] = CLICK_LOGIT if label else -CLICK_LOGIT
        return agreed

    def _offers(
        self, existing: np.ndarray, expectation: Expectation, index: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Masks that may be meant by a click, and their ratings."""
        prior = self.scene.grid.pad(expectation.prior)
        alone = _alone(self.clicks, index)
        offers, ratings = self._decoded(
            [*self._wordings(existing, prior), (alone, None)]
        )
        is_missing = bool(self.clicks.signs[index])
        parts = offers[-MASKS_PER_SET:]
        offers[-MASKS_PER_SET:] = _patched(existing, parts, is_missing=is_missing)
        return offers, ratings

    def _decoded(
        self, wordings: Sequence[tuple[ModelPrompt, np.ndarray | None]]
    ) -> tuple[np.ndarray, np.ndarray]:
        """(N, h, w) logits and (N,) ratings of all answers to all wordings."""
        prompts, masks = zip(*wordings, strict=True)
        candidates = self.scene.decoder.decode(self.view.embedding, prompts, masks)
        logits = candidates.low_res_logits
        ratings = np.maximum(candidates.iou_predictions.ravel(), SMALLEST_RATING)
        return logits.reshape(-1, *logits.shape[2:]).copy(), ratings

    def _wordings(
        self, existing: np.ndarray | None, prior: np.ndarray
    ) -> list[tuple[ModelPrompt, np.ndarray | None]]:
        """Ask with what was there, with what is expected now, and by clicks alone."""
        clicks = self.clicks
        wordings: list[tuple[ModelPrompt, np.ndarray | None]] = []
        expected = prompt_from_mask(prior, self.scene.grid)
        if expected is not None:
            # Its inner point, but not its box: that may be wrong.
            around = together(clicks, expected, clicks.box)
            wordings += [(around, prior), (around, None)]
        if clicks.signs.any() or clicks.box is not None:
            wordings.append((clicks, None))
            if existing is not None:
                wordings.append((clicks, existing))
        if not wordings:
            wordings.append((clicks, existing))
        return wordings

    def _obeying(self, logits: np.ndarray) -> np.ndarray:
        """Which of (N, h, w) masks agree with the most clicks; empty ones do not."""
        agreeing = np.count_nonzero(self._agreeing(logits), axis=1)
        # Cutting all of it away agrees with a negative click, but is not what is meant.
        agreeing[~(self.scene.grid.cut(logits) > 0).any(axis=(1, 2))] = -1
        obeying: np.ndarray = agreeing == agreeing.max()
        return obeying

    def _agreeing(self, logits: np.ndarray) -> np.ndarray:
        """Whether each of (N, h, w) masks agrees with each click: (N, clicks)."""
        inside = logits[:, self._spots[:, 0], self._spots[:, 1]] > 0
        agreeing: np.ndarray = inside == (self.clicks.signs > 0)
        return agreeing

    @property
    def _spots(self) -> np.ndarray:
        """(clicks, 2) array of int: row and column of the low-res pixel of each."""
        return self.scene.grid.spots(self.clicks)


def _patched(
    existing: np.ndarray, parts: np.ndarray, *, is_missing: bool
) -> np.ndarray:
    """Add what lies under a positive click, or cut what lies under a negative one.

    What the decoder sees around the click alone is the part that was wrong; the rest
    of the mask stays as the user left it.
    """
    patched: np.ndarray = (
        np.maximum(existing, parts) if is_missing else np.minimum(existing, -parts)
    )
    return patched


def _alone(clicks: ModelPrompt, index: int) -> ModelPrompt:
    """Ask what lies under one click, be it part of the object or not."""
    return ModelPrompt(points=clicks.points[index : index + 1], signs=np.array([1]))


def _part_at(mask: np.ndarray, spot: tuple[int, int]) -> np.ndarray:
    """Keep the connected part of a mask that holds a spot."""
    parts, _ = ndimage.label(mask)
    part: np.ndarray = parts == parts[spot]
    return part
