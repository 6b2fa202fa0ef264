"""A make_context on which an ideal network plays."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from napari_sam_decoder.interactive.answers import CERTAIN, TRUSTED
from napari_sam_decoder.model.values import Embedding, FrameLogits, MaskCandidates

SIDE = 64
STRIDE = 4
CELL = 4
"""Pixels along a cell of an embedding; places that are multiples of it are exact."""

KINDS = 2
"""Objects that look different; 0 is the background."""

COLOURS = ((40, 40, 40), (180, 60, 60), (60, 60, 180))


@dataclass
class IdealNetwork:
    """An ideal network: it sees the truth, and offers it among worse masks.

    One low-res pixel is one frame pixel, so expected values are easy to write down.
    """

    truth: np.ndarray
    image_size: int = STRIDE * SIDE
    mask_size: int = SIDE
    quality: dict[int, float] = field(default_factory=dict)
    appearances: dict[int, dict[int, int]] = field(default_factory=dict)
    """Frames on which things look like other ones: by frame, from a thing to a kind."""

    asked: list[tuple[int, int]] = field(default_factory=list)
    shown: list[list[np.ndarray | None]] = field(default_factory=list)

    def get(self, frame):
        """Channel 0 is the frame's number, each other one a kind of thing."""
        features = np.zeros((2 + KINDS, SIDE // CELL, SIDE // CELL), np.float16)
        features[0] = frame
        cells = self.truth[frame, CELL // 2 :: CELL, CELL // 2 :: CELL]
        appearances = self.appearances.get(frame, {})
        for thing in range(1 + KINDS):
            features[1 + appearances.get(thing, thing)] += cells == thing
        return Embedding(features, (SIDE, SIDE))

    def get_with_pixels(self, frame):
        return self.get(frame), self.picture(frame)

    def picture(self, frame):
        """Things in their colours, with a texture that moves along with each."""
        picture = np.zeros((SIDE, SIDE, 3), np.uint8)
        for thing in range(1 + KINDS):
            places = self.truth[frame] == thing
            picture[places] = COLOURS[thing]
            if thing and places.any():
                rows, columns = np.nonzero(places)
                shade = 16 * ((rows - rows.min() + columns - columns.min()) % 4)
                picture[places] += shade.astype(np.uint8)[:, None]
        return picture

    def decode(self, embedding, prompts, previous_logits=None):
        frame = int(embedding.features.flat[0])
        self.asked.append((frame, len(prompts)))
        self.shown.append(list(previous_logits or ()))
        decoded = [self._answer(frame, prompt) for prompt in prompts]
        return MaskCandidates(*map(np.stack, zip(*decoded, strict=True)))

    def enlarge(self, low_res_logits, frame_shape):
        assert frame_shape == (SIDE, SIDE)
        return FrameLogits(low_res_logits, (slice(None), slice(None)))

    def _answer(self, frame, prompt):
        column, row = (place_of(prompt) / STRIDE).astype(int)
        seen = self.truth[frame] == self.truth[frame, row, column]
        if not self.truth[frame, row, column]:
            return np.stack([as_logits(seen)] * 4), np.full(4, 0.1, np.float32)
        part = seen & (np.arange(SIDE) < column)
        everything = np.ones_like(seen)
        masks = [part, part, seen, everything]
        quality = self.quality.get(frame, 0.9)
        ratings = np.array([0.5, 0.6, 1, 0.9]) * quality
        return np.stack([as_logits(mask) for mask in masks]), ratings


@dataclass
class ObedientRefiner:
    """Leaves first masks to the decoder, and draws what later actions show.

    `output` is the one of the decoder that it believes, `MASKS_ALONE` and up for what
    is at the newest action, `MASKS_TOGETHER` and up for all actions together.
    """

    output: int

    def refine(self, seen):
        # It is sure of what it draws, even where the decoder keeps to the mask so far.
        logits = 2 * CERTAIN * np.stack([self._redrawn(clues) for clues in seen])
        is_first = ~seen[:, MASK].any(axis=(1, 2))
        return logits, np.where(is_first, FIRST_RATING, LATER_RATING)

    def _redrawn(self, clues):
        mask, found = 2 * clues[MASK] - 1, clues[self.output]
        is_outline = clues[REGION].any()
        if clues[ADDED].any() and clues[MASK].any():
            return np.maximum(mask, found)
        if clues[REMOVED].any():
            is_alone = self.output >= MASKS_ALONE
            return np.minimum(mask, -found if is_alone else found)
        return clues[BEST_TOGETHER] if is_outline else np.full_like(mask, -1)


MASK, MASKS_TOGETHER, MASKS_ALONE = 3, 4, 8
ADDED, REMOVED, REGION, OTHERS = 14, 15, 16, 17
"""Channels of the clues, see `Clues`."""

BEST_TOGETHER = MASKS_TOGETHER + 2
FIRST_RATING = 0.3
"""Below all that the decoder's own masks get."""
LATER_RATING = TRUSTED
"""Enough for a large change, not for one of the whole object."""


def place_of(prompt):
    """(x, y) of the first point, or of the middle of the box."""
    if len(prompt.points):
        return prompt.points[0]
    return prompt.box.reshape(2, 2).mean(axis=0)


def as_logits(mask):
    return np.where(mask, 9, -9).astype(np.float32)


def movie_of(*paths, frames=10, size=12):
    """Truth with one square per path; a path maps a frame to (row, column) or None."""
    truth = np.zeros((frames, SIDE, SIDE), np.uint16)
    for object_id, path in enumerate(paths, start=1):
        for frame in range(frames):
            place = path(frame)
            if place is not None:
                row, column = place
                truth[
                    frame,
                    max(row, 0) : max(row + size, 0),
                    max(column, 0) : max(column + size, 0),
                ] = object_id
    return truth
