from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_sam_decoder.training.augmentation import (
    SMALLEST_VIEW,
    augment,
    prepare_examples,
)
from napari_sam_decoder.training.examples import (
    ExampleFolder,
    LabelledPicture,
    TrainingExample,
    embed_example,
    read_example,
)

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sam_decoder.model.sam import Sam

ROWS, COLUMNS = 120, 160


def labelled() -> LabelledPicture:
    """Two bright squares with ids, and one that nobody has labelled."""
    labels = np.zeros((ROWS, COLUMNS), np.uint16)
    labels[20:50, 30:70] = 7
    labels[70:100, 90:140] = 3
    bright = labels > 0
    bright[5:15, 100:150] = True
    return LabelledPicture(np.where(bright, 200, 50)[..., None].repeat(3, 2), labels)


def as_bytes(found: LabelledPicture) -> LabelledPicture:
    return LabelledPicture(found.picture.astype(np.uint8), found.labels)


@pytest.mark.parametrize("seed", range(12))
def test_labels_stay_on_their_objects(seed: int) -> None:
    whole = as_bytes(labelled())
    varied = augment(whole, np.random.default_rng(seed))
    assert varied.picture.dtype == np.uint8
    assert varied.picture.shape[:2] == varied.labels.shape
    assert {*varied.object_ids.tolist()} <= {3, 7}
    shades = varied.picture[varied.labels > 0]
    assert len(shades)
    assert (shades == shades[0, 0]).all()
    assert (shades > varied.picture.min()).all()
    longest, shortest = sorted(varied.labels.shape, reverse=True)
    assert SMALLEST_VIEW * COLUMNS - 1 <= longest <= COLUMNS
    assert SMALLEST_VIEW * ROWS - 1 <= shortest <= ROWS


def test_the_generator_decides() -> None:
    whole = as_bytes(labelled())
    first, same = (augment(whole, np.random.default_rng(1)) for _ in range(2))
    np.testing.assert_array_equal(first.picture, same.picture)
    np.testing.assert_array_equal(first.labels, same.labels)
    shapes = {
        augment(whole, np.random.default_rng(seed)).labels.shape for seed in range(8)
    }
    assert len(shapes) > 4


def test_what_is_mostly_cut_off_is_not_known() -> None:
    labels = np.zeros((100, 100), np.uint8)
    labels[40:60, 40:60] = 1
    labels[:, 95:] = 2
    whole = LabelledPicture(np.zeros((100, 100, 3), np.uint8), labels)
    known = [
        augment(whole, np.random.default_rng(seed)).object_ids.tolist()
        for seed in range(40)
    ]
    assert [1] in known
    assert [1, 2] in known


def test_where_a_crop_would_hold_nothing_the_whole_is_shown() -> None:
    labels = np.zeros((100, 100), np.uint8)
    labels[:3, :3] = 1
    whole = LabelledPicture(np.zeros((100, 100, 3), np.uint8), labels)
    varied = [augment(whole, np.random.default_rng(seed)) for seed in range(20)]
    assert all(one.object_ids.tolist() == [1] for one in varied)
    assert any(one.labels.shape == (100, 100) for one in varied)


def test_an_example_holds_the_outlines_in_the_order_of_ids(early_sam: Sam) -> None:
    example = embed_example(as_bytes(labelled()), early_sam)
    assert example.features.shape == (256, 32, 32)
    assert example.shown.tolist() == [384, 512]
    three, seven = example.mask(0), example.mask(1)
    assert three[int(85 * 3.2), int(115 * 3.2)]
    assert seven[int(35 * 3.2), int(50 * 3.2)]
    assert not (three & seven).any()
    assert seven.sum() == pytest.approx(30 * 40 * 3.2**2, rel=0.02)


def test_examples_that_are_there_are_not_made_again(
    early_sam: Sam, tmp_path: Path
) -> None:
    paths = [tmp_path / f"{number}.npz" for number in range(3)]
    whole = as_bytes(labelled())
    for _ in islice(prepare_examples(whole, paths, early_sam, (4,)), 2):
        pass
    assert [path.exists() for path in paths] == [True, True, False]
    before = paths[1].stat().st_mtime_ns
    assert len(list(prepare_examples(whole, paths, early_sam, (4,)))) == 3
    assert paths[1].stat().st_mtime_ns == before
    assert len(ExampleFolder(tmp_path, TrainingExample)) == 3
    features = early_sam.encode(whole.picture).features.astype(np.float16)
    first = read_example(paths[0], TrainingExample)
    np.testing.assert_array_equal(first.features, features)
