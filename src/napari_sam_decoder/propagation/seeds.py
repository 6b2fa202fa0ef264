"""What the user's own prompts give on their frames: where every track starts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.memory import Memory
from napari_sam_decoder.prompts import mask_logits
from napari_sam_decoder.propagation.ask import choose_for_prompt
from napari_sam_decoder.propagation.follow import absent
from napari_sam_decoder.propagation.fusion import Outcome
from napari_sam_decoder.propagation.grid import prompt_from_mask, together
from napari_sam_decoder.propagation.results import ObjectResult, Verdict
from napari_sam_decoder.propagation.track import Track

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sam_decoder.model.values import Embedding, ModelPrompt
    from napari_sam_decoder.prompts import PaintedMask, Prompt
    from napari_sam_decoder.propagation.grid import Grid
    from napari_sam_decoder.propagation.scene import Scene
    from napari_sam_decoder.selection import Choice
    from napari_sam_decoder.views import View

__all__ = ["Seed", "answer_prompt", "painted_logits", "plant", "plant_seeds"]


@dataclass(frozen=True, eq=False)
class Seed:
    """An object on a frame that the user has fixed.

    Attributes
    ----------
    outcome : Outcome
    logits : (h, w) array of float32, optional
        None where the user said that the object is not on the frame.
    memory : Memory, optional
        What this frame alone tells of the object.
    trust : float
        0..1, how sure the mask is.
    """

    outcome: Outcome
    logits: np.ndarray | None = None
    memory: Memory | None = None
    trust: float = 1.0

    def track(self, memory: Memory, grid: Grid) -> Track | None:
        """Start from here, with the memory of all frames that the user has fixed."""
        if self.logits is None:
            return None
        return Track.start(self.logits, grid, memory, self.trust)


def plant_seeds(scene: Scene, frame: int, prompts: Sequence[Prompt]) -> list[Seed]:
    """Decode the user's own prompts on one frame.

    Parameters
    ----------
    scene : Scene
        Where the embeddings come from and the decoder is.
    frame : int
        The prompted frame.
    prompts : sequence of Prompt
        All on this frame, one per object.

    Returns
    -------
    list of Seed
        One per prompt.
    """
    view = scene.view(frame)
    return [plant(scene, view, prompt) for prompt in prompts]


def answer_prompt(
    scene: Scene, embedding: Embedding, prompt: Prompt
) -> tuple[np.ndarray, np.ndarray, Choice]:
    """Decode what a user pointed at, on top of what the user painted.

    Returns
    -------
    logits : (4, h, w) array of float32
    iou_predictions : (4,) array of float32
    chosen : Choice
        The one that propagation starts from.
    """
    clicks, painted = prompt.to_model(scene.geometry), None
    if prompt.mask is not None:
        painted = painted_logits(scene, prompt.mask)
        clicks = _inside(painted, clicks, scene.grid)
    candidates = scene.decoder.decode(embedding, [clicks], [painted])
    logits, ratings = candidates.low_res_logits[0], candidates.iou_predictions[0]
    if prompt.mask is not None or not prompt.is_single_click:
        return logits, ratings, choose_for_prompt(prompt, logits, ratings, scene.grid)
    anew = scene.rate(candidates)[0]
    choice = choose_for_prompt(prompt, logits, anew, scene.grid)
    # Verdicts compare it with SAM's ratings on other frames, which are higher.
    quality = float(np.clip(ratings[choice.index], 0, 1))
    return logits, anew, replace(choice, iou_prediction=quality)


def _inside(painted: np.ndarray, clicks: ModelPrompt, grid: Grid) -> ModelPrompt:
    """Add a point on what was painted: negative ones alone say nothing about it."""
    inner = prompt_from_mask(painted, grid)
    if clicks.labels.any() or clicks.box is not None or inner is None:
        return clicks
    return together(clicks, inner, inner.box)


def painted_logits(scene: Scene, mask: PaintedMask) -> np.ndarray:
    """Bring a painted mask to the decoder's grid, as (h, w) logits."""
    return mask_logits(mask.to_array(), scene.geometry, scene.decoder.mask_size)


def plant(scene: Scene, view: View, prompt: Prompt) -> Seed:
    """Decode one prompt on its frame, or take it as it is painted."""
    if prompt.is_absence:
        return Seed(absent(prompt.object_id))
    if prompt.mask is not None and prompt.is_settled:
        return _painted(scene, view, prompt.object_id, prompt.mask)
    _, _, choice = answer_prompt(scene, view.embedding, prompt)
    # A mask that the user has picked needs no further proof.
    trust = choice.confidence if prompt.hypothesis is None else 1.0
    is_sure = trust >= scene.settings.doubtful_below
    verdict = Verdict.PROMPTED if is_sure else Verdict.DOUBTFUL
    result = ObjectResult.of(prompt.object_id, verdict, choice, confidence=trust)
    memory = Memory.of(view, choice.logits)
    return Seed(Outcome.of(result, choice.logits), choice.logits, memory, trust)


def _painted(scene: Scene, view: View, object_id: int, mask: PaintedMask) -> Seed:
    logits = painted_logits(scene, mask)
    result = ObjectResult.certain(object_id)
    outcome = Outcome.of(result, logits, painted=mask)
    return Seed(outcome, logits, Memory.of(view, logits))
