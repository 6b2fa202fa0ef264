"""Sweep over the frames, forwards and then backwards, and yield what is known."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from napari_sam_decoder.propagation.board import Board
from napari_sam_decoder.propagation.follow import (
    Step,
    absent,
    follow_tracks,
    plant_seeds,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_sam_decoder.propagation.plan import Itinerary, Leg
    from napari_sam_decoder.propagation.results import FrameResult
    from napari_sam_decoder.propagation.scene import Scene
    from napari_sam_decoder.propagation.track import Track

__all__ = ["propagate"]


def propagate(scene: Scene, itinerary: Itinerary) -> Iterator[FrameResult]:
    """Carry prompted objects through the planned frames.

    1. The forward sweep decodes the prompts of each prompted frame and carries every
       object on from there, all objects of a frame in one decoder call.
    2. The backward sweep carries them back from each prompted frame.
    3. A frame that only one sweep comes past is yielded once. One that both come past
       is yielded after each, the second time with both joined and ``is_final`` set.

    Parameters
    ----------
    scene : Scene
        Where the embeddings come from, the decoder, and how to decide.
    itinerary : Itinerary
        What to do, see `plan`.

    Returns
    -------
    iterator of FrameResult
        As many as ``itinerary.visits``, in the order of computation. Stopping early
        loses nothing that was yielded.
    """
    return _Run(scene, itinerary).both_ways()


class _Run:
    """One propagation: its legs, and where each of them is."""

    def __init__(self, scene: Scene, itinerary: Itinerary) -> None:
        self._scene = scene
        self._itinerary = itinerary
        self._tracks: dict[Leg, Track | None] = dict.fromkeys(itinerary.legs)
        self._board = Board(scene, itinerary)

    def both_ways(self) -> Iterator[FrameResult]:
        for frame in self._itinerary.forward:
            self._plant(frame)
            self._follow(frame, step=1)
            yield self._board.report(frame)
        for frame in self._itinerary.backward:
            self._follow(frame, step=-1)
            yield self._board.report(frame)

    def _plant(self, frame: int) -> None:
        prompts = [p for p in self._itinerary.prompts if p.frame == frame]
        if not prompts:
            return
        seeds = plant_seeds(self._scene, frame, prompts)
        for prompt, seed in zip(prompts, seeds, strict=True):
            self._board.note(frame, seed.outcome)
            for leg in self._tracks:
                if (leg.object_id, leg.seed) == (prompt.object_id, frame):
                    self._tracks[leg] = seed.track

    def _follow(self, frame: int, step: int) -> None:
        legs = [
            leg
            for leg in self._tracks
            if leg.frames.step == step and frame in leg.frames
        ]
        alive = {leg.object_id: track for leg in legs if (track := self._tracks[leg])}
        steps = follow_tracks(self._scene, frame, alive)
        for leg in legs:
            done = steps.get(leg.object_id, Step(absent(leg.object_id), None))
            self._tracks[leg] = done.track
            distance = abs(frame - leg.seed)
            self._board.note(frame, replace(done.outcome, distance=distance))
