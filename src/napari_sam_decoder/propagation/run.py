"""Run a propagation: forwards, then backwards, yielding the result of each frame."""

from __future__ import annotations

from concurrent.futures import Future, wait
from dataclasses import replace
from functools import reduce
from itertools import chain, groupby, pairwise, zip_longest
from typing import TYPE_CHECKING

from napari_sam_decoder.appearance.memory import FIXED, Memory
from napari_sam_decoder.propagation.accumulator import Accumulator, Estimate
from napari_sam_decoder.propagation.decoding import MovedTracks
from napari_sam_decoder.propagation.initial_masks import initial_masks
from napari_sam_decoder.propagation.refiner_trial import refiner_share
from napari_sam_decoder.propagation.results import ObjectResult, Reason
from napari_sam_decoder.propagation.track import advance_tracks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from napari_sam_decoder.appearance.label_propagation import LabelledCells
    from napari_sam_decoder.frames import Window
    from napari_sam_decoder.propagation.accumulator import PackedLogits
    from napari_sam_decoder.propagation.initial_masks import InitialMask
    from napari_sam_decoder.propagation.plan import Itinerary, Leg
    from napari_sam_decoder.propagation.results import FrameResult
    from napari_sam_decoder.propagation.track import Track, TrackUpdate
    from napari_sam_decoder.propagation.views import Views

__all__ = ["propagate"]


def propagate(views: Views, itinerary: Itinerary) -> Iterator[FrameResult]:
    """Carry prompted objects through the planned frames.

    1. The prompts are decoded on their own frames. What they show of an object is
       remembered on every leg that starts from one of them.
    2. The forward pass carries every object on from its prompts, all objects of a frame
       in one decoder call.
    3. The backward pass carries them back from their prompts.
    4. A frame that only one pass reaches is yielded once. A frame that both reach is
       yielded after each of them: the second time both are joined, and ``is_final`` is
       set.

    Each object is followed in the window in which it is well seen; when it leaves that
    one it goes on in another.

    Parameters
    ----------
    views : Views
        Have the frames, the decoder and the settings.
    itinerary : Itinerary
        What to do, see `plan`.

    Returns
    -------
    iterator of FrameResult
        As many as ``itinerary.visits``, in the order of computation. Stopping early
        loses nothing that was yielded.
    """
    return _PropagationRun(views, itinerary).results()


class _PropagationRun:
    """One propagation: its legs, and the track of each."""

    def __init__(self, views: Views, itinerary: Itinerary) -> None:
        self._views = views
        self._itinerary = itinerary
        self._tracks: dict[Leg, Track | None] = dict.fromkeys(itinerary.legs)
        self._accumulator = Accumulator(views, itinerary)

    def results(self) -> Iterator[FrameResult]:
        self._decode_prompts()
        yield from self._pass(self._itinerary.forward, 1)
        yield from self._pass(self._itinerary.backward, -1)

    def _pass(self, frames: Sequence[int], step: int) -> Iterator[FrameResult]:
        """Take frame after frame while the next ones are prepared.

        A frame is taken when its preparation has ended, so that it never blocks a
        thread by waiting, and before the frame after the next is prepared.
        """
        threads = self._views.whole.frame_threads
        prepared: dict[int, Future[None]] = {}
        for index, frame in enumerate(frames):
            if frame in prepared:
                wait([prepared.pop(frame)])
            windows = {track.window for track in self._tracks.values() if track}
            ahead = frames[index : index + threads.workers + 1] if windows else ()
            taken = threads.submit(self._take, frame, step)
            for before, following in pairwise(ahead):
                if following == before + step and following not in prepared:
                    prepared[following] = threads.submit(
                        self._prepare, windows, following, before
                    )
            yield taken.result()

    def _prepare(self, windows: Iterable[Window], frame: int, before: int) -> None:
        for window in windows:
            self._views.at(window).prepare(frame, before)

    def _decode_prompts(self) -> None:
        """Decode the prompts of each prompted frame, and start the legs from them."""
        by_object: dict[int, dict[int, InitialMask]] = {}
        prompts = sorted(self._itinerary.prompts, key=lambda prompt: prompt.frame)
        for frame, group in groupby(prompts, key=lambda prompt: prompt.frame):
            on_frame = list(group)
            others = tuple(self._itinerary.others.within(range(frame, frame + 1)))
            masks = initial_masks(self._views, frame, on_frame, others)
            for prompt, mask in zip(on_frame, masks, strict=True):
                by_object.setdefault(prompt.object_id, {})[frame] = mask
                self._accumulator.add(frame, mask.estimate)
        known = _known_masks(by_object.values())
        share = refiner_share(self._views, known)
        for object_id, masks_by_frame in by_object.items():
            self._start_tracks(object_id, masks_by_frame, share)

    def _start_tracks(
        self, object_id: int, masks: Mapping[int, InitialMask], share: float
    ) -> None:
        memories = [mask.memory for mask in masks.values() if mask.memory]
        if not memories:
            return
        memory = reduce(Memory.join, memories)
        for leg in self._tracks:
            if leg.object_id == object_id:
                known = replace(memory, fixed=_nearest_cells(leg, masks))
                mask = masks[leg.start]
                self._tracks[leg] = mask.start_track(self._views, known, share)

    def _take(self, frame: int, step: int) -> FrameResult:
        """Carry all legs that reach a frame to it, and return its result."""
        legs = [
            leg
            for leg in self._tracks
            if leg.frames.step == step and frame in leg.frames
        ]
        alive = {leg.object_id: track for leg in legs if (track := self._tracks[leg])}
        updates = self._advance(frame, frame - step, alive) if alive else {}
        for leg in legs:
            update = updates.get(leg.object_id)
            self._tracks[leg] = update.track if update else None
            self._add(frame, leg, update)
        return self._accumulator.result(frame)

    def _advance(
        self, frame: int, before: int, tracks: Mapping[int, Track]
    ) -> dict[int, TrackUpdate]:
        """Take the objects to a frame, window by window."""
        followed = self._views.follow(before, tracks)
        updates: dict[int, TrackUpdate] = {}
        for window, group in _by_window(followed):
            context = self._views.at(window)
            moved_tracks = MovedTracks.between(context, frame, before, group)
            decided = self._accumulator.logits(frame) | _found(updates)
            seen = {key: one.seen_in(window) for key, one in decided.items()}
            updates |= advance_tracks(context, frame, moved_tracks, seen)
        return updates

    def _add(self, frame: int, leg: Leg, update: TrackUpdate | None) -> None:
        lost = ObjectResult.absent(leg.object_id, Reason.LOST)
        estimate = update.estimate if update else Estimate(lost)
        distance = abs(frame - leg.start)
        self._accumulator.add(frame, replace(estimate, distance=distance))


def _by_window(
    tracks: Mapping[int, Track],
) -> Iterator[tuple[Window, dict[int, Track]]]:
    for window in sorted({track.window for track in tracks.values()}):
        yield window, {key: one for key, one in tracks.items() if one.window == window}


def _found(updates: Mapping[int, TrackUpdate]) -> dict[int, PackedLogits]:
    return {
        key: update.estimate.logits
        for key, update in updates.items()
        if update.estimate.logits is not None
    }


def _known_masks(
    objects: Iterable[Mapping[int, InitialMask]],
) -> Iterator[tuple[int, PackedLogits]]:
    """Yield frames with low-res logits: the first frame of each object, and so on."""
    rounds = zip_longest(*(masks.items() for masks in objects))
    for frame, mask in filter(None, chain.from_iterable(rounds)):
        if mask.estimate.logits is not None:
            yield frame, mask.estimate.logits


def _nearest_cells(
    leg: Leg, masks: Mapping[int, InitialMask]
) -> tuple[LabelledCells, ...]:
    """Return the cells of the prompted frames nearest to the start of a leg."""
    frames = sorted(masks, key=lambda frame: abs(frame - leg.start))
    memories = [memory for frame in frames if (memory := masks[frame].memory)]
    return tuple(cells for memory in memories[:FIXED] for cells in memory.fixed)
