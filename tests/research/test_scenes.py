from __future__ import annotations

import numpy as np
import pytest

from shipped_head.scenes import (
    FEWEST_PIXELS,
    SyntheticScene,
    object_scene,
)
from shipped_head.tissue import cell_scene


def drawing() -> np.ndarray:
    """A red bar on nothing."""
    picture = np.zeros((40, 60, 4), np.uint8)
    picture[10:30, 5:55] = (255, 0, 0, 255)
    return picture


def make(kind: str, seed: int, pictures: list[np.ndarray]) -> SyntheticScene:
    rng = np.random.default_rng(seed)
    if kind == "cells":
        return cell_scene(rng)
    drawings = [drawing()] if kind == "drawn things" else []
    return object_scene(rng, pictures, drawings)


KINDS = ["things", "drawn things", "cells"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_scene_is_a_picture_and_masks_of_its_size(
    kind: str, pictures: list[np.ndarray]
) -> None:
    for seed in range(4):
        scene = make(kind, seed, pictures)
        assert scene.picture.dtype == np.uint8
        assert scene.picture.shape == (*scene.masks.shape[1:], 3)
        assert all(mask.sum() >= FEWEST_PIXELS for mask in scene.masks)


@pytest.mark.parametrize("kind", KINDS)
def test_a_scene_follows_from_its_generator(
    kind: str, pictures: list[np.ndarray]
) -> None:
    first, second = (make(kind, 7, pictures) for _ in range(2))
    np.testing.assert_array_equal(first.picture, second.picture)
    np.testing.assert_array_equal(first.masks, second.masks)
    other = make(kind, 8, pictures)
    assert other.picture.shape != first.picture.shape or np.any(
        other.picture != first.picture
    )


def test_cells_do_not_overlap() -> None:
    for seed in range(4):
        assert cell_scene(np.random.default_rng(seed)).masks.sum(axis=0).max() == 1


def test_things_are_where_their_masks_say() -> None:
    """On an even ground, all that differs from it is a thing."""
    grey, white = (np.full((400, 420, 3), level, np.uint8) for level in (0, 255))
    found = 0
    for seed in range(12):
        scene = object_scene(np.random.default_rng(seed), [grey, white])
        for mask in scene.masks:
            inside = scene.picture[mask].astype(float).mean(axis=0)
            outside = scene.picture[~scene.masks.any(axis=0)].astype(float)
            spread = outside.std(axis=0) + 1
            found += bool(np.any(abs(inside - outside.mean(axis=0)) > spread))
    assert found > 20


def test_drawings_of_strange_proportions_fit(pictures: list[np.ndarray]) -> None:
    thin = np.full((3, 200, 4), 255, np.uint8)
    for seed in range(6):
        scene = object_scene(np.random.default_rng(seed), pictures, [thin])
        assert scene.picture.size
