"""Ways to make a mask of what a person shows, by name.

Each segments one object after the other: `first` begins with the next one.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol
from unittest import mock

import numpy as np

from napari_sam_decoder.interactive.answers import REACHES
from napari_sam_decoder.interactive.clues import SOFTNESS
from napari_sam_decoder.interactive.refiner import refine
from napari_sam_decoder.model.values import GRID_SIDE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from napari_sam_decoder import Preview, Prompt, Scribble, Session
    from napari_sam_decoder.interactive.focus import Focus
    from napari_sam_decoder.model.values import MaskCandidates

__all__ = ["METHODS", "PARTS", "Method", "Offer", "Ours", "PlainSam", "Without"]

ALL = (0, 1, 2, 3)
HYPOTHESES = (1, 2, 3)
POINTS_PER_SCRIBBLE = 3
ENGINE = "napari_sam_decoder.interactive"
SINGLE_OF_DECODER = 4
"""Where the refiner sees the decoder's single mask, see `Clues.seen`."""
SATURATED = 0.999


@dataclass(frozen=True, eq=False)
class Offer:
    """One of the masks that a method offers for the first action.

    Attributes
    ----------
    number : int
        Of the decoder's four masks, 0 if it is the single one or none of them.
    mask : (Y, X) array of bool
    """

    number: int
    mask: np.ndarray


class Method(Protocol):
    """Makes masks of one object on one frame."""

    def first(self, action: Prompt) -> Sequence[Offer]:
        """Offer masks for the first action on an object."""
        ...

    def take(self, offer: Offer) -> None:
        """Go on with the offer that the person has picked."""
        ...

    def next(self, action: Prompt) -> np.ndarray:
        """Return the (Y, X) mask after one more action on the same object."""
        ...


class PlainSam:
    """SAM's own way: all prompts so far, and the last logits as mask prompt.

    Of the four masks that of the best predicted IoU is shown, for a first click one of
    three. SAM knows no scribbles: each becomes three points along it.

    Parameters
    ----------
    session : Session
        Has the decoder and the frames.
    """

    def __init__(self, session: Session) -> None:
        self._context = session._views.whole

    def first(self, action: Prompt) -> Sequence[Offer]:
        """Offer three masks for a click, else four."""
        self._prompt = _as_points(action)
        self._offered = self._ask(None)
        numbers = HYPOTHESES if self._prompt.is_single_click else ALL
        return [Offer(number, self._draw(self._offered, number)) for number in numbers]

    def take(self, offer: Offer) -> None:
        """Keep its logits for the next action."""
        self._logits = self._offered.low_res_logits[0, offer.number]

    def next(self, action: Prompt) -> np.ndarray:
        """Return the mask that SAM rates highest."""
        self._prompt = self._prompt.merge(_as_points(action))
        answer = self._ask(self._logits)
        best = int(answer.iou_predictions[0].argmax())
        self._logits = answer.low_res_logits[0, best]
        return self._draw(answer, best)

    def _ask(self, logits: np.ndarray | None) -> MaskCandidates:
        embedding, _ = self._context.with_pixels(self._prompt.frame)
        prompt = self._prompt
        shown = prompt.points, prompt.signs or (), prompt.outer_box
        question = self._context.geometry.to_prompt(*shown)
        return self._context.decoder.decode(embedding, [question], [logits])

    def _draw(self, answer: MaskCandidates, number: int) -> np.ndarray:
        shape = self._context.geometry.frame_shape
        logits = answer.low_res_logits[0, number]
        return self._context.decoder.enlarge(logits, shape).mask(shape)


class Ours:
    """The program itself, asked as the window asks it.

    Parameters
    ----------
    session : Session
        Without prompts.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def first(self, action: Prompt) -> Sequence[Offer]:
        """Offer the hypotheses and the program's choice."""
        self._prompt, self._known = action, ()
        shown = self._preview()
        return [
            Offer(one.number, one.mask) for one in (*shown.hypotheses, shown.chosen)
        ]

    def take(self, offer: Offer) -> None:
        """Pick the hypothesis, if it is one."""
        if offer.number:
            self._prompt = replace(self._prompt, hypothesis=offer.number)
            self._preview()

    def next(self, action: Prompt) -> np.ndarray:
        """Return the program's choice."""
        self._prompt = self._prompt.merge(action)
        return self._preview().chosen.mask

    def _preview(self) -> Preview:
        self._known: Sequence[Preview] = self._session.preview_together(
            [self._prompt], self._known
        )
        return self._known[0]


def _as_points(action: Prompt) -> Prompt:
    """Replace scribbles by points."""
    if not action.scribbles:
        return action
    points, signs = list(action.points), list(action.signs or ())
    for scribble in action.scribbles:
        points += _points_along(scribble)
        signs += [scribble.is_positive] * POINTS_PER_SCRIBBLE
    return replace(action, points=points, signs=signs, scribbles=())


def _points_along(scribble: Scribble) -> list[tuple[float, float]]:
    """(row, column) of a pixel in the middle of each third."""
    pixels = np.argwhere(scribble.pixels.to_array())
    axis = np.linalg.svd(pixels - pixels.mean(axis=0), full_matrices=False)[2][0]
    along = pixels[np.argsort(pixels @ axis, kind="stable")]
    return [_middle(third) for third in np.array_split(along, POINTS_PER_SCRIBBLE)]


def _middle(pixels: np.ndarray) -> tuple[float, float]:
    distances = np.linalg.norm(pixels - pixels.mean(axis=0), axis=1)
    row, column = pixels[distances.argmin()].tolist()
    return float(row), float(column)


class Without(Ours):
    """The program without one of its parts.

    Parameters
    ----------
    replaced : mapping of str to object
        By name of the part in the program, what stands in for it.
    session : Session
        Without prompts.
    """

    def __init__(self, replaced: Mapping[str, Any], session: Session) -> None:
        super().__init__(session)
        self._replaced = replaced

    def _preview(self) -> Preview:
        with ExitStack() as stack:
            for target, replacement in self._replaced.items():
                stack.enter_context(mock.patch(f"{ENGINE}.{target}", replacement))
            return super()._preview()


class _DecoderAlone:
    """Draws the decoder's single mask in place of the refiner."""

    def refine(self, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        squashed = seen[:, SINGLE_OF_DECODER].clip(-SATURATED, SATURATED)
        return SOFTNESS * np.arctanh(squashed), np.ones(len(seen), np.float32)


def _blank(focus: Focus, logits: np.ndarray | None) -> np.ndarray:
    return np.zeros((len(ALL), GRID_SIDE, GRID_SIDE), np.float32)


PARTS: dict[str, Mapping[str, Any]] = {
    "refiner": {
        "answers.refine": lambda refiner, *seen: refine(_DecoderAlone(), *seen),
        "proposals.refine": lambda refiner, *seen: refine(_DecoderAlone(), *seen),
    },
    "proposals": {"clues._squashed": _blank},
    "wide window": {"answers.REACHES": REACHES[:1]},
    "confirmation": {"answers.CONFIRMED": 1.0},
    "caution": {"answers.TRUSTED": 0.0},
}
"""What is replaced to leave a part out. Without the proposals the refiner does not see
what the decoder draws; for the first action the decoder's masks are still offered."""

METHODS: dict[str, Callable[[Session], Method]] = {
    "sam": PlainSam,
    "ours": Ours,
    **{f"no {part}": partial(Without, replaced) for part, replaced in PARTS.items()},
}
"""What ``--method`` takes."""
