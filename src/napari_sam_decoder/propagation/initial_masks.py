"""Make masks of what a person shows on a frame, those of all objects together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.appearance.memory import Memory
from napari_sam_decoder.frames import PlacedMask
from napari_sam_decoder.interactive import Answer, answer
from napari_sam_decoder.prompts import PaintedMask, mask_logits
from napari_sam_decoder.propagation.accumulator import Estimate, PackedLogits
from napari_sam_decoder.propagation.results import ObjectResult, Reason
from napari_sam_decoder.propagation.track import Track
from napari_sam_decoder.selection import choose_together, overlap_costs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from napari_sam_decoder.interactive import ShownFrame
    from napari_sam_decoder.prompts import Prompt
    from napari_sam_decoder.propagation.context import Context
    from napari_sam_decoder.propagation.views import Views

__all__ = [
    "AnsweredPrompt",
    "InitialMask",
    "PromptDecision",
    "answer_prompts",
    "decide_prompts",
    "initial_masks",
    "settled_mask",
]

MAX_RIVAL_POINTS = 2
"""Points of other objects that count as background: more of them eat into the mask."""

COMPARED_SIDE = 256
"""Masks are compared on every n-th pixel, so that about so many are left a side."""


@dataclass(frozen=True, eq=False)
class AnsweredPrompt:
    """What a prompt gives before other objects are considered.

    Attributes
    ----------
    prompt : Prompt
    answer : Answer
        Of the prompt alone.
    """

    prompt: Prompt
    answer: Answer

    @property
    def is_open(self) -> bool:
        """Whether other objects may change it: it is one click or scribble, no pick."""
        answered = self.answer
        is_first = answered.beginning.first is not None and not answered.actions
        return is_first and answered.hypothesis is None

    @property
    def candidates(self) -> list[tuple[int, np.ndarray, float]]:
        """Number, (Y, X) mask and rating of each mask that may be chosen.

        1 to 3 are hypotheses; number 0 is no hypothesis but the answer as a whole.
        """
        if self.is_open and self.answer.proposals is not None:
            offered = self.answer.proposals.hypotheses
            return [
                (number, one.mask, one.rating)
                for number, one in enumerate(offered, start=1)
            ]
        picked = None if self.answer.actions else self.answer.hypothesis
        return [(picked or 0, self.answer.mask, self.answer.rating)]

    @property
    def points(self) -> np.ndarray:
        """(N, 2) pixels that were clicked on the object, or one of its own, if any."""
        beginning = self.answer.beginning
        actions = [beginning.first, *self.answer.actions]
        clicked = [
            one.pixels[len(one.pixels) // 2]
            for one in actions
            if one is not None and one.is_positive
        ]
        if clicked:
            return np.array(clicked)
        inside = np.argwhere(self.answer.mask)
        return inside[len(inside) // 2 :][:1]


@dataclass(frozen=True, eq=False)
class PromptDecision:
    """The mask that a prompt gives beside those of the other objects.

    Attributes
    ----------
    answered : AnsweredPrompt
        Of the prompt alone.
    mask : (Y, X) array of bool
        What propagation starts from.
    rating : float
        0..1, expected IoU.
    score : float
        0..1, rating minus the cost of overlaps.
    scores : mapping of int to float
        The same for each hypothesis that might have been chosen, by its number.
    number : {0, 1, 2, 3}
        Of the hypothesis that the mask is; 0 for any other mask.
    apart : Answer, optional
        Of the prompt with points of other objects as negative points.
    """

    answered: AnsweredPrompt
    mask: np.ndarray
    rating: float
    score: float
    scores: Mapping[int, float]
    number: int
    apart: Answer | None = None


def answer_prompts(
    frame: ShownFrame, prompts: Sequence[Prompt], known: Iterable[Answer] = ()
) -> list[AnsweredPrompt]:
    """Answer the prompts of a frame, each by itself.

    Parameters
    ----------
    frame : ShownFrame
        On which they are.
    prompts : sequence of Prompt
        One per object; none that marks its object as absent.
    known : iterable of Answer
        Earlier ones on this frame.

    Returns
    -------
    list of AnsweredPrompt
        One per prompt.
    """
    earlier = list(known)
    return [
        AnsweredPrompt(prompt, answer(frame, prompt, known=earlier))
        for prompt in prompts
    ]


def decide_prompts(
    frame: ShownFrame, answered: Sequence[AnsweredPrompt], known: Iterable[Answer] = ()
) -> list[PromptDecision]:
    """Choose a mask for each object of a frame, all together.

    1. Those masks are chosen whose ratings, minus the costs of overlaps, have the
       largest sum.
    2. If the masks of two objects contain each other's points, both are answered again,
       with the points of the other object as negative points.
    3. If a mask contains another object's point, and not the other way round, the other
       mask is removed from it.

    Parameters
    ----------
    frame : ShownFrame
        On which they are.
    answered : sequence of AnsweredPrompt
        One per object.
    known : iterable of Answer
        Earlier ones on this frame, so that objects that are told apart already need not
        be answered again.

    Returns
    -------
    list of PromptDecision
        One per object. Whatever is more than one click stays as it is, and the others
        adapt to it.
    """
    if not answered:
        return []
    joint, again = _JointChoice.of(answered), {}
    picks = joint.picks()
    rivals = joint.rivals(picks)
    if rivals:
        earlier = list(known)
        for key, others in rivals.items():
            own = answered[key]
            apart = _apart(own, [answered[one] for one in others])
            again[key] = answer(frame, apart, known=[own.answer, *earlier])
        joint = joint.with_second(again, rivals)
        picks = joint.picks()
    return [
        replace(decision, apart=again.get(key))
        for key, decision in enumerate(joint.decisions(picks))
    ]


def _apart(own: AnsweredPrompt, rivals: Sequence[AnsweredPrompt]) -> Prompt:
    """Add the nearest points of the rivals to a prompt as negative points."""
    theirs = np.concatenate([rival.points for rival in rivals])
    distances = np.linalg.norm(theirs[:, None] - own.points, axis=2).min(axis=1)
    nearest = theirs[np.argsort(distances, kind="stable")[:MAX_RIVAL_POINTS]]
    points = [(float(row), float(column)) for row, column in nearest]
    return replace(
        own.prompt,
        points=(*own.prompt.points, *points),
        signs=(*(own.prompt.signs or ()), *([False] * len(points))),
    )


@dataclass(frozen=True, eq=False)
class _Candidate:
    """One of the masks that may be chosen for an object.

    Attributes
    ----------
    owner : int
        Index of the object.
    number : int
        Of the hypothesis, or 0.
    mask : (Y, X) array of bool
    rating : float
    is_first : bool
        Whether it belongs to the prompt alone, not to one with points of rivals.
    """

    owner: int
    number: int
    mask: np.ndarray
    rating: float
    is_first: bool = True


class _JointChoice:
    """All candidates for all objects of a frame, and the costs of their overlaps."""

    def __init__(
        self, answered: Sequence[AnsweredPrompt], candidates: list[_Candidate]
    ) -> None:
        self._answered, self._candidates = answered, candidates
        count = len(candidates)
        self._owners = np.array([candidate.owner for candidate in candidates])
        self._costs = np.zeros((count, count), np.float32)
        self._contains = np.zeros((count, len(answered)), bool)
        self._scores = np.array([candidate.rating for candidate in candidates])
        if len(answered) > 1:
            self._compare()

    @classmethod
    def of(cls, answered: Sequence[AnsweredPrompt]) -> _JointChoice:
        """Choose among the masks of each prompt alone."""
        candidates = [
            [_Candidate(key, *parts) for parts in one.candidates]
            for key, one in enumerate(answered)
        ]
        return cls(answered, list(chain.from_iterable(candidates)))

    def with_second(
        self, second: Mapping[int, Answer], rivals: Mapping[int, Sequence[int]]
    ) -> _JointChoice:
        """Add what was answered again; exclude masks with rivals' points."""
        later = [
            _Candidate(key, 0, one.mask, one.rating, is_first=False)
            for key, one in second.items()
        ]
        candidates = sorted([*self._candidates, *later], key=lambda one: one.owner)
        joint = _JointChoice(self._answered, candidates)
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
            for key, answered in enumerate(self._answered)
            if answered.is_open and mutual[key].any()
        }

    def decisions(self, picks: np.ndarray) -> list[PromptDecision]:
        """Return the picks, each without what belongs to other objects."""
        scores = self._scores - self._costs[:, picks].sum(axis=1)
        return [
            self._decision(key, picks, scores.clip(0, 1))
            for key in range(len(self._answered))
        ]

    def _decision(
        self, key: int, picks: np.ndarray, scores: np.ndarray
    ) -> PromptDecision:
        pick = picks[key]
        chosen, inner = self._candidates[pick], self._inner_objects(key, picks)
        mask = chosen.mask
        for other in inner:
            mask = mask & ~self._candidates[picks[other]].mask
        return PromptDecision(
            self._answered[key],
            mask,
            chosen.rating,
            float(scores[pick]),
            {
                self._candidates[one].number: float(scores[one])
                for one in np.flatnonzero(self._owners == key)
                if self._candidates[one].is_first
            },
            0 if inner else chosen.number,
        )

    def _inner_objects(self, key: int, picks: np.ndarray) -> list[int]:
        """Find the objects that lie inside another one and are removed from it.

        The mask contains their points, but theirs does not contain its own: otherwise
        neither mask is right.
        """
        if not self._answered[key].is_open:
            return []
        contained = self._contains[picks]
        inner: list[int] = np.flatnonzero(contained[key] & ~contained[:, key]).tolist()
        return inner

    def _compare(self) -> None:
        """Measure overlaps, and which masks contain which objects' points."""
        masks = np.stack([_coarse(one.mask) for one in self._candidates])
        self._costs = overlap_costs(masks.reshape(len(masks), -1), self._owners)
        for key, answered in enumerate(self._answered):
            rows, columns = answered.points.T
            contains = [one.mask[rows, columns].any() for one in self._candidates]
            self._contains[:, key] = np.array(contains) & (self._owners != key)

    def _exclude(self, key: int, others: Sequence[int]) -> None:
        """Exclude masks with rivals' points, unless that leaves none."""
        own = self._owners == key
        excluded = own & self._contains[:, others].any(axis=1)
        if np.isfinite(self._scores[own & ~excluded]).any():
            self._scores[excluded] = -np.inf


def _coarse(mask: np.ndarray) -> np.ndarray:
    every = max(max(mask.shape) // COMPARED_SIDE, 1)
    return mask[::every, ::every]


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
        cls, result: ObjectResult, mask: np.ndarray, context: Context, prompt: Prompt
    ) -> InitialMask:
        """Remember the object as it is on a prompt's frame.

        Parameters
        ----------
        result : ObjectResult
            What is known of it.
        mask : (Y, X) array of bool
            In the window of the context.
        context : Context
            Of the window in which it is to be followed.
        prompt : Prompt
            What has shown it.
        """
        if not mask.any():
            return _absent(prompt, Reason.ERASED)
        frame, is_own = prompt.frame, prompt.is_settled
        logits = mask_logits(mask, context.geometry, context.decoder.mask_size)
        estimate = Estimate(
            result,
            PackedLogits.pack(logits, context.window),
            painted=PaintedMask.of(mask),
            is_own=is_own,
        )
        memory = Memory.of(context.features(frame), logits)
        return cls(estimate, logits, memory, result.confidence)

    def start_track(
        self, views: Views, memory: Memory, refiner_share: float = 0.0
    ) -> Track | None:
        """Start a track here, with the memory of all fixed frames."""
        packed = self.estimate.logits
        if self.logits is None or packed is None:
            return None
        window = packed.window
        grid = views.at(window).grid
        track = Track.start(self.logits, window, grid, memory, self.confidence)
        return track and replace(track, refiner_share=refiner_share)


def initial_masks(
    views: Views,
    frame: int,
    prompts: Sequence[Prompt],
    others: Sequence[Prompt] = (),
) -> list[InitialMask]:
    """Make masks of the user's prompts on one frame.

    Parameters
    ----------
    views : Views
        Has the frames, the networks and the settings.
    frame : int
        The prompted frame.
    prompts : sequence of Prompt
        All on this frame, one per object.
    others : sequence of Prompt
        Of other objects on this frame; they are taken into account only.

    Returns
    -------
    list of InitialMask
        One per prompt, in the window in which its object is to be followed.
    """
    present = [prompt for prompt in (*prompts, *others) if not prompt.is_absence]
    made: dict[int, tuple[ObjectResult, PlacedMask]] = {}
    for window, group in views.grouped(present):
        context = views.at(window)
        seen = [prompt for _, prompt in group]
        known = views.answers(frame, window)
        answered = answer_prompts(context.shown(frame), seen, known)
        for decision in decide_prompts(context.shown(frame), answered):
            result = _result(decision, context.settings.doubtful_below)
            mask = PlacedMask(decision.mask, window)
            made[result.object_id] = result, mask
    windows = views.pyramid.shared_windows(
        {key: mask.extent or mask.window for key, (_, mask) in made.items()}
    )

    def remember(prompt: Prompt) -> InitialMask:
        if prompt.is_absence:
            return _absent(prompt, Reason.SAID)
        key = prompt.object_id
        result, mask = made[key]
        context = views.at(windows[key])
        return InitialMask.of(result, mask.seen_in(context.window), context, prompt)

    return [remember(prompt) for prompt in prompts]


def settled_mask(context: Context, prompt: Prompt) -> InitialMask:
    """Take a painted mask as it is, or that there is none.

    Parameters
    ----------
    context : Context
        Has the features of the frame.
    prompt : Prompt
        Settled, in pixels of the context's window.
    """
    if prompt.is_absence or prompt.mask is None:
        return _absent(prompt, Reason.SAID)
    result = ObjectResult.confirmed(prompt.object_id)
    return InitialMask.of(result, prompt.mask.to_array(), context, prompt)


def _absent(prompt: Prompt, reason: Reason) -> InitialMask:
    return InitialMask(Estimate(ObjectResult.absent(prompt.object_id, reason)))


def _result(decision: PromptDecision, doubtful_below: float) -> ObjectResult:
    """A first showing may mean something else; what was picked or corrected is sure."""
    answered = decision.answered
    confirmed = ObjectResult.confirmed(answered.prompt.object_id)
    if answered.answer.is_confirmed:
        return replace(confirmed, hypothesis=decision.number)
    return confirmed.rated(decision.rating, decision.number, doubtful_below)
