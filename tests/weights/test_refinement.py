from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from napari_sam_decoder import Prompt, Session
from napari_sam_decoder.metrics import mask_iou
from napari_sam_decoder.model.refinement import CLUES, RefinementNetwork
from napari_sam_decoder.model.values import GRID_SIDE
from napari_sam_decoder.weights.refinement import REFINER_FILE, load_refinement


@pytest.fixture(scope="module")
def refiner():
    return load_refinement()


def test_the_bundled_file_has_all_weights_of_the_network():
    written = load_file(REFINER_FILE)
    expected = RefinementNetwork().state_dict()
    shapes = {name: values.shape for name, values in written.items()}
    assert shapes == {
        name: values.shape
        for name, values in expected.items()
        if not name.endswith("num_batches_tracked")
    }
    assert all(torch.isfinite(values).all() for values in written.values())


@pytest.mark.parametrize("count", [1, 3])
def test_each_window_gets_a_mask_and_a_rating(refiner, count):
    rng = np.random.default_rng(0)
    clues = rng.uniform(-1, 1, (count, CLUES, GRID_SIDE, GRID_SIDE))
    logits, ratings = refiner.refine(clues)
    assert logits.shape == (count, GRID_SIDE, GRID_SIDE)
    assert ratings.shape == (count,)
    assert logits.dtype == ratings.dtype == np.float32
    assert np.isfinite(logits).all()


def test_it_does_not_matter_what_else_is_refined(refiner):
    rng = np.random.default_rng(0)
    clues = rng.uniform(-1, 1, (2, CLUES, GRID_SIDE, GRID_SIDE))
    together, _ = refiner.refine(clues)
    alone, _ = refiner.refine(clues[:1])
    scale = np.abs(alone).max()
    np.testing.assert_allclose(together[0], alone[0], atol=0.05 * scale)


@pytest.mark.slow
def test_a_bright_disk_is_found_at_one_click(mobile_sam):
    disk = np.hypot(*np.ogrid[-80:80, -100:100]) < 30
    picture = np.where(disk, 200, 40).astype(np.uint8)[None]
    with Session(picture, model=mobile_sam) as session:
        preview = session.preview(Prompt(1, 0, [(80, 100)]))
    assert mask_iou(preview.chosen.mask, disk) > 0.8
