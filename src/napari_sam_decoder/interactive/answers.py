"""Answer what a person shows, one action after the other.

The first action, or an outline, gives the object as a whole. Each later action changes
the mask around it only, and always so that the mask agrees with it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_sam_decoder.interactive.actions import Shown, actions_of
from napari_sam_decoder.interactive.clues import Clues, distances, most_of
from napari_sam_decoder.interactive.focus import Focus
from napari_sam_decoder.interactive.proposals import Proposals, propose, region_of
from napari_sam_decoder.interactive.refiner import refine
from napari_sam_decoder.metrics import mask_iou

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from napari_sam_decoder.interactive.actions import Action
    from napari_sam_decoder.interactive.frame import ShownFrame
    from napari_sam_decoder.interactive.refiner import Refined
    from napari_sam_decoder.prompts import PaintedMask, Prompt

__all__ = ["Answer", "Beginning", "answer"]

REACHES = (10.0, 25.0)
"""Sides of the windows of an action, in units of its distance from the outline: people
show the middle of an error, which ends about as far away on the other side, but may be
long."""
NEAREST = 1.5
FARTHEST = 0.7
"""Bounds of that distance: in pixels, and in units of the object's side."""
SMALLEST_OBJECT = 6.0
"""Side in pixels that even a tiny object is taken to have."""
MARGIN_OF_SCRIBBLE = 1.7
"""Side of the window of a scribble, in units of its extent, at least."""
NOTABLE_CHANGE = 0.075
"""Share of the object up to which a change is always believed."""
CONFIRMED = 0.93
"""IoU with one of the decoder's masks from which it confirms the mask so far."""
CERTAIN = 4.0
"""Logits from which such a mask changes nevertheless."""
LARGE_CHANGE = 0.25
"""Share of the object from which a change is large."""
TRUSTED = 0.8
"""Rating below which a large change is not believed as a whole."""
CAUTIOUS_REACH = 0.2
"""How far it may then reach, in units of the side of the action's smallest window."""


@dataclass(frozen=True)
class Beginning:
    """What shows an object as a whole; compared by value.

    Attributes
    ----------
    outline : tuple, optional
        A box or a lasso.
    painted : PaintedMask, optional
    first : Action, optional
        The first positive action, where nothing else shows the object.
    before_first : int
        Negative actions that came before that one.
    """

    outline: tuple[object, object] | None = None
    painted: PaintedMask | None = None
    first: Action | None = None
    before_first: int = 0

    @property
    def is_existing(self) -> bool:
        """Whether the object had a mask before anything was shown."""
        return self == Beginning()

    def shown(self, actions: tuple[Action, ...]) -> Shown:
        """All that was shown, in its order, when so many others are answered."""
        if self.first is None:
            return Shown(actions)
        count = self.before_first
        return Shown((*actions[:count], self.first, *actions[count:]))


@dataclass(frozen=True, eq=False)
class Answer:
    """The mask that a prompt gives.

    Attributes
    ----------
    beginning : Beginning
    hypothesis : {1, 2, 3} or None
        The proposal that was picked.
    proposals : Proposals, optional
        None where the object had a mask to begin with.
    actions : tuple of Action
        Those that followed.
    mask : (Y, X) array of bool
    rating : float
        0..1, expected IoU.
    """

    beginning: Beginning
    hypothesis: int | None
    proposals: Proposals | None
    actions: tuple[Action, ...]
    mask: np.ndarray
    rating: float

    @property
    def is_confirmed(self) -> bool:
        """Whether a person has seen the mask, and picked, painted or changed it."""
        is_picked = self.hypothesis is not None or self.proposals is None
        return is_picked or bool(self.actions)


def answer(
    frame: ShownFrame,
    prompt: Prompt,
    *,
    existing: np.ndarray | None = None,
    others: np.ndarray | None = None,
    known: Iterable[Answer] = (),
) -> Answer:
    """Make the mask of all that a person has shown of an object on a frame.

    Parameters
    ----------
    frame : ShownFrame
        On which it is.
    prompt : Prompt
        With something positive, unless there is an existing mask.
    existing : (Y, X) array of bool, optional
        The object before anything was shown. A box, a lasso, a picked hypothesis or a
        painted mask replaces it.
    others : (Y, X) array of bool, optional
        Other objects.
    known : iterable of Answer
        Earlier answers on this frame, for the same existing mask and others. What they
        have answered is not answered again.

    Returns
    -------
    Answer
        Its mask agrees with all points and scribbles; where they overlap, with the
        later ones.
    """
    actions = actions_of(prompt, frame.shape)
    beginning = _beginning(prompt, actions, existing)
    pending = tuple(one for one in actions if one is not beginning.first)
    alike = [one for one in known if one.beginning == beginning]
    found = _longest(alike, prompt.hypothesis, pending)
    if found is None:
        proposals = alike[0].proposals if alike else None
        if proposals is None and _is_open(beginning):
            proposals = propose(frame, prompt, beginning.first, others)
        mask, rating = _begin(prompt, proposals, existing)
        found = Answer(beginning, prompt.hypothesis, proposals, (), mask, rating)
    for action in pending[len(found.actions) :]:
        found = _Step(frame, prompt, found, action, others).answered()
    return found


def _beginning(
    prompt: Prompt, actions: Sequence[Action], existing: np.ndarray | None
) -> Beginning:
    if prompt.mask is not None and not prompt.mask.is_empty:
        return Beginning(painted=prompt.mask)
    if prompt.outer_box is not None:
        return Beginning(outline=(prompt.box, prompt.lasso))
    is_picked = prompt.hypothesis is not None and prompt.is_positive
    if existing is not None and not is_picked:
        return Beginning()
    signs = [one.is_positive for one in actions]
    if True not in signs:
        return Beginning()
    number = signs.index(True)
    return Beginning(first=actions[number], before_first=number)


def _is_open(beginning: Beginning) -> bool:
    return beginning.outline is not None or beginning.first is not None


def _begin(
    prompt: Prompt, proposals: Proposals | None, existing: np.ndarray | None
) -> tuple[np.ndarray, float]:
    """Return the mask to begin with, and its rating."""
    if proposals is not None:
        taken = proposals.taken(prompt.hypothesis)
        return taken.mask, taken.rating
    if prompt.mask is not None and not prompt.mask.is_empty:
        return prompt.mask.to_array(), 1.0
    if existing is None:
        raise ValueError("nothing shows where the object is")
    return existing, 1.0


def _longest(
    known: Iterable[Answer], hypothesis: int | None, pending: tuple[Action, ...]
) -> Answer | None:
    """Return the earlier answer that leaves the least to do."""
    usable = [
        one
        for one in known
        if one.hypothesis == hypothesis and one.actions == pending[: len(one.actions)]
    ]
    return max(usable, key=lambda one: len(one.actions), default=None)


@dataclass(frozen=True, eq=False)
class _Step:
    """One more action on top of an answer."""

    frame: ShownFrame
    prompt: Prompt
    before: Answer
    action: Action
    others: np.ndarray | None

    def answered(self) -> Answer:
        """Return the answer with the action."""
        before = self.before
        actions = (*before.actions, self.action)
        contradicted = self.action.contradicted(before.mask)
        if not len(contradicted):
            return replace(before, actions=actions)
        shown = before.beginning.shown(actions)
        mask, rating = self._changed(shown, contradicted)
        shown.write(mask)
        return replace(before, actions=actions, mask=mask, rating=rating)

    def _changed(
        self, shown: Shown, contradicted: np.ndarray
    ) -> tuple[np.ndarray, float]:
        """Return the changed mask and its rating."""
        mask = self.before.mask
        clues = self._clues(shown)
        windows = self._around_action(contradicted)
        refined = refine(self.frame.refiner, clues, windows)
        rating = min(max(refined[0].rating, 0.0), 1.0)
        certainty = _certainty(refined, mask.shape)
        part = self._only_here(certainty, contradicted)
        share = part.sum() / max(np.count_nonzero(mask), 1)
        is_doubted = share > LARGE_CHANGE and rating < TRUSTED
        # A mask that came from other frames is better known than a poor guess.
        is_kept = is_doubted and self.before.beginning.is_existing
        if is_kept or (share > NOTABLE_CHANGE and self._is_confirmed(clues.together)):
            part = self._only_here(certainty, contradicted, CERTAIN)
        elif is_doubted:
            reach = CAUTIOUS_REACH * windows[0].side
            part &= distances(most_of(contradicted), self.frame.shape) <= reach
        return np.where(part, self.action.is_positive, mask), rating

    def _clues(self, shown: Shown) -> Clues:
        frame, mask = self.frame, self.before.mask
        together, alone = frame.decode_action(self.prompt, shown.actions, mask)
        region = region_of(self.prompt, frame.shape)
        return Clues(
            frame.picture,
            mask,
            shown,
            self.action,
            together,
            alone,
            region,
            self.others,
        )

    def _is_confirmed(self, together: np.ndarray | None) -> bool:
        """Whether the decoder draws the mask again although it knows the action."""
        mask = self.before.mask
        if together is None or not mask.any():
            return False
        covered = self.frame.geometry.coverage(mask, together.shape[-1]) > 0.5
        return any(mask_iou(covered, one > 0) > CONFIRMED for one in together)

    def _around_action(self, contradicted: np.ndarray) -> list[Focus]:
        """Windows in which the error is about as large as in any other."""
        mask = self.before.mask
        side = max(float(np.sqrt(np.count_nonzero(mask))), 1.0)
        first, last = contradicted.min(axis=0), contradicted.max(axis=0)
        middle = (first + last) / 2
        extent = float((last - first).max())
        depth = max(
            (
                _depth(mask, (int(row), int(column)))
                for row, column in most_of(contradicted)
            ),
            default=NEAREST,
        )
        depth = min(max(depth, NEAREST), max(FARTHEST * side, SMALLEST_OBJECT))
        widths = [max(reach * depth, MARGIN_OF_SCRIBBLE * extent) for reach in REACHES]
        return [
            Focus.around((middle[0], middle[1]), width, self.frame.shape)
            for width in widths
        ]

    def _only_here(
        self, certainty: np.ndarray, contradicted: np.ndarray, least: float = 0.0
    ) -> np.ndarray:
        """(Y, X) bool: what an action adds, or removes, where it is itself."""
        mask, sign = self.before.mask, self.action.is_positive
        differing = (certainty > least if sign else certainty < -least) & (mask != sign)
        rows, columns = contradicted.T
        differing[rows, columns] = True
        parts, _ = ndimage.label(differing)
        here = np.unique(parts[rows, columns])
        part: np.ndarray = np.isin(parts, here[here > 0])
        return part


def _certainty(refined: Sequence[Refined], shape: tuple[int, ...]) -> np.ndarray:
    """(Y, X) mean of the logits of windows, each within its own; elsewhere 0."""
    total, count = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for one in refined:
        total[one.focus.place] += one.focus.enlarge(one.logits)
        count[one.focus.place] += 1
    certainty: np.ndarray = total / np.maximum(count, 1)
    return certainty


def _depth(mask: np.ndarray, pixel: tuple[int, int]) -> float:
    """Distance in pixels from a pixel to the nearest one on the other side."""
    value, reach = mask[pixel], 8
    while True:
        rows, columns = (slice(max(one - reach, 0), one + reach + 1) for one in pixel)
        other = np.argwhere(mask[rows, columns] != value)
        if len(other):
            offset = other + np.array([rows.start, columns.start]) - np.array(pixel)
            distance = float(np.hypot(*offset.T).min())
            if distance <= reach:
                return distance
        if reach > max(mask.shape):
            return distance if len(other) else float(reach)
        reach *= 3
