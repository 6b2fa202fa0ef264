from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from interactive_parts.pictures import (
    Kind,
    NucleusPictures,
    embed_pictures,
    flattened,
    synthetic_kinds,
)
from napari_sam_decoder.training.examples import LabelledPicture
from shipped_head.scenes import SyntheticScene

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sam_decoder.model.sam import Sam

NAMES = ["0a", "1b", "3c", "4d", "9e", "af", "bb", "cd", "ff"]


@pytest.fixture
def nuclei(tmp_path: Path) -> Path:
    """Pictures of different sizes and shades, each with two nuclei in its middle."""
    for shade, name in enumerate(NAMES):
        picture = np.full((40 + 2 * shade, 60, 3), 20 * shade, np.uint8)
        labels = np.zeros(picture.shape[:2], np.uint16)
        labels[15:20, 25:35], labels[20:25, 25:35] = 1, 2
        picture[labels > 0] = 250
        Image.fromarray(picture).save(tmp_path / f"{name}.png")
        Image.fromarray(labels).save(tmp_path / f"{name}_labels.png")
    return tmp_path


def test_pictures_are_for_training_or_held_out(nuclei: Path) -> None:
    taught = NucleusPictures.of_folder(nuclei, held_out=False)
    held_out = NucleusPictures.of_folder(nuclei, held_out=True)
    assert (len(taught), len(held_out)) == (7, 2)
    assert held_out.whole(1).picture.shape == (42, 60, 3)
    assert taught.whole(0).picture.shape == (44, 60, 3)


def test_labels_stay_on_their_nuclei_at_every_scale(nuclei: Path) -> None:
    taught = NucleusPictures.of_folder(nuclei, held_out=False)
    for number in range(len(taught)):
        seen = taught.at_some_scale(number)
        np.testing.assert_array_equal(seen.labels > 0, seen.picture[..., 0] == 250)
        assert seen.labels.any()


def test_a_mosaic_tells_its_nuclei_apart(nuclei: Path) -> None:
    taught = NucleusPictures.of_folder(nuclei, held_out=False)
    mosaic = taught.at_some_scale(2)
    rows, columns = mosaic.labels.shape
    assert columns == 120
    assert 88 <= rows <= 96
    assert len(mosaic.object_ids) == 8


def test_a_half_is_a_quarter_of_the_picture(nuclei: Path) -> None:
    taught = NucleusPictures.of_folder(nuclei, held_out=False)
    assert taught.at_some_scale(1).labels.shape == (23, 30)


def test_the_smallest_thing_owns_a_pixel() -> None:
    masks = np.zeros((3, 8, 8), bool)
    masks[0, 3:5, 3:5] = masks[1, 1:7, 1:7] = masks[2, 2:6, 2:6] = True
    labels = flattened(SyntheticScene(np.zeros((8, 8, 3), np.uint8), masks)).labels
    assert [labels[place] for place in ((0, 0), (1, 1), (2, 2), (3, 3))] == [0, 2, 3, 1]


def test_pictures_are_embedded_once_and_evenly_mixed(
    tmp_path: Path, tiny_sam: Sam
) -> None:
    def make(number: int) -> LabelledPicture:
        made.append(number)
        picture = np.full((20, 30, 3), number, np.uint8)
        return LabelledPicture(picture, picture[..., 0])

    made: list[int] = []
    kinds = {"many": Kind(4, make), "few": Kind(2, make)}
    names = [path.stem for path in embed_pictures(kinds, tmp_path, tiny_sam)]
    assert names == [
        *("many-00000", "few-00000", "many-00001"),
        *("many-00002", "few-00001", "many-00003"),
    ]
    assert list(embed_pictures(kinds, tmp_path, tiny_sam))
    assert len(made) == len(names)
    with np.load(tmp_path / "many-00003.npz") as content:
        expected = tiny_sam.encode(content["picture"]).features
        np.testing.assert_allclose(content["features"], expected, atol=0.01)
        assert content["features"].dtype == np.float16
        assert content["labels"].dtype == np.uint16
        assert np.all(content["labels"] == 3)


@pytest.mark.parametrize("name", ["things", "cells", "fibres"])
def test_a_number_determines_the_drawn_picture(name: str) -> None:
    first, again = (synthetic_kinds()[name].make(1) for _ in range(2))
    np.testing.assert_array_equal(first.picture, again.picture)
    np.testing.assert_array_equal(first.labels, again.labels)
    assert first.labels.shape == first.picture.shape[:2]
