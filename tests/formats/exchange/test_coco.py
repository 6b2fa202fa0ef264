import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from label_movies import LABELS, PROVENANCE, label_movie, written
from pycocotools.coco import COCO

from napari_sam_decoder.formats.exchange.coco import run_lengths, write_coco


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "labels.json"
    assert written(write_coco, label_movie(), path) == list(range(6))
    return path


def test_the_masks_are_read_back(path):
    coco = COCO(path)
    masks = np.zeros_like(LABELS)
    for annotation in coco.dataset["annotations"]:
        frame = coco.imgs[annotation["image_id"]]["frame"]
        mask = coco.annToMask(annotation).astype(bool)
        assert annotation["area"] == mask.sum()
        masks[frame][mask] = annotation["track_id"]
    assert np.array_equal(masks, LABELS)


def test_boxes_are_left_top_width_and_height(path):
    first = json.loads(path.read_text())["annotations"][0]
    assert first["bbox"] == [5, 5, 10, 7]
    assert first["name"] == "the first"


def test_the_provenance_is_in_it(path):
    assert json.loads(path.read_text())["info"]["provenance"] == PROVENANCE


def test_a_movie_without_objects_has_no_annotations(tmp_path):
    path = tmp_path / "labels.json"
    written(write_coco, label_movie(np.zeros_like(LABELS)), path)
    assert COCO(path).dataset["annotations"] == []


@given(st.lists(st.booleans(), min_size=1, max_size=30).filter(any))
def test_run_lengths_are_those_of_the_mask(pixels):
    counts = run_lengths(np.flatnonzero(pixels), len(pixels))
    values = np.repeat(np.arange(len(counts)) % 2, counts)
    assert values.tolist() == [int(one) for one in pixels]
    assert all(counts[1:])
