"""Many training examples from one labelled picture: crops, turns and other light."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.training.examples import (
    LabelledPicture,
    embed_example,
    write_example,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from napari_sam_decoder.model.sam import Sam

    Window = tuple[slice, slice]

__all__ = ["augment", "prepare_examples"]

SMALLEST_VIEW = 0.6
"""Least share of each side that a crop keeps: objects are not much larger in use."""

_LEAST_VISIBLE = 0.3
"""Objects of which a crop leaves less are unrecognisable, and count as unknown."""

_CONTRAST, _GAMMA = 0.25, 0.25
"""Logarithms of the strongest changes."""

_BRIGHTNESS = 0.1


def prepare_examples(
    labelled: LabelledPicture, paths: Sequence[Path], sam: Sam, seed: Sequence[int]
) -> Iterator[None]:
    """Make those training examples of one picture that do not exist yet.

    Parameters
    ----------
    labelled : LabelledPicture
        With at least one object.
    paths : sequence of Path
        Their files; the first is for the picture as it is.
    sam : Sam
        Frozen.
    seed : sequence of int
        Determines all augmentations.

    Yields
    ------
    None
        After each example. Close the iterator to stop.

    Raises
    ------
    DecodingError
        If the network fails.
    FormatError
        If a file cannot be written.
    """
    for number, path in enumerate(paths):
        if not path.exists():
            rng = np.random.default_rng([*seed, number])
            augmented = augment(labelled, rng) if number else labelled
            write_example(embed_example(augmented, sam), path)
        yield


def augment(labelled: LabelledPicture, rng: np.random.Generator) -> LabelledPicture:
    """Crop and turn a picture, and change its brightness and contrast.

    Parameters
    ----------
    labelled : LabelledPicture
        With at least one object.
    rng : Generator
        Decides on all changes.

    Returns
    -------
    LabelledPicture
        With at least one object; those that are mostly cut off are unlabelled.
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
    """Ids of the objects of which enough lies in a window."""
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
    """Change the contrast around the mean, the brightness and the gamma."""
    shades = picture.astype(np.float32) / 255
    contrast, gamma = np.exp(rng.uniform(-1, 1, 2) * (_CONTRAST, _GAMMA))
    middle = shades.mean() + rng.uniform(-_BRIGHTNESS, _BRIGHTNESS)
    changed = (middle + contrast * (shades - shades.mean())).clip(0, 1) ** gamma
    relit: np.ndarray = np.rint(255 * changed).astype(np.uint8)
    return relit
