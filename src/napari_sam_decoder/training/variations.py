"""One picture made into many, so that little truth goes a long way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.training.labelled import LabelledPicture, outlined_lesson
from napari_sam_decoder.training.lessons import write_lesson

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from napari_sam_decoder.model.sam import Sam

    Window = tuple[slice, slice]

__all__ = ["prepare_variations", "vary"]

SMALLEST_VIEW = 0.6
"""Share of each side that a crop has at least: objects are not much larger in use."""

_LEAST_VISIBLE = 0.3
"""Of an object of which less is left by a crop, nobody could say what it is."""

_CONTRAST, _GAMMA = 0.25, 0.25
"""Logarithms of the strongest changes."""

_BRIGHTNESS = 0.1


def prepare_variations(
    labelled: LabelledPicture, paths: Sequence[Path], sam: Sam, seed: Sequence[int]
) -> Iterator[None]:
    """Make the lessons of one picture that are not there yet.

    Parameters
    ----------
    labelled : LabelledPicture
        With at least one object.
    paths : sequence of Path
        Their files; the first is of the picture as it is.
    sam : Sam
        Frozen.
    seed : sequence of int
        All variations follow from it.

    Yields
    ------
    None
        After each lesson. Close the iterator to stop.

    Raises
    ------
    DecodingError
        If the network fails.
    """
    for number, path in enumerate(paths):
        if not path.exists():
            rng = np.random.default_rng([*seed, number])
            varied = vary(labelled, rng) if number else labelled
            write_lesson(outlined_lesson(varied, sam), path)
        yield


def vary(labelled: LabelledPicture, rng: np.random.Generator) -> LabelledPicture:
    """Crop, turn and light a picture in another way.

    Parameters
    ----------
    labelled : LabelledPicture
        With at least one object.
    rng : Generator
        The variation follows from it.

    Returns
    -------
    LabelledPicture
        With at least one object; those that are mostly cut off are not known.
    """
    window = _crop(labelled.labels.shape, rng)
    kept = _mostly_visible(labelled.labels, window)
    if not len(kept):
        window, kept = (slice(None), slice(None)), labelled.object_ids
    labels = labelled.labels[window]
    turns, is_flipped = int(rng.integers(4)), bool(rng.random() < 0.5)
    return LabelledPicture(
        _relit(_turned(labelled.picture[window], turns, is_flipped), rng),
        _turned(np.where(np.isin(labels, kept), labels, 0), turns, is_flipped),
    )


def _mostly_visible(labels: np.ndarray, window: Window) -> np.ndarray:
    """Ids of the objects that lie in a window, or much of them."""
    ids, whole = np.unique(labels, return_counts=True)
    seen, left = np.unique(labels[window], return_counts=True)
    visible = left / whole[np.searchsorted(ids, seen)]
    kept: np.ndarray = seen[(visible >= _LEAST_VISIBLE) & (seen != 0)]
    return kept


def _crop(shape: tuple[int, ...], rng: np.random.Generator) -> Window:
    share = rng.uniform(SMALLEST_VIEW, 1)
    sides = [max(1, round(share * length)) for length in shape]
    starts = [
        int(rng.integers(length - side + 1))
        for length, side in zip(shape, sides, strict=True)
    ]
    rows, columns = (
        slice(start, start + side) for start, side in zip(starts, sides, strict=True)
    )
    return rows, columns


def _turned(image: np.ndarray, turns: int, is_flipped: bool) -> np.ndarray:
    turned = np.rot90(image, turns)
    return np.ascontiguousarray(turned[:, ::-1] if is_flipped else turned)


def _relit(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Change contrast around the mean, brightness, and the middle tones."""
    shades = picture.astype(np.float32) / 255
    contrast, gamma = np.exp(rng.uniform(-1, 1, 2) * (_CONTRAST, _GAMMA))
    middle = shades.mean() + rng.uniform(-_BRIGHTNESS, _BRIGHTNESS)
    changed = (middle + contrast * (shades - shades.mean())).clip(0, 1) ** gamma
    relit: np.ndarray = np.rint(255 * changed).astype(np.uint8)
    return relit
