"""What the prompts of a frame mean, those of all objects together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.appearance.memory import Memory
from napari_sam_decoder.model.values import ModelPrompt
from napari_sam_decoder.prompts import mask_logits
from napari_sam_decoder.propagation.accumulator import Outcome
from napari_sam_decoder.propagation.prior import prompt_from_mask, together
from napari_sam_decoder.propagation.results import ObjectResult, Reason
from napari_sam_decoder.propagation.track import Track, absent
from napari_sam_decoder.selection import (
    choose_by_quality,
    choose_together,
    exclude_scene_masks,
    overlap_costs,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_sam_decoder.appearance.features import View
    from napari_sam_decoder.model.values import Embedding
    from napari_sam_decoder.prompts import PaintedMask, Prompt
    from napari_sam_decoder.propagation.context import Scene
    from napari_sam_decoder.propagation.prior import Grid
    from napari_sam_decoder.selection import Choice

__all__ = [
    "Answer",
    "Decision",
    "Seed",
    "answer",
    "decide",
    "painted_logits",
    "plant",
    "plant_seeds",
]

MOST_POINTS_BESIDE = 2
"""Points of other objects that the decoder is told: more of them eat into the mask."""


@dataclass(frozen=True, eq=False)
class Answer:
    """What is offered for one prompt, whatever else is on the frame.

    Attributes
    ----------
    prompt : Prompt
    points : ModelPrompt
        Where the object is, and where it is not, as the decoder was asked; of a mask
        that was painted the inmost point.
    logits : (N, h, w) array of float32
        Four masks as the decoder gives them, or a single one that was painted.
    ratings : (N,) array of float32
        By which one of them is chosen: by the `Rater` in use for single clicks, else by
        SAM's decoder, which may exceed 1.
    qualities : (N,) array of float32
        0..1, by SAM's decoder.
    """

    prompt: Prompt
    points: ModelPrompt
    logits: np.ndarray
    ratings: np.ndarray
    qualities: np.ndarray

    @property
    def is_open(self) -> bool:
        """Whether other objects have a say: nothing was picked, boxed or painted."""
        prompt = self.prompt
        return prompt.hypothesis is None and prompt.box is None and prompt.mask is None

    def eligible(self, content: tuple[int, int]) -> Sequence[int]:
        """Indices of what may be chosen.

        One click is ambiguous and asks for the three hypotheses; to more prompts the
        single-mask output may be the best answer. A pick is never overruled.
        """
        if self.prompt.hypothesis is not None:
            return (self.prompt.hypothesis,)
        allowed = range(1 if self.is_ambiguous else 0, len(self.logits))
        return exclude_scene_masks(self.logits, allowed, content)

    def choice(self, index: int, grid: Grid) -> Choice:
        """Report one of the masks as chosen."""
        chosen = choose_by_quality(self.logits, self.ratings, (index,), grid.content)
        # Verdicts compare it with SAM's ratings on other frames, which are higher.
        return replace(chosen, iou_prediction=float(self.qualities[index]))

    @property
    def is_ambiguous(self) -> bool:
        """Whether it is one click alone; points of others beside it change nothing."""
        return _is_ambiguous(self.prompt)


@dataclass(frozen=True, eq=False)
class Decision:
    """What a prompt means, beside those of the other objects.

    Attributes
    ----------
    answer : Answer
        To the prompt alone.
    choice : Choice
        What propagation starts from. Its index is 0 for an answer that no hypothesis
        stands for.
    score : float
        0..1, of what is chosen: its rating, less what it shares with other objects.
    scores : (N,) array of float
        The same of each mask of the answer; 0 of what cannot be meant. Without a pick
        by the user, none is above ``score``.
    is_as_answered : bool
        Whether the mask is one of the answer's, with nothing taken out of it.
    """

    answer: Answer
    choice: Choice
    score: float
    scores: np.ndarray
    is_as_answered: bool


def painted_logits(scene: Scene, mask: PaintedMask) -> np.ndarray:
    """Bring a painted mask to the decoder's grid, as (h, w) logits."""
    return mask_logits(mask.to_array(), scene.geometry, scene.decoder.mask_size)


def answer(
    scene: Scene, embedding: Embedding, prompts: Sequence[Prompt]
) -> list[Answer]:
    """Decode what a user pointed at, on top of what the user painted.

    Parameters
    ----------
    scene : Scene
        Where the decoder is.
    embedding : Embedding
        Of the frame.
    prompts : sequence of Prompt
        On that frame, one per object; none that says that its object is not there.

    Returns
    -------
    list of Answer
        One per prompt, all decoded in one call.
    """
    asked = [prompt for prompt in prompts if not prompt.is_settled]
    decoded = iter(_decoded(scene, embedding, asked))
    return [
        _painted(scene, prompt, prompt.mask)
        if prompt.mask is not None and prompt.is_settled
        else next(decoded)
        for prompt in prompts
    ]


def decide(
    scene: Scene, embedding: Embedding, answers: Sequence[Answer]
) -> list[Decision]:
    """Choose for all objects of a frame what their prompts mean.

    1. The masks with the largest sum of ratings, less what they share.
    2. Where the masks of two objects still hold each other's points, the decoder is
       asked again with these as points beside the object.
    3. Where a mask holds another object's point, and that one's mask does not hold
       this one's, the other mask is taken out of it.

    Parameters
    ----------
    scene : Scene
        Where the decoder is.
    embedding : Embedding
        Of the frame.
    answers : sequence of Answer
        One per object, see `answer`.

    Returns
    -------
    list of Decision
        One per answer. Of a single one that is the best by itself. What was picked,
        boxed or painted stays as it is, and the others adapt to it.
    """
    if not answers:
        return []
    ballot = _Ballot.of(answers, scene.grid)
    picks = ballot.picks()
    rivals = ballot.rivals(picks)
    if rivals:
        ballot = ballot.with_second(_apart(scene, embedding, answers, rivals), rivals)
        picks = ballot.picks()
    return ballot.decisions(picks)


def _apart(
    scene: Scene,
    embedding: Embedding,
    answers: Sequence[Answer],
    rivals: Mapping[int, Sequence[int]],
) -> dict[int, Answer]:
    """Ask once more, with the nearest points of rivals as points beside the object."""
    beside = [
        _beside(answers[place].points, [answers[rival].points for rival in others])
        for place, others in rivals.items()
    ]
    prompts = [answers[place].prompt for place in rivals]
    second = _offered(scene, embedding, prompts, beside, [None] * len(prompts))
    return dict(zip(rivals, second, strict=True))


def _beside(own: ModelPrompt, others: Sequence[ModelPrompt]) -> ModelPrompt:
    theirs = np.concatenate([other.points[other.signs > 0] for other in others])
    mine = own.points[own.signs > 0]
    distances = np.linalg.norm(theirs[:, None] - mine, axis=2).min(axis=1)
    nearest = theirs[np.argsort(distances, kind="stable")[:MOST_POINTS_BESIDE]]
    return together(own, ModelPrompt(nearest, np.zeros(len(nearest), int)), own.box)


def _decoded(
    scene: Scene, embedding: Embedding, prompts: Sequence[Prompt]
) -> list[Answer]:
    asked, painted = [], []
    for prompt in prompts:
        clicks, mask = prompt.to_model(scene.geometry), None
        if prompt.mask is not None:
            mask = painted_logits(scene, prompt.mask)
            clicks = _inside(mask, clicks, scene.grid)
        asked.append(clicks)
        painted.append(mask)
    return _offered(scene, embedding, prompts, asked, painted)


def _offered(
    scene: Scene,
    embedding: Embedding,
    prompts: Sequence[Prompt],
    asked: Sequence[ModelPrompt],
    masks: Sequence[np.ndarray | None],
) -> list[Answer]:
    if not prompts:
        return []
    candidates = scene.decoder.decode(embedding, asked, masks)
    qualities = candidates.iou_predictions
    ambiguous = [_is_ambiguous(prompt) for prompt in prompts]
    anew = scene.rate(candidates) if any(ambiguous) else qualities
    ratings = np.where(np.array(ambiguous)[:, None], anew, qualities)
    offers = candidates.low_res_logits, ratings, qualities.clip(0, 1)
    return [Answer(*parts) for parts in zip(prompts, asked, *offers, strict=True)]


def _is_ambiguous(prompt: Prompt) -> bool:
    return prompt.is_single_click and prompt.mask is None


def _painted(scene: Scene, prompt: Prompt, mask: PaintedMask) -> Answer:
    logits = painted_logits(scene, mask)
    inner = prompt_from_mask(logits, scene.grid)
    nowhere = ModelPrompt(np.zeros((0, 2), np.float32), np.zeros(0, int))
    sure = np.ones(1, np.float32)
    return Answer(prompt, inner or nowhere, logits[None], sure, sure)


def _inside(painted: np.ndarray, clicks: ModelPrompt, grid: Grid) -> ModelPrompt:
    """Add a point on what was painted: negative ones alone say nothing about it."""
    inner = prompt_from_mask(painted, grid)
    if clicks.signs.any() or clicks.box is not None or inner is None:
        return clicks
    return together(clicks, inner, inner.box)


@dataclass(frozen=True, eq=False)
class _Offer:
    """One of the masks that may be chosen for an object.

    Attributes
    ----------
    owner : int
        Which of the objects.
    answer : Answer
        To the prompt alone, or beside points of others.
    index : int
        In the answer.
    score : float
        Its rating; -inf if it cannot be chosen.
    """

    owner: int
    answer: Answer
    index: int
    score: float

    @property
    def logits(self) -> np.ndarray:
        mask: np.ndarray = self.answer.logits[self.index]
        return mask


def _offers(owner: int, given: Answer, grid: Grid) -> list[_Offer]:
    eligible = given.eligible(grid.content)
    return [
        _Offer(owner, given, index, float(rating) if index in eligible else -np.inf)
        for index, rating in enumerate(given.ratings)
    ]


class _Ballot:
    """All offers for all objects of a frame, and what they would cost each other."""

    def __init__(
        self, answers: Sequence[Answer], offers: list[_Offer], grid: Grid
    ) -> None:
        self._answers, self._offers, self._grid = answers, offers, grid
        count = len(offers)
        self._owners = np.array([offer.owner for offer in offers])
        self._costs = np.zeros((count, count), np.float32)
        self._holds = np.zeros((count, len(answers)), bool)
        self._scores = np.array([offer.score for offer in offers])
        if len(answers) > 1:
            self._compare()

    @classmethod
    def of(cls, answers: Sequence[Answer], grid: Grid) -> _Ballot:
        """Offer what was answered to each prompt alone."""
        offers = [_offers(place, given, grid) for place, given in enumerate(answers)]
        return cls(answers, list(chain.from_iterable(offers)), grid)

    def with_second(
        self, second: Mapping[int, Answer], rivals: Mapping[int, Sequence[int]]
    ) -> _Ballot:
        """Offer second answers too, and nothing that holds a rival's point still."""
        later = [
            offer
            for place, given in second.items()
            for offer in _offers(place, given, self._grid)
        ]
        offers = sorted([*self._offers, *later], key=lambda offer: offer.owner)
        ballot = _Ballot(self._answers, offers, self._grid)
        for place, others in rivals.items():
            ballot._strike(place, others)
        return ballot

    def picks(self) -> np.ndarray:
        """Choose one offer for each object."""
        return choose_together(self._scores, self._owners, self._costs)

    def rivals(self, picks: np.ndarray) -> dict[int, list[int]]:
        """Say whose points an object's mask holds, while theirs holds its own."""
        mutual = self._holds[picks] & self._holds[picks].T
        return {
            place: np.flatnonzero(mutual[place]).tolist()
            for place, given in enumerate(self._answers)
            if given.is_open and mutual[place].any()
        }

    def decisions(self, picks: np.ndarray) -> list[Decision]:
        """Report what is chosen, each without what belongs to others."""
        scores = self._scores - self._costs[:, picks].sum(axis=1)
        return [
            self._decision(place, picks, scores.clip(0, 1))
            for place in range(len(self._answers))
        ]

    def _decision(self, place: int, picks: np.ndarray, scores: np.ndarray) -> Decision:
        given, pick = self._answers[place], picks[place]
        offer = self._offers[pick]
        choice = offer.answer.choice(offer.index, self._grid)
        is_first, others = offer.answer is given, self._inside(place, picks)
        if not is_first:
            choice = replace(choice, index=0)
        for other in others:
            theirs = self._offers[picks[other]].logits
            choice = replace(choice, logits=np.minimum(choice.logits, -theirs))
        own = np.flatnonzero(self._owners == place)
        alone = [at for at in own if self._offers[at].answer is given]
        return Decision(
            given, choice, float(scores[pick]), scores[alone], is_first and not others
        )

    def _inside(self, place: int, picks: np.ndarray) -> list[int]:
        """Say which other objects are to be taken out of an object's mask.

        Those whose points it holds, but not if they hold its own too: then neither mask
        is right.
        """
        if not self._answers[place].is_open:
            return []
        held = self._holds[picks]
        inside: list[int] = np.flatnonzero(held[place] & ~held[:, place]).tolist()
        return inside

    def _compare(self) -> None:
        masks = np.stack([self._grid.cut(offer.logits) > 0 for offer in self._offers])
        self._costs = overlap_costs(masks.reshape(len(masks), -1), self._owners)
        for place, given in enumerate(self._answers):
            rows, columns = self._grid.spots(given.points)[given.points.signs > 0].T
            others = self._owners != place
            self._holds[:, place] = masks[:, rows, columns].any(axis=1) & others

    def _strike(self, place: int, others: Sequence[int]) -> None:
        own = self._owners == place
        holds = own & self._holds[:, others].any(axis=1)
        if np.isfinite(self._scores[own & ~holds]).any():
            self._scores[holds] = -np.inf


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
            return _from_painting(scene, view, prompt.object_id, prompt.mask)
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


def _from_painting(scene: Scene, view: View, object_id: int, mask: PaintedMask) -> Seed:
    logits = painted_logits(scene, mask)
    result = ObjectResult.certain(object_id)
    outcome = Outcome.of(result, logits, painted=mask)
    return Seed(outcome, logits, Memory.of(view, logits))
