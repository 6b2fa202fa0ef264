"""An ideal network that sees large frames as a whole and through windows."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import numpy as np
from ideal_network import (
    BEST_TOGETHER,
    CELL,
    COLOURS,
    SIDE,
    STRIDE,
    ObedientRefiner,
    as_logits,
    place_of,
)

from napari_sam_decoder.frames import Pyramid, Window
from napari_sam_decoder.model.values import Embedding, FrameLogits, MaskCandidates
from napari_sam_decoder.propagation import Context, Settings, Views

FRAME = 4 * SIDE
"""Side of the frames. Of the whole frame, one low-res pixel is four pixels wide."""

SIDES = (2 * SIDE, SIDE)
"""Of the windows; in the smaller ones a low-res pixel is a pixel."""


@dataclass
class LargeNetwork:
    """Sees the truth in any window, and offers it among worse masks."""

    truth: np.ndarray
    image_size: int = STRIDE * SIDE
    mask_size: int = SIDE
    embedded: list[tuple[int, Window]] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)

    def views(self, settings=None):
        """The movie through windows of `SIDES`."""
        shape = (FRAME, FRAME)
        whole = Context(
            self.source(Window.of_frame(shape)),
            self,
            shape,
            settings or Settings(),
            refiner=ObedientRefiner(BEST_TOGETHER),
        )
        return Views(whole, Pyramid(shape, SIDES), self.source)

    def source(self, window):
        return Source(self, window)

    def embed(self, window, frame):
        """Channels: frame, window, then one for each thing."""
        self.embedded.append((frame, window))
        if window not in self.windows:
            self.windows.append(window)
        seen = self.seen(window, frame)[CELL // 2 :: CELL, CELL // 2 :: CELL]
        things = [seen == thing for thing in range(len(COLOURS))]
        constant = (frame, self.windows.index(window))
        planes = [np.full(seen.shape, value) for value in constant]
        return Embedding(np.stack([*planes, *things]).astype(np.float16), window.shape)

    def seen(self, window, frame):
        """The truth over the low-res grid of a window."""
        unit = window.side // SIDE
        return self.truth[frame][window.place][unit // 2 :: unit, unit // 2 :: unit]

    def decode(self, embedding, prompts, previous_logits=None):
        frame, number = (int(embedding.features[channel, 0, 0]) for channel in (0, 1))
        decoded = [self._answer(self.windows[number], frame, one) for one in prompts]
        return MaskCandidates(*map(np.stack, zip(*decoded, strict=True)))

    def enlarge(self, low_res_logits, frame_shape):
        unit = frame_shape[0] // SIDE
        values = low_res_logits.repeat(unit, axis=0).repeat(unit, axis=1)
        return FrameLogits(values, (slice(frame_shape[0]), slice(frame_shape[1])))

    def _answer(self, window, frame, prompt):
        column, row = (place_of(prompt) / STRIDE).astype(int)
        seen = self.seen(window, frame)
        mask = (seen == seen[row, column]) & (seen > 0)
        part = mask & (np.arange(SIDE) < column)
        masks = [part, part, mask, np.ones_like(mask)]
        ratings = np.array([0.5, 0.6, 0.9, 0.8]) if mask.any() else np.full(4, 0.1)
        return np.stack([as_logits(one) for one in masks]), ratings


@dataclass
class Source:
    """The frames of a movie, cut to a window."""

    network: LargeNetwork
    window: Window

    def get(self, frame):
        return self.network.embed(self.window, frame)

    def get_with_pixels(self, frame):
        truth = self.network.truth[frame][self.window.place]
        picture = np.array(COLOURS, np.uint8)[truth]
        rows, columns = np.indices(truth.shape)
        picture[truth > 0] += (4 * ((rows + columns) % 4)).astype(np.uint8)[
            truth > 0, None
        ]
        return self.get(frame), picture


def large_movie(*paths, frames=10, size=12):
    """Truth with a square per path, which maps a frame to (row, column[, size])."""
    truth = np.zeros((frames, FRAME, FRAME), np.uint16)
    for object_id, path in enumerate(paths, start=1):
        for frame in range(frames):
            row, column, *own = path(frame)
            side = own[0] if own else size
            truth[frame, row : row + side, column : column + side] = object_id
    return truth


def still(row, column):
    return partial(_still, (row, column))


def _still(place, frame):
    return place
