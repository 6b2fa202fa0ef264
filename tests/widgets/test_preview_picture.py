from __future__ import annotations

import pytest

pytest.importorskip("napari.components")

import numpy as np

from napari_sam_decoder.frames import PlacedMask, Window
from napari_sam_decoder.prompts import PaintedMask, Scribble
from napari_sam_decoder.widgets.layers import Outline
from napari_sam_decoder.widgets.preview_picture import PreviewPicture

COVER = Window(0, 0, 64, 64)


def block(row, column, side=8):
    return PlacedMask(np.ones((side, side), bool), Window(row, column, side, side))


def lines_of(outline):
    parts = outline.starts, outline.ends, outline.object_ids[:, None]
    return {tuple(row) for row in np.hstack(parts).tolist()}


def scribble(row, column):
    painted = np.zeros((64, 64), bool)
    painted[row, column] = True
    return Scribble(PaintedMask.of(painted))


BEFORE = {1: block(0, 0), 2: block(4, 4), 7: block(40, 40)}


@pytest.mark.parametrize(
    ("masks", "scribbles", "changed"),
    [
        (BEFORE, (), None),
        (BEFORE | {9: block(20, 30)}, (), Window(20, 30, 8, 8)),
        (BEFORE | {7: block(42, 40)}, (), Window(40, 40, 10, 8)),
        ({2: BEFORE[2], 7: BEFORE[7]}, (), Window(0, 0, 8, 8)),
        (BEFORE, (scribble(3, 5),), Window(3, 5, 1, 1)),
    ],
)
def test_only_what_is_new_is_drawn_again(masks, scribbles, changed):
    before = PreviewPicture(0, COVER, BEFORE)
    picture = PreviewPicture(0, COVER, masks, scribbles)
    assert picture.continues(before)
    assert picture.changes(before) == changed
    labels = before.labels(COVER)
    if changed:
        labels[changed.place] = picture.labels(changed)
    np.testing.assert_array_equal(labels, picture.labels(COVER))


@pytest.mark.parametrize(
    "picture",
    [
        PreviewPicture(1, COVER, BEFORE),
        PreviewPicture(0, Window(0, 0, 64, 32), BEFORE),
        PreviewPicture(0, COVER, {2: BEFORE[2], 1: BEFORE[1]}),
        PreviewPicture(0, COVER, {key: block(0, 0) for key in range(1, 300)}),
    ],
)
def test_what_looks_different_everywhere_is_drawn_as_a_whole(picture):
    assert not picture.continues(PreviewPicture(0, COVER, BEFORE))


def test_scribbles_in_another_order_are_drawn_again():
    first, second = scribble(3, 5), Scribble(scribble(3, 5).pixels, is_positive=False)
    before = PreviewPicture(0, COVER, {}, (first, second))
    picture = PreviewPicture(0, COVER, {}, (second, first))
    assert picture.changes(before) == Window(3, 5, 1, 1)


def test_objects_are_traced_alike_together_and_apart():
    far = PlacedMask(np.ones((5, 5), bool), Window(4000, 3000, 5, 5))
    masks = BEFORE | {3: far}
    apart = PreviewPicture(0, COVER, masks).outline(masks)
    together = PreviewPicture(0, COVER, BEFORE).outline(BEFORE)
    alone = PreviewPicture(0, COVER, {3: far}).outline([3])
    assert lines_of(apart) == lines_of(together) | lines_of(alone)
    whole = PreviewPicture(0, COVER, BEFORE).labels(COVER)
    assert lines_of(together) == lines_of(Outline.of(whole))


def test_an_object_under_another_is_traced_as_far_as_it_is_seen():
    masks = {1: block(0, 0), 2: block(0, 0)}
    assert not len(PreviewPicture(0, COVER, masks).outline([1]))
