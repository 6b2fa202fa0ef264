from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import ndimage

from interactive_parts.fibres import filament_scene, neurite_scene
from shipped_head.scenes import FEWEST_PIXELS

if TYPE_CHECKING:
    from collections.abc import Callable

    from shipped_head.scenes import SyntheticScene

    Draw = Callable[[np.random.Generator], SyntheticScene]


@pytest.mark.parametrize("draw", [neurite_scene, filament_scene])
def test_a_scene_is_a_picture_and_masks_of_its_size(draw: Draw) -> None:
    for seed in range(3):
        scene = draw(np.random.default_rng(seed))
        assert scene.picture.dtype == np.uint8
        assert scene.picture.shape == (*scene.masks.shape[1:], 3)
        assert len(scene.masks)
        assert all(mask.sum() >= FEWEST_PIXELS for mask in scene.masks)


def test_neurites_are_whole_and_apart_and_darker_at_their_edges() -> None:
    darker = 0
    for seed in range(4):
        scene = neurite_scene(np.random.default_rng(seed))
        assert scene.masks.sum(axis=0).max() == 1
        grey = scene.picture[..., 0].astype(float)
        largest = scene.masks[scene.masks.sum(axis=(1, 2)).argmax()]
        depth = ndimage.distance_transform_edt(largest)
        darker += grey[largest & (depth < 2)].mean() < grey[depth > 6].mean()
    assert darker == 4


def test_filaments_are_brighter_than_the_ground() -> None:
    for seed in range(4):
        scene = filament_scene(np.random.default_rng(seed))
        grey = scene.picture[..., 0].astype(float)
        ground = np.median(grey[~scene.masks.any(axis=0)])
        assert all(np.median(grey[mask]) > ground for mask in scene.masks)
