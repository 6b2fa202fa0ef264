"""Decode a frame that the user has corrected: clicks on top of what was there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.memory import Memory
from napari_sam_decoder.model.values import ModelPrompt
from napari_sam_decoder.propagation.fusion import Outcome
from napari_sam_decoder.propagation.grid import prompt_from_mask, together
from napari_sam_decoder.propagation.prior import Place, recall_anywhere
from napari_sam_decoder.propagation.results import ObjectResult, Verdict
from napari_sam_decoder.propagation.seeds import Seed, plant
from napari_sam_decoder.selection import Expectation, choose_like

if TYPE_CHECKING:
    from napari_sam_decoder.model.values import Embedding
    from napari_sam_decoder.prompts import Prompt
    from napari_sam_decoder.propagation.grid import Grid
    from napari_sam_decoder.propagation.scene import Scene
    from napari_sam_decoder.views import View

__all__ = ["amend"]

CLICK_LOGIT = 8.0
SMALLEST_RATING = 0.01
WRONG_BY = 0.1
"""How far the outline may be wrong, as a share of the object's side."""

CLICK_RADIUS = 3
"""Low-res pixels around a click that the expected mask is made to agree with it."""


def amend(
    scene: Scene, prompt: Prompt, existing: np.ndarray | None, known: Memory | None
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
    known : Memory, optional
        What the object's other fixed frames tell.

    Returns
    -------
    Seed
        The mask that has most of the positive points inside and most of the negative
        ones outside, and among several such masks the best one that fits the memory
        and what was there. What the user painted, or a hypothesis that the user has
        picked, is taken as it is.
    """
    view = scene.view(prompt.frame)
    starts_anew = existing is None and known is None
    if starts_anew or prompt.mask is not None or prompt.hypothesis is not None:
        return plant(scene, view, prompt)
    clicks = prompt.to_model(scene.geometry)
    expectation = _expected(view, existing, known, clicks, scene.grid)
    logits, ratings = _offers(scene, view.embedding, clicks, existing, expectation)
    obeying = _obeying(logits, clicks, scene.grid)
    ratings = np.where(obeying, np.maximum(ratings, SMALLEST_RATING), 0)
    choice = choose_like(logits, ratings, expectation)
    result = ObjectResult.of(prompt.object_id, Verdict.PROMPTED, choice, confidence=1.0)
    memory = Memory.of(view, choice.logits)
    return Seed(Outcome.of(result, choice.logits), choice.logits, memory)


def _expected(
    view: View,
    existing: np.ndarray | None,
    known: Memory | None,
    clicks: ModelPrompt,
    grid: Grid,
) -> Expectation:
    was = np.zeros(grid.content, np.float32)
    if existing is None:
        expected = was if known is None else recall_anywhere(known, view)
    else:
        was = grid.cut(existing)
        size = float(np.count_nonzero(was > 0))
        reach = np.full(was.shape, max(WRONG_BY * np.sqrt(size), 1))
        place = Place.of(was, reach, size)
        expected = place.logits
        if known is not None:
            expected = expected + place.recall(known, view)
    return Expectation(was, _clicked(expected, clicks, grid))


def _clicked(logits: np.ndarray, clicks: ModelPrompt, grid: Grid) -> np.ndarray:
    """Make logits agree with clicks, in a small disk around each."""
    rows, columns = np.ogrid[: logits.shape[0], : logits.shape[1]]
    agreed = logits.copy()
    for (x, y), label in zip(clicks.points / grid.stride, clicks.labels, strict=True):
        disk = (rows - y) ** 2 + (columns - x) ** 2 <= CLICK_RADIUS**2
        agreed[disk] = CLICK_LOGIT if label else -CLICK_LOGIT
    return agreed


def _offers(
    scene: Scene,
    embedding: Embedding,
    clicks: ModelPrompt,
    existing: np.ndarray | None,
    expectation: Expectation,
) -> tuple[np.ndarray, np.ndarray]:
    """Masks that may be meant, and their ratings: whole ones, and mended ones."""
    prior = scene.grid.pad(expectation.prior)
    wordings = _wordings(clicks, existing, prior, scene.grid)
    wrong = np.zeros(0, int)
    if existing is not None:
        wrong = np.flatnonzero(~_agreeing(existing[None], clicks, scene.grid)[0])
        wordings += [(_alone(clicks, int(index)), None) for index in wrong]
    candidates = scene.decoder.decode(
        embedding,
        [wording for wording, _ in wordings],
        [mask for _, mask in wordings],
    )
    logits, ratings = candidates.low_res_logits, candidates.iou_predictions
    if existing is not None and len(wrong) == 1:
        is_missing = bool(clicks.labels[wrong[0]])
        logits = logits.copy()
        logits[-1] = _patched(existing, logits[-1], is_missing=is_missing)
    return logits.reshape(-1, *logits.shape[2:]), ratings.ravel()


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
    return ModelPrompt(points=clicks.points[index : index + 1], labels=np.array([1]))


def _wordings(
    clicks: ModelPrompt, existing: np.ndarray | None, prior: np.ndarray, grid: Grid
) -> list[tuple[ModelPrompt, np.ndarray | None]]:
    """Ask with what was there, with what is expected now, and by the clicks alone."""
    wordings: list[tuple[ModelPrompt, np.ndarray | None]] = []
    expected = prompt_from_mask(prior, grid)
    if expected is not None:
        # Its inner point, but not its box: that may be wrong.
        around = together(clicks, expected, clicks.box)
        wordings += [(around, prior), (around, None)]
    if clicks.labels.any() or clicks.box is not None:
        wordings.append((clicks, None))
        if existing is not None:
            wordings.append((clicks, existing))
    if not wordings:
        wordings.append((clicks, existing))
    return wordings


def _obeying(logits: np.ndarray, clicks: ModelPrompt, grid: Grid) -> np.ndarray:
    """Which of (N, h, w) masks agree with the most clicks; empty ones do not."""
    agreeing = np.count_nonzero(_agreeing(logits, clicks, grid), axis=1)
    # Cutting all of it away agrees with a negative click, but is not what is meant.
    agreeing[~(grid.cut(logits) > 0).any(axis=(1, 2))] = -1
    obeying: np.ndarray = agreeing == agreeing.max()
    return obeying


def _agreeing(logits: np.ndarray, clicks: ModelPrompt, grid: Grid) -> np.ndarray:
    """Whether each of (N, h, w) masks agrees with each click: (N, clicks)."""
    highest = np.array(logits.shape[1:]) - 1
    spots = np.clip(clicks.points[:, ::-1] / grid.stride, 0, highest).astype(int)
    inside = logits[:, spots[:, 0], spots[:, 1]] > 0
    agreeing: np.ndarray = inside == (clicks.labels > 0)
    return agreeing
