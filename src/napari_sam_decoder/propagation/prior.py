"""Where an object should be, by its motion and its appearance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_sam_decoder.model.values import BACKGROUND_LOGIT, ModelPrompt

if TYPE_CHECKING:
    from napari_sam_decoder.appearance.features import FrameFeatures
    from napari_sam_decoder.appearance.memory import Memory
    from napari_sam_decoder.frames import FrameGeometry

__all__ = [
    "Grid",
    "MotionPrior",
    "appearance_anywhere",
    "combine_prompts",
    "depth_inside",
    "prompt_from_mask",
    "rival_penalty",
    "strongest_component",
]

SMALLEST_MASK = 4
"""A mask of fewer low-res pixels makes no prompt."""


@dataclass(frozen=True)
class Grid:
    """The decoder's low-res pixels over the frame.

    Attributes
    ----------
    content : (rows, columns)
        Low-res pixels that show the frame; the others are padding.
    stride : float
        Model pixels per low-res pixel, 4 for SAM.
    side : int
        Side of the grid in low-res pixels, padding included.
    """

    content: tuple[int, int]
    stride: float
    side: int

    @classmethod
    def of(cls, geometry: FrameGeometry, image_size: int, mask_size: int) -> Grid:
        """Grid of a frame whose longest side fills ``image_size`` model pixels."""
        stride = image_size / mask_size
        rows, columns = (int(np.ceil(side / stride)) for side in geometry.model_shape)
        return cls((rows, columns), stride, mask_size)

    def crop(self, logits: np.ndarray) -> np.ndarray:
        """Return low-res logits without the padding."""
        return logits[..., : self.content[0], : self.content[1]]

    def prompt_pixels(self, prompt: ModelPrompt) -> np.ndarray:
        """Return (points, 2) row and column of the low-res pixel of each point."""
        positions = prompt.points[:, ::-1] / self.stride
        pixels: np.ndarray = positions.clip(0, np.subtract(self.content, 1)).astype(int)
        return pixels

    def pad(self, logits: np.ndarray) -> np.ndarray:
        """Pad (rows, columns) logits of the frame to the whole grid."""
        whole = np.full((self.side, self.side), BACKGROUND_LOGIT, np.float32)
        whole[: self.content[0], : self.content[1]] = logits
        return whole


def prompt_from_mask(expected: np.ndarray, grid: Grid) -> ModelPrompt | None:
    """Make a prompt of an expected mask: its innermost point and its box.

    SAM was trained on masks together with points only. So a mask prompt always comes
    with this one.

    Parameters
    ----------
    expected : (h, w) array
        Low-res logits of the expected mask.
    grid : Grid
        Of these logits.

    Returns
    -------
    ModelPrompt or None
        None if hardly any of the object is expected inside the frame.
    """
    mask = grid.crop(expected) > 0
    if int(mask.sum()) < SMALLEST_MASK:
        return None
    depths = depth_inside(mask)
    row, column = np.unravel_index(int(depths.argmax()), depths.shape)
    rows, columns = np.nonzero(mask)
    centre = (grid.stride - 1) / 2
    first = np.array([columns.min(), rows.min()]) * grid.stride
    last = np.array([columns.max() + 1, rows.max() + 1]) * grid.stride - 1
    return ModelPrompt(
        points=np.array(
            [[column * grid.stride + centre, row * grid.stride + centre]], np.float32
        ),
        signs=np.array([1]),
        box=np.concatenate([first, last]).astype(np.float32),
    )


def depth_inside(mask: np.ndarray) -> np.ndarray:
    """Distance of each pixel of a mask to the outside; beyond the border is outside.

    Parameters
    ----------
    mask : (rows, columns) array of bool
        Of the object.

    Returns
    -------
    (rows, columns) array of float32
        In pixels: 1 along the rim of the mask, 0 outside it.
    """
    depths = np.zeros(mask.shape, np.float32)
    for extent in ndimage.find_objects(mask.astype(np.uint8)):
        # The extent alone takes a fraction of the time.
        padded = np.pad(mask[extent], 1)
        depths[extent] = ndimage.distance_transform_edt(padded)[1:-1, 1:-1]
    return depths


def combine_prompts(
    clicks: ModelPrompt, other: ModelPrompt, box: np.ndarray | None
) -> ModelPrompt:
    """Join the points of two prompts, and use the given box, if any."""
    return ModelPrompt(
        points=np.concatenate([clicks.points, other.points]),
        signs=np.concatenate([clicks.signs, other.signs]),
        box=box,
    )


GAIN = 4.0
"""Logit of a score of 1 where nothing tells how reliable the scores are."""
MEMORY_LIMIT = 4.0
"""Logits that cells, or pixels, can add at most."""
SMALLEST_VARIANCE = 0.1
"""Of scores; limits how reliable they can be."""
SURROUNDINGS = 0.5
"""How far the surroundings of an object reach, as a share of its side."""
CERTAIN_LOGIT = 6.0
CERTAIN_ABSENCE = -12.0
"""More than cells and pixels together can outweigh, so that look-alikes stay apart."""
FAR = 4.0
"""Distance, in units of the smallest tolerance, from which it counts by its square: a
look-alike nearby is not a part of the object, however poor the flow is."""
USUAL_LOSS = 0.1
"""Share of its area that an object may lack although no part of it is hidden."""
REAPPEARANCE = 4.0
"""How fast absence becomes uncertain with the hidden share."""
SMALLEST_SIZE = 16.0


@dataclass(frozen=True, eq=False)
class MotionPrior:
    """Where an object should be by its motion, and how wrong that may be.

    Attributes
    ----------
    distances : (rows, columns) array of float32
        Low-res pixels from the outline, positive inside.
    tolerance : (rows, columns) array of float32
        Low-res pixels by which the outline may be wrong.
    side : float
        Square root of the object's area.
    """

    distances: np.ndarray
    tolerance: np.ndarray
    side: float

    @classmethod
    def of(cls, moved: np.ndarray, tolerance: np.ndarray, size: float) -> MotionPrior:
        """Measure distances from the outline of the moved (rows, columns) logits."""
        side = float(np.sqrt(max(size, SMALLEST_SIZE)))
        return cls(_signed_distances(moved > 0), tolerance, side)

    @property
    def logits(self) -> np.ndarray:
        """(rows, columns) logits: the distance in units of the tolerance.

        A hidden part of an object may reappear away from the rest. So the more of it is
        hidden, the less certain is absence.
        """
        area = int(np.count_nonzero(self.distances > 0))
        lacking = 1 - area / self.side**2 if area else 0.0
        hidden = max(0.0, lacking - USUAL_LOSS)
        absence = CERTAIN_ABSENCE * max(0.0, 1 - REAPPEARANCE * hidden)
        far = np.minimum(self.distances, 0) / (FAR * self.tolerance.min())
        logits: np.ndarray = self.distances / self.tolerance - far**2
        return logits.clip(absence, CERTAIN_LOGIT)

    def appearance_logits(self, memory: Memory, features: FrameFeatures) -> np.ndarray:
        """Return what the memory says about a frame, as (rows, columns) logits.

        On some pictures the memory tells an object from everything else. On others,
        such as one neuron among many, it is hardly better than chance. So its scores
        are calibrated on what is known without it: the object's core and its
        surroundings. The better they tell these two apart, the more they count
        elsewhere on the frame. What the fitted cells say and what their labels,
        propagated, say is one voice: both are coarse, and together they would outvote
        the colours, which follow the outline.
        """
        margin = float(self.tolerance.min())
        core = self.distances > min(margin, self.distances.max() / 2)
        around = (self.distances < -margin) & (
            self.distances > -margin - SURROUNDINGS * self.side
        )
        by_cells, asked = memory.cell_scores(features), core | around
        if asked.any():
            by_cells = (by_cells + memory.propagated_scores(features, asked)) / 2
        by_colours = memory.pixel_scores(features)
        logits: np.ndarray = _calibrated(by_cells, core, around) + _calibrated(
            by_colours, core, around
        )
        return logits


def appearance_anywhere(memory: Memory, features: FrameFeatures) -> np.ndarray:
    """Return what the memory says if the position is unknown, as logits."""
    logits: np.ndarray = GAIN * memory.cell_scores(features)
    return logits


def rival_penalty(rivals: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Return the logits that an object loses where others are and it was not.

    Parameters
    ----------
    rivals, own : (rows, columns) array
        Logits of the other objects and of this one, moved to this frame.
    """
    theirs, ours = (2 * np.clip(logits, 0, CERTAIN_LOGIT) for logits in (rivals, own))
    penalty: np.ndarray = np.maximum(theirs - ours, 0)
    return penalty


def strongest_component(logits: np.ndarray) -> np.ndarray:
    """Keep only the connected component with the largest sum of logits."""
    parts, count = ndimage.label(logits > 0)
    if count < 2:
        return logits
    strengths = ndimage.sum_labels(logits, parts, np.arange(1, count + 1))
    strongest = parts == 1 + int(np.argmax(strengths))
    kept: np.ndarray = np.where(strongest, logits, np.minimum(logits, CERTAIN_ABSENCE))
    return kept


def _signed_distances(mask: np.ndarray) -> np.ndarray:
    """Distance of each pixel from the outline: positive inside, 0.5 at the rim."""
    if not mask.any():
        return np.full(mask.shape, -np.inf, np.float32)
    outside = ndimage.distance_transform_edt(~mask)
    signed: np.ndarray = np.where(mask, depth_inside(mask) - 0.5, 0.5 - outside)
    return signed.astype(np.float32)


def _calibrated(scores: np.ndarray, core: np.ndarray, around: np.ndarray) -> np.ndarray:
    """Turn scores into logits: the log-likelihood ratio of two normal distributions."""
    if not core.any() or not around.any():
        return np.clip(GAIN * scores, -MEMORY_LIMIT, MEMORY_LIMIT)
    inner, outer = scores[core], scores[around]
    means = float(inner.mean()), float(outer.mean())
    variance = (float(inner.var()) + float(outer.var())) / 2 + SMALLEST_VARIANCE
    gain = max(means[0] - means[1], 0) / variance
    logits: np.ndarray = (gain * (scores - sum(means) / 2)).clip(
        -MEMORY_LIMIT, MEMORY_LIMIT
    )
    return logits
