from __future__ import annotations

import pytest

pytest.importorskip("napari.components")

from dataclasses import replace

import numpy as np
from made_up import preview_of

from napari_sam_decoder.frames import PlacedMask
from napari_sam_decoder.prompts import Prompt
from napari_sam_decoder.widgets.thumbnails import (
    common_window,
    draw_thumbnails,
    places_shown,
)

RED = np.array([1.0, 0, 0, 1])
GREY = 100


def grey(*shape):
    return np.full((*shape, 3), GREY, np.uint8)


def disc(shape, centre, radius):
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 <= radius**2


def box(shape, rows, columns):
    mask = np.zeros(shape, bool)
    mask[slice(*rows), slice(*columns)] = True
    return mask


def thumbnails_of(frame, masks, colour, places=()):
    """Draw masks of a whole frame."""
    placed = [PlacedMask.of(mask) for mask in masks]
    window = common_window(frame.shape[:2], placed, places)
    return draw_thumbnails(frame[window.place], window, placed, colour)


def painted(picture):
    """Where a picture has other colours than the grey that it was drawn on."""
    return np.ptp(picture.astype(int), axis=2) > 0


@pytest.mark.parametrize("shape", [(12, 14), (100, 100), (50, 300), (300, 50), (2, 2)])
def test_all_pictures_are_of_one_size(shape):
    masks = [np.zeros(shape, bool), box(shape, (0, 2), (0, 2)), np.ones(shape, bool)]
    pictures = thumbnails_of(grey(*shape), masks, RED)
    assert [picture.shape for picture in pictures] == [(96, 96, 3)] * 3
    assert {picture.dtype for picture in pictures} == {np.dtype(np.uint8)}


def test_a_mask_is_tinted_and_outlined_and_the_rest_is_as_it_was():
    mask = disc((100, 100), (50, 50), 20)
    (picture,) = thumbnails_of(grey(100, 100), [mask], RED)
    assert picture[48, 48].tolist() == [170, 55, 55]
    assert picture[2, 2].tolist() == [GREY] * 3
    across = picture[48].tolist()
    first = next(place for place, pixel in enumerate(across) if pixel != [GREY] * 3)
    assert across[first : first + 2] == [[255, 255, 255], [255, 0, 0]]


@pytest.mark.parametrize(("level", "rim"), [(0, 255), (255, 0)])
def test_the_line_stands_out_from_a_picture_in_the_colour_of_the_object(level, rim):
    mask = disc((100, 100), (50, 50), 20)
    frame = np.full((100, 100, 3), level, np.uint8)
    (picture,) = thumbnails_of(frame, [mask], np.full(4, level / 255))
    assert set(np.unique(picture)) == {level, rim}


def test_a_small_object_can_be_made_out_in_a_large_picture():
    mask = box((1000, 1000), (700, 704), (20, 24))
    (picture,) = thumbnails_of(grey(1000, 1000), [mask], RED)
    assert painted(picture).sum() == 16 * 16


@pytest.mark.parametrize("centre", [(3, 3), (196, 100), (100, 196)])
def test_an_object_at_the_border_is_seen_whole(centre):
    mask = disc((200, 200), centre, 3)
    (picture,) = thumbnails_of(grey(200, 200), [mask], RED)
    assert painted(picture).sum() == pytest.approx(16 * mask.sum(), rel=0.1)


def test_all_show_the_same_part():
    shape = (200, 200)
    frame = np.random.default_rng(0).integers(0, 255, (*shape, 3)).astype(np.uint8)
    masks = [disc(shape, (60, 60), radius) for radius in (5, 10, 14)]
    red = thumbnails_of(frame, masks, RED)
    blue = thumbnails_of(frame, masks, RED[[1, 2, 0]])
    is_line = (red[2] == 255).all(axis=2)
    outside = (red[2] == blue[2]).all(axis=2) & ~is_line
    assert 0.4 < outside.mean() < 0.9
    for picture in red[:2]:
        np.testing.assert_array_equal(picture[outside], red[2][outside])


def test_a_mask_of_the_whole_scene_does_not_make_the_object_tiny():
    mask = disc((400, 400), (200, 200), 10)
    alone, *_ = thumbnails_of(grey(400, 400), [mask], RED)
    beside, *_ = thumbnails_of(grey(400, 400), [mask, np.ones((400, 400), bool)], RED)
    np.testing.assert_array_equal(alone, beside)


def test_a_far_larger_mask_leaves_the_smallest_visible():
    shape = (400, 400)
    small, large = disc(shape, (200, 200), 10), box(shape, (100, 300), (100, 300))
    picture, *_ = thumbnails_of(grey(*shape), [small, large], RED)
    assert painted(picture).sum() > 200


def test_a_wide_picture_is_not_distorted():
    frame = grey(20, 60)
    (picture,) = thumbnails_of(frame, [np.ones((20, 60), bool)], RED)
    is_black = (picture == 0).all(axis=(1, 2))
    # The line around the mask lies beside the picture.
    assert is_black.tolist() == [True] * 31 + [False] * 34 + [True] * 31


@pytest.mark.parametrize("shape", [(30, 60), (60, 30)])
def test_without_any_mask_the_whole_picture_is_shown(shape):
    frame = grey(*shape)
    frame[:5, :5], frame[-5:, -5:] = (0, 0, 250), (0, 250, 0)
    (picture,) = thumbnails_of(frame, [np.zeros(shape, bool)], RED)
    shown = picture[(picture > 0).any(axis=2)]
    assert (picture > 0).any(axis=2).mean() == 0.5
    assert shown[0].tolist() == [0, 0, 250]
    assert shown[-1].tolist() == [0, 250, 0]


def test_alpha_is_ignored():
    mask = disc((50, 50), (25, 25), 9)
    clear = thumbnails_of(grey(50, 50), [mask], np.array([1, 0, 0, 0.2]))
    solid = thumbnails_of(grey(50, 50), [mask], RED[:3])
    np.testing.assert_array_equal(clear, solid)


def test_the_frame_is_not_drawn_on():
    frame = grey(50, 50)
    thumbnails_of(frame, [np.ones((50, 50), bool)], RED)
    assert (frame == GREY).all()


def middle_of(pictures):
    """Share of the height and the width of a picture that its mask takes."""
    is_painted = painted(pictures)
    return [np.ptp(np.flatnonzero(is_painted.any(axis=one))) / 96 for one in (1, 0)]


@pytest.mark.parametrize("junk", [30, 60, 110])
def test_a_junk_mask_does_not_change_the_scale(junk):
    shape, centre = (400, 400), (200, 200)
    small, whole = disc(shape, centre, 3), disc(shape, centre, 20)
    pictures = thumbnails_of(
        grey(*shape), [small, whole, disc(shape, centre, junk)], RED
    )
    assert middle_of(pictures[1]) == pytest.approx([0.53, 0.53], abs=0.03)


def test_a_mask_of_two_objects_is_seen_whole():
    """The middle one of three, where the largest is nearly everything."""
    shape = (400, 400)
    one = disc(shape, (200, 200), 20)
    two = one | disc(shape, (245, 200), 24)
    everything = np.ones(shape, bool)
    picture = thumbnails_of(grey(*shape), [one, two, everything], RED)[1]
    assert not painted(picture)[[0, -1]].any()
    assert 0.4 < painted(picture).any(axis=1).mean() < 0.6


def test_clicks_are_seen_unless_they_are_far_away():
    shape = (400, 400)
    mask = disc(shape, (200, 200), 10)
    frame = grey(*shape)
    near, far = (200, 230), (200, 390)
    frame[near], frame[far] = (0, 0, 250), (0, 250, 0)
    (alone,) = thumbnails_of(frame, [mask], RED)
    (picture,) = thumbnails_of(frame, [mask], RED, [near, far])
    seen = [(one > GREY) & painted(one)[..., None] for one in (alone, picture)]
    assert not seen[0][..., 2].any()
    assert seen[1][..., 2].any()
    assert not seen[1][..., 1].any()


def test_what_is_clicked_and_used_is_to_be_seen():
    prompt = Prompt(
        1, 0, points=[(5, 6), (1, 2)], signs=[True, False], box=(0, 1, 7, 8)
    )
    preview = preview_of(prompt, 3).preview
    assert [*places_shown(preview)] == [(5, 6), (0, 1), (7, 8), (0, 0), (2, 13)]
    nothing = PlacedMask.of(np.zeros((12, 14), bool))
    nothing = replace(preview.chosen, placed=nothing)
    assert len([*places_shown(replace(preview, chosen=nothing))]) == 3
