"""Objects that a simulated person shows and corrects, and what the refiner sees of it.

The mask is corrected in part by the truth, in part by the refiner itself, so that it
learns from its own errors.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from scipy.spatial.distance import cdist

from napari_sam_decoder.interactive.actions import Shown, actions_of
from napari_sam_decoder.interactive.answers import (
    FARTHEST,
    MARGIN_OF_SCRIBBLE,
    NEAREST,
    SMALLEST_OBJECT,
)
from napari_sam_decoder.interactive.clues import Clues, most_of
from napari_sam_decoder.interactive.focus import Focus
from napari_sam_decoder.interactive.proposals import region_of
from napari_sam_decoder.interactive.refiner import refine
from napari_sam_decoder.metrics import mask_iou
from napari_sam_decoder.model.transforms import extent
from napari_sam_decoder.selection import MAX_FRAME_SHARE
from refiner_parts.simulated_person import correct, disc, show_first, spoiled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_sam_decoder.interactive import ShownFrame
    from napari_sam_decoder.interactive.actions import Action
    from napari_sam_decoder.prompts import Prompt
    from refiner_parts.simulated_person import Correction

__all__ = ["Rollouts", "Sample", "View"]

CORRECTIONS = 4
FEWEST_PIXELS = 40
OWN_FIRST = 0.45
"""Share of the objects that begin with a mask of the decoder, not a spoiled one."""
BEST_OF_OWN = 0.7
"""Share of those that begin with the best one."""
FROM_PROPAGATION = 0.15
"""Share of the masks that are corrected as if nothing had been shown before."""
WITH_OTHERS = 0.3
"""Share of the objects whose neighbours are known, all or some."""
WHOLE_VIEWS = 0.4
"""Share of the corrections that are also seen in a window around the whole object."""
REACHES = (8, 16), (16, 45)
"""Sides of the two windows of an action, in units of its distance from the outline."""
MARGINS = 1.3, 1.7
"""Sides of the windows of an object, in units of its extent."""


class View(IntEnum):
    """What a window is meant to show."""

    FIRST = 0
    """An object, of which there is no mask yet."""
    NEAR = 1
    """What is around an action."""
    WHOLE = 2
    """An object, of which there is a mask."""


@dataclass(frozen=True, eq=False)
class Sample:
    """What the refiner sees in a window, and what it should draw.

    Attributes
    ----------
    view : View
    focus : Focus
        The window.
    clues : (CLUES, GRID_SIDE, GRID_SIDE) array of float32
        -1..1.
    truth : (GRID_SIDE, GRID_SIDE) array of float32
        0..1, how much of each cell is on the object.
    """

    view: View
    focus: Focus
    clues: np.ndarray
    truth: np.ndarray


@dataclass(frozen=True, eq=False)
class Rollouts:
    """Objects of a frame that are shown, and corrected four times.

    Attributes
    ----------
    frame : ShownFrame
        With the refiner that corrects masks, too.
    labels : (Y, X) array of int
        The truth, 0 on the background.
    own_share : float
        0..1: share of the corrections that the refiner makes, not the truth.
    """

    frame: ShownFrame
    labels: np.ndarray
    own_share: float

    def samples(self, most: int, rng: np.random.Generator) -> Iterator[Sample]:
        """Show some objects of at least 40 pixels.

        Parameters
        ----------
        most : int
            How many, at most.
        rng : Generator
            Decides on everything.

        Yields
        ------
        Sample
            About nine of each object.
        """
        ids, sizes = np.unique(self.labels[self.labels > 0], return_counts=True)
        for one in rng.permutation(ids[sizes >= FEWEST_PIXELS])[:most]:
            yield from _Rollout(self, int(one), rng).samples()


class _Rollout:
    """One object; the mask and the prompt grow with each action."""

    def __init__(
        self, rollouts: Rollouts, object_id: int, rng: np.random.Generator
    ) -> None:
        self._frame = rollouts.frame
        self._labels = rollouts.labels
        self._own_share = rollouts.own_share
        self._rng = rng
        self._truth = rollouts.labels == object_id
        self._others = self._known_others(object_id)
        self._mask = np.zeros_like(self._truth)
        self._prompt: Prompt | None = None

    def samples(self) -> Iterator[Sample]:
        """Show the object, then correct it."""
        yield from self._shown_first()
        for _ in range(CORRECTIONS):
            correction = correct(self._truth, self._mask, self._rng)
            if correction is None:
                return
            yield from self._corrected(correction)

    def _known_others(self, object_id: int) -> np.ndarray | None:
        if self._rng.random() > WITH_OTHERS:
            return None
        share = self._rng.uniform(0.3, 1)
        is_known = self._rng.random(self._labels.max() + 1) < share
        is_known[[0, object_id]] = False
        known: np.ndarray = is_known[self._labels]
        return known

    def _shown_first(self) -> Iterator[Sample]:
        prompt = show_first(self._truth, self._rng)
        actions = actions_of(prompt, self._frame.shape)
        first = actions[0] if actions else None
        logits = self._frame.decode_first(prompt, first).low_res_logits[0]
        drawn = [self._frame.draw(one).mask(self._frame.shape) for one in logits]
        clues = self._clues(prompt, actions, logits)
        windows = self._around_outline(prompt)
        if first is not None:
            windows = self._around_first(first, drawn[1:])
        for focus in windows:
            yield self._sample(View.FIRST, clues, focus)
        self._mask = self._first_mask(drawn)
        is_forgotten = self._rng.random() < FROM_PROPAGATION
        self._prompt = None if is_forgotten else prompt

    def _around_outline(self, prompt: Prompt) -> list[Focus]:
        if prompt.outer_box is None:
            return []
        margin = self._rng.uniform(*MARGINS)
        return [Focus.around_box(prompt.outer_box, margin, self._frame.shape)]

    def _around_first(self, first: Action, drawn: list[np.ndarray]) -> list[Focus]:
        """Two of the windows around what the decoder saw, the truth, or the action."""
        rng = self._rng
        windows = [
            Focus.around_mask(mask, rng.uniform(*MARGINS))
            for mask in drawn
            if 0 < mask.mean() < MAX_FRAME_SHARE
        ]
        whole = Focus.around_mask(self._truth, rng.uniform(*MARGINS))
        side = whole.side * _log_uniform(1, 3, rng)
        middle = first.pixels.mean(axis=0)
        windows += [whole, Focus.around(_pair(middle), side, self._frame.shape)]
        return [windows[index] for index in rng.permutation(len(windows))[:2]]

    def _first_mask(self, drawn: list[np.ndarray]) -> np.ndarray:
        rng = self._rng
        if rng.random() < OWN_FIRST:
            ious = [mask_iou(mask, self._truth) for mask in drawn]
            is_best = rng.random() < BEST_OF_OWN
            mask = drawn[int(np.argmax(ious)) if is_best else rng.integers(len(drawn))]
            if mask.mean() < MAX_FRAME_SHARE:
                return mask
        return spoiled(self._truth, self._labels, rng)

    def _corrected(self, correction: Correction) -> Iterator[Sample]:
        prompt = correction.prompt
        if self._prompt is not None:
            prompt = self._prompt.merge(prompt)
        actions = actions_of(prompt, self._frame.shape)
        action = actions_of(correction.prompt, self._frame.shape)[0]
        decoded = self._frame.decode_action(prompt, [*actions], self._mask)
        clues = self._clues(prompt, actions, *decoded, newest=action)
        windows = self._around_action(action)
        for focus in windows:
            yield self._sample(View.NEAR, clues, focus)
        if self._rng.random() < WHOLE_VIEWS and self._mask.any():
            focus = self._around_object(action, clues.region)
            yield self._sample(View.WHOLE, clues, focus)
        if self._rng.random() < self._own_share:
            changed = self._refined(clues, windows[self._rng.integers(len(windows))])
        else:
            changed = self._partly_true(action, correction.error)
        Shown(actions).write(changed)
        self._mask, self._prompt = changed, prompt

    def _around_action(self, action: Action) -> list[Focus]:
        """Two windows, a narrow and a wide one, hardly wider than the object."""
        first, last = action.pixels.min(axis=0), action.pixels.max(axis=0)
        depth = self._depth(action)
        widest = max(MARGINS[1] * _extent(self._mask), 9 * depth)
        least = MARGIN_OF_SCRIBBLE * float((last - first).max())
        return [
            Focus.around(
                _pair((first + last) / 2),
                max(min(depth * _log_uniform(*reach, self._rng), widest), least),
                self._frame.shape,
            )
            for reach in REACHES
        ]

    def _depth(self, action: Action) -> float:
        """How far an action is from the outline, at most, within bounds of use."""
        pixels = most_of(action.contradicted(self._mask))
        side = np.sqrt(np.count_nonzero(self._mask))
        deepest = max(FARTHEST * side, SMALLEST_OBJECT)
        beyond = np.argwhere(self._mask == action.is_positive)
        if len(beyond):
            deepest = min(deepest, cdist(pixels, beyond).min(axis=1).max())
        return float(max(deepest, NEAREST))

    def _around_object(self, action: Action, region: np.ndarray | None) -> Focus:
        covered = self._mask.copy()
        covered[action.index] = True
        if region is not None and self._rng.random() < 0.7:
            covered |= region
        return Focus.around_mask(covered, self._rng.uniform(*MARGINS))

    def _refined(self, clues: Clues, focus: Focus) -> np.ndarray:
        """What the refiner makes of it, of which only what is at the action counts."""
        action = clues.newest
        if action is None:
            raise ValueError("only an action corrects a mask")
        drawn = refine(self._frame.refiner, clues, [focus])[0].drawn_into(self._mask)
        changed = (drawn != self._mask) & (drawn == action.is_positive)
        contradicted = action.contradicted(self._mask)
        seeds = contradicted[:, 0], contradicted[:, 1]
        changed[seeds] = True
        parts, _ = ndimage.label(changed)
        return np.where(np.isin(parts, parts[seeds]), action.is_positive, self._mask)

    def _partly_true(self, action: Action, error: np.ndarray) -> np.ndarray:
        """Correct an error near to an action."""
        reach = float(np.ptp(action.pixels, axis=0).max()) / 2
        radius = self._depth(action) * self._rng.uniform(1, 3) + reach
        middle = action.pixels.mean(axis=0)
        near = error & disc(self._frame.shape, middle, radius)
        return np.where(near, action.is_positive, self._mask)

    def _clues(
        self,
        prompt: Prompt,
        actions: tuple[Action, ...],
        together: np.ndarray,
        alone: np.ndarray | None = None,
        newest: Action | None = None,
    ) -> Clues:
        if newest is None and actions:
            newest = actions[-1]
        return Clues(
            self._frame.picture,
            self._mask,
            Shown(actions),
            newest,
            together,
            alone,
            region_of(prompt, self._frame.shape),
            self._others,
        )

    def _sample(self, view: View, clues: Clues, focus: Focus) -> Sample:
        return Sample(view, focus, clues.seen(focus), focus.sample([self._truth])[0])


def _extent(mask: np.ndarray) -> float:
    """Longer side of a mask in pixels, 0 of an empty one."""
    found = extent(mask) or (slice(0, 0), slice(0, 0))
    return float(max(side.stop - side.start for side in found))


def _log_uniform(least: float, most: float, rng: np.random.Generator) -> float:
    return float(np.exp(rng.uniform(np.log(least), np.log(most))))


def _pair(position: np.ndarray) -> tuple[float, float]:
    return float(position[0]), float(position[1])
