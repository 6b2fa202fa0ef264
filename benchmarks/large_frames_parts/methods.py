"""Ways to look at a large frame, and what each gives."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from tracking_parts.measures import boundary_f_within

from napari_sam_decoder import Prompt, Session, Settings
from napari_sam_decoder.frames import Pyramid, Window
from napari_sam_decoder.metrics import mask_iou

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from large_frames_parts.scenes import Scene, Stage
    from napari_sam_decoder.model.sam import Sam

__all__ = ["METHODS", "Score", "measure"]

TILE, HALO = 384, 64
NO_WINDOWS = 100_000
EDGE = 2.0
"""Pixels by which a boundary may be off."""


class Tiles(Pyramid):
    """A plain tiling: each object is seen in the tile that its middle is in."""

    def window_for(self, box: Window) -> Window:
        """Return the tile that has the middle of an object, and its halo."""
        middle = np.add(box.origin, np.divide(box.shape, 2))
        return self._around(*(int(value // TILE) for value in middle))

    def next_window(
        self, box: Window, ahead: Window, current: Window, shared: Collection[Window]
    ) -> Window:
        """Return the tile of an object."""
        del ahead, current, shared
        return self.window_for(box)

    def shared_windows(self, boxes: Mapping[int, Window]) -> dict[int, Window]:
        """Return the tile of each object."""
        return {key: self.window_for(box) for key, box in boxes.items()}

    def all(self) -> Iterator[Window]:
        """Yield all tiles."""
        rows, columns = (range(-(-length // TILE)) for length in self.frame_shape)
        for row in rows:
            for column in columns:
                yield self._around(row, column)

    def _around(self, *indices: int) -> Window:
        spans = [
            (max(index * TILE - HALO, 0), min((index + 1) * TILE + HALO, length))
            for index, length in zip(indices, self.frame_shape, strict=True)
        ]
        (top, bottom), (left, right) = spans
        return Window(top, left, bottom - top, right - left)


class TiledSession(Session):
    """A session in which every tile of a frame is embedded."""

    @property
    def _pyramid(self) -> Pyramid:
        return Tiles(self.movie.frame_shape, (TILE + 2 * HALO,))


class CountingSam:
    """A network that counts the frames and windows that it embeds."""

    def __init__(self, sam: Sam) -> None:
        self._sam = sam
        self.encoded = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._sam, name)

    def encode(self, frame: np.ndarray) -> object:
        """Embed a frame."""
        self.encoded += 1
        return self._sam.encode(frame)


@dataclass(frozen=True)
class Score:
    """What a method reaches, as means over objects (and frames).

    Attributes
    ----------
    click, best, box : float
        IoU after a click (as chosen, and of the best hypothesis), and after a box.
    region, edge : float
        J, and F within 2 pixels, on all frames after the first.
    embedded : float
        Frames and windows embedded per frame.
    seconds : float
        Per frame and object, with embedding.
    megabytes : float or None
        Most memory while objects are carried, beyond what was used before.
    """

    click: float
    best: float
    box: float
    region: float
    edge: float
    embedded: float
    seconds: float
    megabytes: float | None


METHODS: dict[str, type[Session]] = {
    "small": Session,
    "windows": Session,
    "whole": Session,
    "tiles": TiledSession,
}


def measure(method: str, scene: Scene, sam: Sam, settings: Settings) -> Score:
    """Segment the objects of a scene by a method."""
    if method == "small":
        stages = list(scene.small())
        scores = [_score(Session, settings, stage, sam) for stage in stages]
        return _mean(scores, [len(stage.objects) for stage in stages])
    if method == "whole":
        settings = replace(settings, smallest_window=NO_WINDOWS)
    return _score(METHODS[method], settings, scene.whole(), sam)


def _mean(scores: Sequence[Score], weights: Sequence[int]) -> Score:
    names = ("click", "best", "box", "region", "edge", "embedded", "seconds")
    means = {
        name: float(np.average([getattr(one, name) for one in scores], weights=weights))
        for name in names
    }
    return replace(scores[0], **means)


def _score(kind: type[Session], settings: Settings, stage: Stage, sam: Sam) -> Score:
    counting = CountingSam(sam)
    with kind(stage.frames, model=counting, settings=settings) as session:
        clicked = [_clicked(session, stage, one) for one in stage.objects]
        boxed = [_boxed(session, stage, one) for one in stage.objects]
    counting.encoded = 0
    with kind(stage.frames, model=counting, settings=settings) as session:
        for one in stage.objects:
            session.add_prompt(Prompt(one, 0, mask=stage.masks[0] == one))
        started = time.perf_counter()
        with _peak_memory() as peak:
            rows = [
                (
                    mask_iou(result.labels == one, stage.masks[result.frame] == one),
                    _edge(stage.masks[result.frame] == one, result.labels == one),
                )
                for result in session.propagate()
                for one in stage.objects
                if result.frame
            ]
        _embed_the_rest(session, len(stage.frames))
    frames = len(stage.frames)
    seconds = (time.perf_counter() - started) / frames / len(stage.objects)
    click, best = np.mean(clicked, axis=0)
    region, edge = np.mean(rows, axis=0)
    return Score(
        float(click),
        float(best),
        float(np.mean(boxed)),
        float(region),
        float(edge),
        counting.encoded / frames,
        seconds,
        peak[0],
    )


def _embed_the_rest(session: Session, frames: int) -> None:
    """A plain tiling embeds all tiles, whatever is asked."""
    pyramid = session._pyramid
    if isinstance(pyramid, Tiles):
        for frame in range(frames):
            for window in pyramid.all():
                session._embedder.at(window).get(frame)


def _clicked(session: Session, stage: Stage, object_id: int) -> tuple[float, float]:
    truth = stage.masks[0] == object_id
    depth = ndimage.distance_transform_edt(np.pad(truth, 1))[1:-1, 1:-1]
    point = np.unravel_index(int(depth.argmax()), depth.shape)
    shown = session.preview(Prompt(object_id, 0, points=[tuple(map(float, point))]))
    offered = [mask_iou(one.mask, truth) for one in shown.hypotheses]
    return mask_iou(shown.chosen.mask, truth), max(offered)


def _boxed(session: Session, stage: Stage, object_id: int) -> float:
    truth = stage.masks[0] == object_id
    rows, columns = np.nonzero(truth)
    box = rows.min(), columns.min(), rows.max() + 1, columns.max() + 1
    shown = session.preview(Prompt(object_id, 0, box=tuple(map(float, box))))
    return mask_iou(shown.chosen.mask, truth)


def _edge(truth: np.ndarray, found: np.ndarray) -> float:
    around = Window.around(truth | found)
    if around is None:
        return 1.0
    place = around.place
    return boundary_f_within(np.pad(truth[place], 4), np.pad(found[place], 4), [EDGE])[
        0
    ]


@contextmanager
def _peak_memory() -> Iterator[list[float | None]]:
    """Sample the memory of the process; Linux only."""
    statm = Path("/proc/self/statm")
    peak: list[float | None] = [None]
    if not statm.exists():
        yield peak
        return
    is_over = threading.Event()

    def resident() -> float:
        return int(statm.read_text().split()[1]) * 4096 / 1e6

    before = resident()

    def sample() -> None:
        while not is_over.wait(0.05):
            peak[0] = max(peak[0] or 0.0, resident() - before)

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield peak
    finally:
        is_over.set()
        thread.join()
