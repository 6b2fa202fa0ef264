"""Decode the user's prompts on a frame, those of all objects together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.appearance.memory import Memory
from napari_sam_decoder.model.values import ModelPrompt
from napari_sam_decoder.prompts import mask_logits
from napari_sam_decoder.propagation.accumulator import Estimate
from napari_sam_decoder.propagation.decoding import DecoderInput, decode
from napari_sam_decoder.propagation.prior import combine_prompts, prompt_from_mask
from napari_sam_decoder.propagation.results import ObjectResult, Reason
from napari_sam_decoder.propagation.track import Track
from napari_sam_decoder.selection import (
    choose_by_quality,
    choose_together,
    exclude_scene_masks,
    overlap_costs,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_sam_decoder.appearance.features import FrameFeatures
    from napari_sam_decoder.model.values import Embedding
    from napari_sam_decoder.prompts import PaintedMask, Prompt
    from napari_sam_decoder.propagation.context import Context
    from napari_sam_decoder.propagation.prior import Grid
    from napari_sam_decoder.selection import Choice

__all__ = [
    "DecodedPrompt",
    "InitialMask",
    "PromptDecision",
    "decide_prompts",
    "decode_prompts",
    "initial_masks",
]

MAX_RIVAL_POINTS = 2
"""Points of other objects given to the decoder: more of them eat into the mask."""


@dataclass(frozen=True, eq=False)
class DecodedPrompt:
    """The candidate masks for one prompt, before other objects are considered.

    Attributes
    ----------
    prompt : Prompt
    points : ModelPrompt
        As given to the decoder; for a painted mask, its innermost point.
    logits : (N, h, w) array of float32
        Four masks as the decoder gives them, or a single painted one.
    ratings : (N,) array of float32
        By which a mask is chosen. Those of a single click come from the `Rater`, if the
        model has one, else from SAM's decoder, whose ratings may exceed 1.
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
        """Whether other objects may change it: nothing was picked, boxed or painted."""
        prompt = self.prompt
        return prompt.hypothesis is None and prompt.box is None and prompt.mask is None

    def eligible(self, content: tuple[int, int]) -> Sequence[int]:
        """Return the indices of the masks that may be chosen.

        A single click is ambiguous, so only the three hypotheses are eligible. For
        other prompts the single-mask output may be best. A picked hypothesis is final.
        """
        if self.prompt.hypothesis is not None:
            return (self.prompt.hypothesis,)
        first = 1 if _is_ambiguous(self.prompt) else 0
        return exclude_scene_masks(self.logits, range(first, len(self.logits)), content)

    def choice(self, index: int, grid: Grid) -> Choice:
        """Return one of the masks as the chosen one."""
        chosen = choose_by_quality(self.logits, self.ratings, (index,), grid.content)
        # Verdicts compare it with SAM's ratings on other frames, which are higher.
        return replace(chosen, iou_prediction=float(self.qualities[index]))


@dataclass(frozen=True, eq=False)
class PromptDecision:
    """The mask that a prompt gives beside those of the other objects.

    Attributes
    ----------
    decoded : DecodedPrompt
        Of the prompt alone.
    choice : Choice
        What propagation starts from. Its index is 0 for a mask that is none of the
        hypotheses.
    score : float
        0..1, rating of the chosen mask minus the cost of its overlaps.
    scores : (N,) array of float
        The same for each candidate; 0 if it is not eligible. Unless the user has picked
        a hypothesis, none is above ``score``.
    is_candidate : bool
        Whether the mask is one of the candidates, with nothing removed from it.
    """

    decoded: DecodedPrompt
    choice: Choice
    score: float
    scores: np.ndarray
    is_candidate: bool


def decode_prompts(
    context: Context, embedding: Embedding, prompts: Sequence[Prompt]
) -> list[DecodedPrompt]:
    """Decode prompts, each by itself, in one call.

    Parameters
    ----------
    context : Context
        Has the decoder.
    embedding : Embedding
        Of the frame.
    prompts : sequence of Prompt
        On that frame, one per object; none that marks its object as absent.

    Returns
    -------
    list of DecodedPrompt
        One per prompt.
    """
    undecided = [prompt for prompt in prompts if not prompt.is_settled]
    inputs = [_decoder_input(context, prompt) for prompt in undecided]
    decoded = iter(_decode(context, embedding, undecided, inputs))
    return [
        _take_painted(context, prompt, prompt.mask)
        if prompt.mask is not None and prompt.is_settled
        else next(decoded)
        for prompt in prompts
    ]


def decide_prompts(
    context: Context, embedding: Embedding, decoded: Sequence[DecodedPrompt]
) -> list[PromptDecision]:
    """Choose a mask for each object of a frame, all together.

    1. Those masks are chosen whose ratings, minus the costs of overlaps, have the
       largest sum.
    2. If the masks of two objects contain each other's points, both prompts are decoded
       again, with the points of the other object as negative points.
    3. If a mask contains another object's point, and not the other way round, the other
       mask is removed from it.

    Parameters
    ----------
    context : Context
        Has the decoder.
    embedding : Embedding
        Of the frame.
    decoded : sequence of DecodedPrompt
        One per object, see `decode_prompts`.

    Returns
    -------
    list of PromptDecision
        One per object. What was picked, boxed or painted stays as it is, and the others
        adapt to it.
    """
    if not decoded:
        return []
    joint = _JointChoice.of(decoded, context.grid)
    picks = joint.picks()
    rivals = joint.rivals(picks)
    if rivals:
        again = _decode_apart(context, embedding, decoded, rivals)
        joint = joint.with_second(again, rivals)
        picks = joint.picks()
    return joint.decisions(picks)


def _decode_apart(
    context: Context,
    embedding: Embedding,
    decoded: Sequence[DecodedPrompt],
    rivals: Mapping[int, Sequence[int]],
) -> dict[int, DecodedPrompt]:
    """Decode again, with the nearest points of the rivals as negative points."""
    inputs = [
        _with_rival_points(decoded[key].points, [decoded[one].points for one in others])
        for key, others in rivals.items()
    ]
    prompts = [decoded[key].prompt for key in rivals]
    second = _decode(context, embedding, prompts, inputs)
    return dict(zip(rivals, second, strict=True))


def _with_rival_points(own: ModelPrompt, rivals: Sequence[ModelPrompt]) -> DecoderInput:
    theirs = np.concatenate([rival.points[rival.signs > 0] for rival in rivals])
    mine = own.points[own.signs > 0]
    distances = np.linalg.norm(theirs[:, None] - mine, axis=2).min(axis=1)
    nearest = theirs[np.argsort(distances, kind="stable")[:MAX_RIVAL_POINTS]]
    negative = ModelPrompt(nearest, np.zeros(len(nearest), int))
    return DecoderInput(combine_prompts(own, negative, own.box))


def _decoder_input(context: Context, prompt: Prompt) -> DecoderInput:
    """Translate a prompt; what was painted gets an innermost point if it needs one."""
    clicks = prompt.to_model(context.geometry)
    if prompt.mask is None:
        return DecoderInput(clicks)
    mask = _low_res_logits(context, prompt.mask)
    inner = prompt_from_mask(mask, context.grid)
    if not (clicks.signs.any() or clicks.box is not None or inner is None):
        clicks = combine_prompts(clicks, inner, inner.box)
    return DecoderInput(clicks, mask)


def _decode(
    context: Context,
    embedding: Embedding,
    prompts: Sequence[Prompt],
    inputs: Sequence[DecoderInput],
) -> list[DecodedPrompt]:
    if not prompts:
        return []
    candidates = decode(context, embedding, inputs)
    qualities = candidates.iou_predictions
    ambiguous = [_is_ambiguous(prompt) for prompt in prompts]
    rated = context.rate(candidates) if any(ambiguous) else qualities
    ratings = np.where(np.array(ambiguous)[:, None], rated, qualities)
    points = [one.prompt for one in inputs]
    masks = candidates.low_res_logits, ratings, qualities.clip(0, 1)
    return [
        DecodedPrompt(*parts) for parts in zip(prompts, points, *masks, strict=True)
    ]


def _is_ambiguous(prompt: Prompt) -> bool:
    return prompt.is_single_click and prompt.mask is None


def _take_painted(context: Context, prompt: Prompt, mask: PaintedMask) -> DecodedPrompt:
    logits = _low_res_logits(context, mask)
    inner = prompt_from_mask(logits, context.grid)
    nowhere = ModelPrompt(np.zeros((0, 2), np.float32), np.zeros(0, int))
    sure = np.ones(1, np.float32)
    return DecodedPrompt(prompt, inner or nowhere, logits[None], sure, sure)


def _low_res_logits(context: Context, mask: PaintedMask) -> np.ndarray:
    return mask_logits(mask.to_array(), context.geometry, context.decoder.mask_size)


@dataclass(frozen=True, eq=False)
class _Candidate:
    """One of the masks that may be chosen for an object.

    Attributes
    ----------
    owner : int
        Index of the object.
    decoded : DecodedPrompt
        Of the prompt alone, or with points of rivals.
    index : int
        Of the mask.
    score : float
        Its rating; -inf if it is not eligible.
    """

    owner: int
    decoded: DecodedPrompt
    index: int
    score: float

    @property
    def logits(self) -> np.ndarray:
        mask: np.ndarray = self.decoded.logits[self.index]
        return mask


def _candidates(owner: int, decoded: DecodedPrompt, grid: Grid) -> list[_Candidate]:
    eligible = decoded.eligible(grid.content)
    return [
        _Candidate(
            owner, decoded, index, float(rating) if index in eligible else -np.inf
        )
        for index, rating in enumerate(decoded.ratings)
    ]


class _JointChoice:
    """All candidates for all objects of a frame, and the costs of their overlaps."""

    def __init__(
        self,
        decoded: Sequence[DecodedPrompt],
        candidates: list[_Candidate],
        grid: Grid,
    ) -> None:
        self._decoded, self._candidates, self._grid = decoded, candidates, grid
        count = len(candidates)
        self._owners = np.array([candidate.owner for candidate in candidates])
        self._costs = np.zeros((count, count), np.float32)
        self._contains = np.zeros((count, len(decoded)), bool)
        self._scores = np.array([candidate.score for candidate in candidates])
        if len(decoded) > 1:
            self._compare()

    @classmethod
    def of(cls, decoded: Sequence[DecodedPrompt], grid: Grid) -> _JointChoice:
        """Choose among the masks of each prompt alone."""
        candidates = [_candidates(key, one, grid) for key, one in enumerate(decoded)]
        return cls(decoded, list(chain.from_iterable(candidates)), grid)

    def with_second(
        self, second: Mapping[int, DecodedPrompt], rivals: Mapping[int, Sequence[int]]
    ) -> _JointChoice:
        """Add the masks that were decoded again; exclude those with rivals' points."""
        later = [
            candidate
            for key, decoded in second.items()
            for candidate in _candidates(key, decoded, self._grid)
        ]
        candidates = sorted([*self._candidates, *later], key=lambda one: one.owner)
        joint = _JointChoice(self._decoded, candidates, self._grid)
        for key, others in rivals.items():
            joint._exclude(key, others)
        return joint

    def picks(self) -> np.ndarray:
        """Choose one candidate for each object; returns their indices."""
        return choose_together(self._scores, self._owners, self._costs)

    def rivals(self, picks: np.ndarray) -> dict[int, list[int]]:
        """Find the objects whose masks contain each other's points."""
        mutual = self._contains[picks] & self._contains[picks].T
        return {
            key: np.flatnonzero(mutual[key]).tolist()
            for key, decoded in enumerate(self._decoded)
            if decoded.is_open and mutual[key].any()
        }

    def decisions(self, picks: np.ndarray) -> list[PromptDecision]:
        """Return the picks, each without what belongs to other objects."""
        scores = self._scores - self._costs[:, picks].sum(axis=1)
        return [
            self._decision(key, picks, scores.clip(0, 1))
            for key in range(len(self._decoded))
        ]

    def _decision(
        self, key: int, picks: np.ndarray, scores: np.ndarray
    ) -> PromptDecision:
        decoded, pick = self._decoded[key], picks[key]
        picked = self._candidates[pick]
        choice = picked.decoded.choice(picked.index, self._grid)
        is_first, inner = picked.decoded is decoded, self._inner_objects(key, picks)
        if not is_first:
            choice = replace(choice, index=0)
        for other in inner:
            theirs = self._candidates[picks[other]].logits
            choice = replace(choice, logits=np.minimum(choice.logits, -theirs))
        own = np.flatnonzero(self._owners == key)
        alone = [one for one in own if self._candidates[one].decoded is decoded]
        is_candidate = is_first and not inner
        score = float(scores[pick])
        return PromptDecision(decoded, choice, score, scores[alone], is_candidate)

    def _inner_objects(self, key: int, picks: np.ndarray) -> list[int]:
        """Find the objects that lie inside another one and are removed from it.

        The mask contains their points, but theirs does not contain its own: otherwise
        neither mask is right.
        """
        if not self._decoded[key].is_open:
            return []
        contained = self._contains[picks]
        inner: list[int] = np.flatnonzero(contained[key] & ~contained[:, key]).tolist()
        return inner

    def _compare(self) -> None:
        """Measure overlaps, and which masks contain which objects' points."""
        masks = np.stack([self._grid.crop(one.logits) > 0 for one in self._candidates])
        self._costs = overlap_costs(masks.reshape(len(masks), -1), self._owners)
        for key, decoded in enumerate(self._decoded):
            pixels = self._grid.prompt_pixels(decoded.points)
            rows, columns = pixels[decoded.points.signs > 0].T
            is_other = self._owners != key
            self._contains[:, key] = masks[:, rows, columns].any(axis=1) & is_other

    def _exclude(self, key: int, others: Sequence[int]) -> None:
        """Exclude masks with rivals' points, unless that leaves none."""
        own = self._owners == key
        excluded = own & self._contains[:, others].any(axis=1)
        if np.isfinite(self._scores[own & ~excluded]).any():
            self._scores[excluded] = -np.inf


@dataclass(frozen=True, eq=False)
class InitialMask:
    """An object on a frame that the user has fixed.

    Attributes
    ----------
    estimate : Estimate
    logits : (h, w) array of float32, optional
        None if the user has marked the object as absent.
    memory : Memory, optional
        Of this frame alone.
    confidence : float
        0..1, of the mask.
    """

    estimate: Estimate
    logits: np.ndarray | None = None
    memory: Memory | None = None
    confidence: float = 1.0

    @classmethod
    def of(
        cls,
        result: ObjectResult,
        logits: np.ndarray,
        features: FrameFeatures,
        painted: PaintedMask | None = None,
    ) -> InitialMask:
        """Remember the object as it is on this frame."""
        estimate = Estimate.of(result, logits, painted)
        memory = Memory.of(features, logits)
        return cls(estimate, logits, memory, result.confidence)

    def start_track(self, memory: Memory, grid: Grid) -> Track | None:
        """Start a track here, with the memory of all fixed frames."""
        if self.logits is None:
            return None
        return Track.start(self.logits, grid, memory, self.confidence)


def initial_masks(
    context: Context,
    frame: int,
    prompts: Sequence[Prompt],
    others: Sequence[Prompt] = (),
) -> list[InitialMask]:
    """Make masks of the user's prompts on one frame.

    Parameters
    ----------
    context : Context
        Has the frames, the decoder and the settings.
    frame : int
        The prompted frame.
    prompts : sequence of Prompt
        All on this frame, one per object.
    others : sequence of Prompt
        Of other objects on this frame; they are taken into account only.

    Returns
    -------
    list of InitialMask
        One per prompt.
    """
    features = context.features(frame)
    present = [prompt for prompt in (*prompts, *others) if not prompt.is_absence]
    decoded = decode_prompts(context, features.embedding, present)
    decisions = decide_prompts(context, features.embedding, decoded)
    choices = {one.decoded.prompt: one.choice for one in decisions}

    def initial_mask(prompt: Prompt) -> InitialMask:
        if prompt.is_absence:
            absent = ObjectResult.absent(prompt.object_id, Reason.SAID)
            return InitialMask(Estimate(absent))
        choice = choices[prompt]
        if prompt.is_settled:
            confirmed = ObjectResult.confirmed(prompt.object_id)
            return InitialMask.of(confirmed, choice.logits, features, prompt.mask)
        # A picked hypothesis is taken as certain.
        confidence = choice.confidence if prompt.hypothesis is None else 1.0
        doubtful_below = context.settings.doubtful_below
        result = ObjectResult.prompted(
            prompt.object_id, choice, confidence, doubtful_below
        )
        return InitialMask.of(result, choice.logits, features)

    return [initial_mask(prompt) for prompt in prompts]
