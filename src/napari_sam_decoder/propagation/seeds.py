"""What the user's own prompts give on their frames: where every track starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_sam_decoder.memory import Memory
from napari_sam_decoder.propagation.decide import answer, decide, painted_logits
from napari_sam_decoder.propagation.follow import absent
from napari_sam_decoder.propagation.fusion import Outcome
from napari_sam_decoder.propagation.results import ObjectResult, Reason
from napari_sam_decoder.propagation.track import Track

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from napari_sam_decoder.prompts import PaintedMask, Prompt
    from napari_sam_decoder.propagation.grid import Grid
    from napari_sam_decoder.propagation.scene import Scene
    from napari_sam_decoder.selection import Choice
    from napari_sam_decoder.views import View

__all__ = ["Seed", "plant", "plant_seeds"]


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


def plant_seeds(
    scene: Scene, frame: int, prompts: Sequence[Prompt], beside: Sequence[Prompt] = ()
) -> list[Seed]:
    """Decode the user's own prompts on one frame.

    Parameters
    ----------
    scene : Scene
        Where the embeddings come from and the decoder is.
    frame : int
        The prompted frame.
    prompts : sequence of Prompt
        All on this frame, one per object.
    beside : sequence of Prompt
        Of other objects on this frame, which are not planted but have their say.

    Returns
    -------
    list of Seed
        One per prompt.
    """
    return plant(scene, scene.view(frame), prompts, beside)


def plant(
    scene: Scene, view: View, prompts: Sequence[Prompt], beside: Sequence[Prompt] = ()
) -> list[Seed]:
    """Decode prompts on their frame together, or take them as they are painted."""
    every = [prompt for prompt in (*prompts, *beside) if not prompt.is_absence]
    decisions = decide(scene, view.embedding, answer(scene, view.embedding, every))
    by_prompt = dict(zip(every, decisions, strict=True))

    def seed(prompt: Prompt) -> Seed:
        if prompt.is_absence:
            return Seed(absent(prompt.object_id, Reason.SAID))
        if prompt.mask is not None and prompt.is_settled:
            return _painted(scene, view, prompt.object_id, prompt.mask)
        return _clicked(scene, view, prompt, by_prompt[prompt].choice)

    return [seed(prompt) for prompt in prompts]


def _clicked(scene: Scene, view: View, prompt: Prompt, choice: Choice) -> Seed:
    # A mask that the user has picked needs no further proof.
    trust = choice.confidence if prompt.hypothesis is None else 1.0
    result = ObjectResult.pointed(
        prompt.object_id, choice, trust, scene.settings.doubtful_below
    )
    memory = Memory.of(view, choice.logits)
    return Seed(Outcome.of(result, choice.logits), choice.logits, memory, trust)


def _painted(scene: Scene, view: View, object_id: int, mask: PaintedMask) -> Seed:
    logits = painted_logits(scene, mask)
    result = ObjectResult.certain(object_id)
    outcome = Outcome.of(result, logits, painted=mask)
    return Seed(outcome, logits, Memory.of(view, logits))
