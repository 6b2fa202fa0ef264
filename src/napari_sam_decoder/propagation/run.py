"""Sweep over the frames, forwards and then backwards, and yield what is known."""

from __future__ import annotations

from concurrent.futures import Future, wait
from dataclasses import replace
from functools import reduce
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

from napari_sam_decoder.appearance.memory import Memory
from napari_sam_decoder.propagation.accumulator import Board
from napari_sam_decoder.propagation.decoding import Journey
from napari_sam_decoder.propagation.initial_masks import plant_seeds
from napari_sam_decoder.propagation.track import absent, follow_tracks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from napari_sam_decoder.propagation.context import Scene
    from napari_sam_decoder.propagation.initial_masks import Seed
    from napari_sam_decoder.propagation.plan import Itinerary, Leg
    from napari_sam_decoder.propagation.results import FrameResult
    from napari_sam_decoder.propagation.track import Step, Track

__all__ = ["propagate"]


def propagate(scene: Scene, itinerary: Itinerary) -> Iterator[FrameResult]:
    """Carry prompted objects through the planned frames.

    1. The prompts are decoded on their own frames. All that they show of an object is
       remembered on every way that starts from one of them.
    2. The forward sweep carries every object on from there, all objects of a frame in
       one decoder call.
    3. The backward sweep carries them back from each prompted frame.
    4. A frame that only one sweep comes past is yielded once. One that both come past
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
        self._plant()
        yield from self._sweep(self._itinerary.forward, 1)
        yield from self._sweep(self._itinerary.backward, -1)

    def _sweep(self, frames: Sequence[int], step: int) -> Iterator[FrameResult]:
        """Take frame after frame, while the next ones are prepared.

        A step starts when its own frame is ready, so that it never holds a lane only to
        wait, and before the frame after the next one is begun.
        """
        threads = self._scene.steps
        ready: dict[int, Future[None]] = {}
        for index, frame in enumerate(frames):
            if frame in ready:
                wait([ready.pop(frame)])
            is_followed = any(self._tracks.values())
            ahead = frames[index : index + threads.workers + 1] if is_followed else ()
            taken = threads.submit(self._take, frame, step)
            for before, following in pairwise(ahead):
                if following == before + step and following not in ready:
                    ready[following] = threads.submit(
                        self._scene.prepare, following, before
                    )
            yield taken.result()

    def _take(self, frame: int, step: int) -> FrameResult:
        self._follow(frame, step)
        return self._board.report(frame)

    def _plant(self) -> None:
        seeds: dict[int, dict[int, Seed]] = {}
        prompts = sorted(self._itinerary.prompts, key=lambda prompt: prompt.frame)
        for frame, group in groupby(prompts, key=lambda prompt: prompt.frame):
            together = list(group)
            beside = self._itinerary.beside.within(range(frame, frame + 1))
            planted = plant_seeds(self._scene, frame, together, tuple(beside))
            for prompt, seed in zip(together, planted, strict=True):
                seeds.setdefault(prompt.object_id, {})[frame] = seed
                self._board.note(frame, seed.outcome)
        for object_id, by_frame in seeds.items():
            self._start(object_id, by_frame)

    def _start(self, object_id: int, seeds: Mapping[int, Seed]) -> None:
        remembered = [seed.memory for seed in seeds.values() if seed.memory]
        if not remembered:
            return
        memory = reduce(Memory.join, remembered)
        for leg in self._tracks:
            if leg.object_id == object_id:
                self._tracks[leg] = seeds[leg.seed].track(memory, self._scene.grid)

    def _follow(self, frame: int, step: int) -> None:
        legs = [
            leg
            for leg in self._tracks
            if leg.frames.step == step and frame in leg.frames
        ]
        alive = {leg.object_id: track for leg in legs if (track := self._tracks[leg])}
        steps = self._steps(frame, frame - step, alive) if alive else {}
        for leg in legs:
            done = steps.get(leg.object_id)
            self._tracks[leg] = done.track if done else None
            outcome = done.outcome if done else absent(leg.object_id)
            distance = abs(frame - leg.seed)
            self._board.note(frame, replace(outcome, distance=distance))

    def _steps(
        self, frame: int, before: int, tracks: Mapping[int, Track]
    ) -> dict[int, Step]:
        journey = Journey.to(self._scene, frame, before, tracks)
        settled = self._board.logits(frame)
        return follow_tracks(self._scene, frame, journey, settled)
