from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from napari_sam_decoder.formats.figures import (
    Chart,
    colour_of,
    contact_sheet,
    draw_chart,
    draw_outlines,
    save_gif,
    stack_vertically,
)


def test_outlines_have_the_objects_colours_and_leave_the_rest():
    rgb = np.full((12, 20, 3), 90, np.uint8)
    labels = np.zeros((12, 20), int)
    labels[2:9, 2:9] = 1
    labels[2:9, 12:18] = 9
    drawn = draw_outlines(rgb, labels)
    assert tuple(drawn[2, 4]) == colour_of(1)
    assert tuple(drawn[5, 12]) == colour_of(9)
    assert (drawn[5, 5] == 90).all()
    assert (rgb == 90).all()


def test_wide_frames_are_reduced_in_the_animation(tmp_path):
    frames = [np.full((60, 120, 3), value, np.uint8) for value in (0, 120, 240)]
    save_gif(tmp_path / "a.gif", frames, width=60)
    with Image.open(tmp_path / "a.gif") as animation:
        assert animation.size == (60, 30)
        assert animation.n_frames == 3


def test_the_sheet_has_room_for_all_frames():
    frames = [np.zeros((30, 40, 3), np.uint8)] * 5
    sheet = contact_sheet(frames, list("abcde"), columns=2)
    assert sheet.shape == (3 * 58, 2 * 50, 3)


@pytest.mark.parametrize("length", [1, 2, 60])
def test_curves_are_drawn_in_the_objects_colours(length):
    curves = {1: np.full(length, 0.5), 2: np.full(length, 0.9)}
    drawn = draw_chart(Chart("IoU", curves), width=600)
    assert drawn.shape == (240, 600, 3)
    for object_id in curves:
        assert (drawn == colour_of(object_id)).all(axis=2).any()


def test_gaps_stay_empty():
    curve = np.array([0.5, np.nan, 0.5, 0.5, 0.5])
    whole = draw_chart(Chart("IoU", {1: np.full(5, 0.5)}), width=600)
    drawn = draw_chart(Chart("IoU", {1: curve}), width=600)
    inked = [(picture == colour_of(1)).all(axis=2).sum() for picture in (whole, drawn)]
    assert inked[1] < inked[0]


def test_pictures_are_put_above_each_other():
    assert stack_vertically([np.zeros((2, 5, 3)), np.ones((3, 5, 3))]).shape == (
        5,
        5,
        3,
    )
