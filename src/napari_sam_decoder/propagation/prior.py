"""Where an object should be: where it moved, and what its memory says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_sam_decoder.model.values import BACKGROUND_LOGIT, ModelPrompt

if TYPE_CHECKING:
    from napari_sam_decoder.appearance.features import View
    from napari_sam_decoder.appearance.memory import Memory
    from napari_sam_decoder.frames import FrameGeometry

__all__ = [
    "Grid",
    "Place",
    "claimed",
    "inner_depths",
    "prompt_from_mask",
    "recall_anywhere",
    "strongest_part",
    "together",
]

SMALLEST_MASK = 4
"""Fewer low-res pixels than this are too few to ask the decoder about."""


@dataclass(frozen=True)
class Grid:
    """How the decoder's low-res grid lies over the frame.

    Attributes
    ----------
    content : (rows, columns)
        The low-res pixels that show the frame; the rest is padding.
    stride : float
        Model pixels per low-res pixel, 4 for SAM.
    side : int
        Low-res pixels along each side, padding and all.
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

    def cut(self, logits: np.ndarray) -> np.ndarray:
        """View of low-res logits without the padding."""
        return logits[..., : self.content[0], : self.content[1]]

    def spots(self, prompt: ModelPrompt) -> np.ndarray:
        """(points, 2) array of int: row and column of the low-res pixel of each."""
        places = prompt.points[:, ::-1] / self.stride
        spots: np.ndarray = places.clip(0, np.subtract(self.content, 1)).astype(int)
        return spots

    def pad(self, logits: np.ndarray) -> np.ndarray:
        """Put (rows, columns) logits of the frame into the whole grid."""
        whole = np.full((self.side, self.side), BACKGROUND_LOGIT, np.float32)
        whole[: self.content[0], : self.content[1]] = logits
        return whole


def prompt_from_mask(expected: np.ndarray, grid: Grid) -> ModelPrompt | None:
    """Ask for the object where it is expected, by its inmost point and its box.

    A mask alone is a poor prompt for SAM, which was trained to see one only together
    with points, so the expected mask always goes along with this.

    Parameters
    ----------
    expected : (h, w) array
        Low-res logits.
    grid : Grid
        How they lie over the frame.

    Returns
    -------
    ModelPrompt or None
        None if next to nothing of the object is expected inside the frame.
    """
    mask = grid.cut(expected) > 0
    if int(mask.sum()) < SMALLEST_MASK:
        return None
    depths = inner_depths(mask)
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


def inner_depths(mask: np.ndarray) -> np.ndarray:
    """Distance of each pixel of a mask to what is outside; so is beyond the border.

    Parameters
    ----------
    mask : (rows, columns) array of bool
        Any.

    Returns
    -------
    (rows, columns) array of float32
        In pixels, 1 along the rim of the mask; 0 outside of it.
    """
    depths = np.zeros(mask.shape, np.float32)
    for extent in ndimage.find_objects(mask.astype(np.uint8)):
        # Only where the mask is: that takes a fraction of the time.
        padded = np.pad(mask[extent], 1)
        depths[extent] = ndimage.distance_transform_edt(padded)[1:-1, 1:-1]
    return depths


def together(
    clicks: ModelPrompt, inner: ModelPrompt, box: np.ndarray | None
) -> ModelPrompt:
    """Ask by the points of two prompts, and by a box if there is one."""
    return ModelPrompt(
        points=np.concatenate([clicks.points, inner.points]),
        signs=np.concatenate([clicks.signs, inner.signs]),
        box=box,
    )


GAIN = 4.0
"""Logit of what the memory is as sure of as of the prompted frame's own, where nothing
tells how well it can be trusted."""
MEMORY_LIMIT = 4.0
"""Logits that cells or colours can add at most."""
SMALLEST_VARIANCE = 0.1
"""Of scores; the memory is never more reliable than this."""
SURROUNDINGS = 0.5
"""How far from the object its surroundings reach, as a share of its side."""
CERTAIN_LOGIT = 6.0
CERTAIN_ABSENCE = -12.0
"""More than cells and colours together can outweigh: twins stay apart."""
FAR = 4.0
"""Reaches at which the distance begins to count by its square: a twin nearby is not a
part of the object, however little the flow explains."""
USUAL_LOSS = 0.1
"""Share of its area that an object may lack without a part of it being hidden."""
REAPPEARANCE = 4.0
"""How fast absence loses its certainty with the share that is hidden."""
SMALLEST_SIZE = 16.0


@dataclass(frozen=True, eq=False)
class Place:
    """Where an object should be by its motion, and how far it may be from there.

    Attributes
    ----------
    distances : (rows, columns) array of float32
        Low-res pixels from the outline, positive inside.
    reach : (rows, columns) array of float32
        By how many low-res pixels the outline may be wrong.
    side : float
        Root of the object's area.
    """

    distances: np.ndarray
    reach: np.ndarray
    side: float

    @classmethod
    def of(cls, moved: np.ndarray, reach: np.ndarray, size: float) -> Place:
        """Measure the distances from the outline of (rows, columns) logits."""
        side = float(np.sqrt(max(size, SMALLEST_SIZE)))
        return cls(_signed_distances(moved > 0), reach, side)

    @property
    def logits(self) -> np.ndarray:
        """What the place alone tells, in logits: one for each `reach`.

        An object of which a part is hidden may show that part again, away from the
        rest, so absence is the less certain the more there is to come.
        """
        hidden = max(0.0, self._lacking - USUAL_LOSS)
        absence = CERTAIN_ABSENCE * max(0.0, 1 - REAPPEARANCE * hidden)
        far = np.minimum(self.distances, 0) / (FAR * self.reach.min())
        logits: np.ndarray = self.distances / self.reach - far**2
        return logits.clip(absence, CERTAIN_LOGIT)

    @property
    def _lacking(self) -> float:
        """Share of the object that is not to be seen; none if all of it is gone."""
        area = int(np.count_nonzero(self.distances > 0))
        return 1 - area / self.side**2 if area else 0.0

    def recall(self, memory: Memory, view: View) -> np.ndarray:
        """Return what the memory says of a frame, as (rows, columns) logits.

        On some pictures the memory tells an object from all else, on others, such as
        one neuron among neurons, it is hardly better than chance. So it is first asked
        what is known without it: the object's core and its surroundings. The better
        its scores tell these two apart on this very frame, the more they count
        elsewhere.
        """
        maps = (memory.recognised(view), memory.coloured(view))
        margin = float(self.reach.min())
        core = self.distances > min(margin, self.distances.max() / 2)
        around = (self.distances < -margin) & (
            self.distances > -margin - SURROUNDINGS * self.side
        )
        logits: np.ndarray = sum(
            (_believed(scores, core, around) for scores in maps),
            start=np.zeros_like(self.distances),
        )
        return logits


def recall_anywhere(memory: Memory, view: View) -> np.ndarray:
    """Return what the memory says where nothing is known of the place, as logits."""
    logits: np.ndarray = GAIN * memory.recognised(view)
    return logits


def claimed(taken: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Say what other objects cost this one: logits where they are and it was not.

    Parameters
    ----------
    taken, own : (rows, columns) array
        Logits of the others and of this object, moved on.
    """
    theirs, ours = (2 * np.clip(logits, 0, CERTAIN_LOGIT) for logits in (taken, own))
    claims: np.ndarray = np.maximum(theirs - ours, 0)
    return claims


def strongest_part(logits: np.ndarray) -> np.ndarray:
    """Keep the connected part that speaks most for the object, and nothing else."""
    parts, count = ndimage.label(logits > 0)
    if count < 2:
        return logits
    strengths = ndimage.sum_labels(logits, parts, np.arange(1, count + 1))
    strongest = parts == 1 + int(np.argmax(strengths))
    kept: np.ndarray = np.where(strongest, logits, np.minimum(logits, CERTAIN_ABSENCE))
    return kept


def _signed_distances(mask: np.ndarray) -> np.ndarray:
    """Distance from the outline, half a pixel on either side of it."""
    if not mask.any():
        return np.full(mask.shape, -np.inf, np.float32)
    outside = ndimage.distance_transform_edt(~mask)
    signed: np.ndarray = np.where(mask, inner_depths(mask) - 0.5, 0.5 - outside)
    return signed.astype(np.float32)


def _believed(scores: np.ndarray, core: np.ndarray, around: np.ndarray) -> np.ndarray:
    """Turn scores to logits: the log-likelihood ratio of two normal distributions."""
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
