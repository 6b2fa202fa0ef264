"""All ways to carry objects through a movie, by name."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from tracking_parts.baselines import (
    Seed,
    feedback,
    plant,
    projection,
    projection_motion,
    recollection,
    static,
)
from tracking_parts.views import majority

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from napari_sam_decoder import FrameResult, Prompt, Session
    from napari_sam_decoder.propagation import Context
    from tracking_parts.data import Target

    Baseline = Callable[[Context, Seed, Iterable[int]], Iterator[np.ndarray]]
    MaskAt = Callable[[int, int], np.ndarray]
    Method = Callable[[Session, Sequence[Target], Sequence[Prompt]], "Run"]

__all__ = ["METHODS", "USUAL", "Run", "propagate", "whole_range"]


@dataclass(frozen=True, eq=False)
class Run:
    """What a method made of all objects of a sequence.

    Attributes
    ----------
    mask_at : callable
        From an object id and a frame to a (Y, X) mask of bool.
    seconds : float
        Per frame, for all objects together.
    results : dict of int to FrameResult
        By frame; empty for methods that only give masks. Where it is not,
        ``mask_at`` follows changes in it.
    """

    mask_at: MaskAt
    seconds: float
    results: dict[int, FrameResult] = field(default_factory=dict)


class _PackedMasks:
    """Masks of many objects, eight pixels to a byte."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self._shape = shape
        self._packed: dict[tuple[int, int], np.ndarray] = {}

    def put(self, object_id: int, frame: int, mask: np.ndarray) -> None:
        self._packed[object_id, frame] = np.packbits(mask)

    def at(self, object_id: int, frame: int) -> np.ndarray:
        count = self._shape[0] * self._shape[1]
        bits = np.unpackbits(self._packed[object_id, frame], count=count)
        return bits.astype(bool).reshape(self._shape)


def propagate(
    session: Session, targets: Sequence[Target], prompts: Sequence[Prompt]
) -> Run:
    """Let the program carry all objects together, so that they compete for pixels."""
    for object_id in session.prompts.object_ids:
        session.remove_prompts(object_id)
    for prompt in prompts:
        session.add_prompt(prompt)
    direction = "both" if any(target.is_volume for target in targets) else "forward"
    started = perf_counter()
    steps = session.propagate(whole_range(targets), direction=direction)
    results = {result.frame: result for result in steps}
    seconds = (perf_counter() - started) / len(results)

    def mask_at(object_id: int, frame: int) -> np.ndarray:
        mask: np.ndarray = results[frame].labels == object_id
        return mask

    return Run(mask_at, seconds, results)


def whole_range(targets: Sequence[Target]) -> range:
    """From the first to the last frame on which any target is looked at."""
    frames = [
        frame
        for target in targets
        for frame in (*target.past, target.frames[0], target.frames[-1])
    ]
    return range(min(frames), max(frames) + 1)


def _one_by_one(
    baseline: Baseline,
    session: Session,
    targets: Sequence[Target],
    prompts: Sequence[Prompt],
) -> Run:
    context = session._views.whole
    masks = _PackedMasks(context.geometry.frame_shape)
    started = perf_counter()
    for target, prompt in zip(targets, prompts, strict=True):
        seed = plant(context, prompt)
        masks.put(target.object_id, target.start, seed.mask)
        for sweep in target.sweeps:
            for frame, mask in zip(sweep, baseline(context, seed, sweep), strict=True):
                masks.put(target.object_id, frame, mask)
    visited = set().union(*(target.frames for target in targets))
    return Run(masks.at, (perf_counter() - started) / len(visited))


def _in_three_views(
    session: Session, targets: Sequence[Target], prompts: Sequence[Prompt]
) -> Run:
    first = propagate(session, targets, prompts)
    masks, seconds = majority(session, targets, first.results)
    return Run(
        lambda object_id, frame: masks[object_id][frame],
        first.seconds + seconds / len(first.results),
    )


METHODS: dict[str, Method] = {
    "static": partial(_one_by_one, static),
    "feedback": partial(_one_by_one, feedback),
    "projection": partial(_one_by_one, projection),
    "projection-motion": partial(_one_by_one, projection_motion),
    "memory": partial(_one_by_one, recollection),
    "full": propagate,
    "views": _in_three_views,
}
"""What ``--method`` takes."""
USUAL = tuple(name for name in METHODS if name != "views")
"""Those that work on movies, too."""
