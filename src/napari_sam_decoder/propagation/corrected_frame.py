"""Make the mask of a frame that the user has corrected: actions on an existing mask."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.interactive import answer
from napari_sam_decoder.prompts import mask_logits
from napari_sam_decoder.propagation.accumulator import Estimate
from napari_sam_decoder.propagation.initial_masks import InitialMask, settled_mask
from napari_sam_decoder.propagation.prior import MotionPrior, appearance_anywhere
from napari_sam_decoder.propagation.results import ObjectResult, Reason
from napari_sam_decoder.propagation.track import LARGEST_GROWTH
from napari_sam_decoder.selection import Expectation, choose_expected

if TYPE_CHECKING:
    from napari_sam_decoder.appearance.memory import Memory
    from napari_sam_decoder.interactive import Proposals
    from napari_sam_decoder.prompts import Prompt
    from napari_sam_decoder.propagation.context import Context

__all__ = ["FixedFrames", "corrected_mask"]

FAR_AWAY = 1.0
"""In units of the mask's side. A positive point farther away may mean that the object
is there instead; a nearer one adds to the mask."""
LESS_ALIKE = 0.1
"""How much less like the object on its fixed frames something may look than the mask
does, to be the object instead. Less alike, it is a part of it that is far from the
rest, such as the end of a stick."""
WHOLE_FROM = 0.25
"""The same by size, in units of the mask's area, if there are no other fixed frames."""


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


def corrected_mask(
    context: Context, prompt: Prompt, labels: np.ndarray, fixed: FixedFrames | None
) -> InitialMask:
    """Make the mask of a corrected object on its frame.

    Parameters
    ----------
    context : Context
        Has the frames, the networks and the settings.
    prompt : Prompt
        All that the user has shown of the object on this frame, in pixels of the
        context's window.
    labels : (Y, X) array of int
        Those of the window so far.
    fixed : FixedFrames, optional
        What the object's other fixed frames tell.

    Returns
    -------
    InitialMask
        An existing mask changes only around what contradicts it. If there was none, if
        a box or lasso was drawn, or if a positive point far from the mask shows what
        may be all of the object, that is found anew; of the hypotheses for a single
        click that which fits the other fixed frames best. Painted masks and picked
        hypotheses are taken as they are.
    """
    if prompt.is_settled:
        return settled_mask(context, prompt)
    existing = labels == prompt.object_id
    is_anew = not existing.any() or _is_elsewhere(prompt, existing)
    if is_anew and not prompt.is_positive:
        lost = ObjectResult.absent(prompt.object_id, Reason.LOST)
        return InitialMask(Estimate(lost))
    shown = context.shown(prompt.frame)
    others = (labels > 0) & ~existing
    found = answer(shown, prompt, existing=None if is_anew else existing, others=others)
    # What an outline shows is no guess at the size that was meant.
    is_open = prompt.outer_box is None and not found.is_confirmed
    if fixed is not None and is_open and found.proposals is not None:
        likely = _most_likely(context, prompt, found.proposals, fixed)
        picked = replace(prompt, hypothesis=likely)
        found = answer(shown, picked, others=others, known=[found])
    if is_anew and _is_part(context, prompt, (found.mask, existing), fixed):
        found = answer(shown, prompt, existing=existing, others=others)
    result = ObjectResult.confirmed(prompt.object_id)
    return InitialMask.of(result, found.mask, context, prompt)


def _is_elsewhere(prompt: Prompt, existing: np.ndarray) -> bool:
    """Whether the user shows that the object is not where the mask is."""
    pixels = np.argwhere(existing)
    far = FAR_AWAY * np.sqrt(len(pixels))
    return any(
        bool((np.hypot(*(pixels - position).T) > far).all())
        for position, sign in zip(prompt.points, prompt.signs or (), strict=True)
        if sign
    )


def _is_part(
    context: Context,
    prompt: Prompt,
    masks: tuple[np.ndarray, np.ndarray],
    fixed: FixedFrames | None,
) -> bool:
    """Whether what was found far from a mask is no whole object; both (Y, X) bool."""
    if not all(mask.any() for mask in masks):
        return False
    size = context.decoder.mask_size
    found, existing = (mask_logits(mask, context.geometry, size) for mask in masks)
    if fixed is None:
        area = np.count_nonzero(existing > 0)
        return bool(np.count_nonzero(found > 0) < WHOLE_FROM * area)
    features, memory = context.features(prompt.frame), fixed.memory
    needed = memory.likeness(features, existing) - LESS_ALIKE
    return memory.likeness(features, found) < needed


def _most_likely(
    context: Context, prompt: Prompt, proposals: Proposals, fixed: FixedFrames
) -> int:
    """Return the number of the hypothesis that looks like the object elsewhere."""
    offered = proposals.hypotheses
    size = context.decoder.mask_size
    masks = np.stack([mask_logits(one.mask, context.geometry, size) for one in offered])
    ratings = np.array([one.rating for one in offered])
    grid = context.grid
    features = context.features(prompt.frame)
    tolerance = np.full(grid.content, max(np.sqrt(fixed.size) / 2, 1))
    near = MotionPrior.of(grid.crop(masks.max(axis=0)), tolerance, fixed.size)
    prior = appearance_anywhere(fixed.memory, features) + near.logits
    nothing = np.zeros(grid.content, np.float32)
    expected = Expectation(nothing, prior, fixed.size, LARGEST_GROWTH * fixed.size)
    scores = [
        choose_expected(masks[[index]], ratings[[index]], expected).score
        for index in range(len(offered))
    ]
    return 1 + int(np.argmax(scores))
