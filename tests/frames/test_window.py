from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sam_decoder.frames import Pyramid, Window

FRAME = 2048, 3000
PYRAMID = Pyramid(FRAME, (1024, 512))
WHOLE = PYRAMID.whole


def boxes(largest):
    """Bounding boxes inside the frame."""

    def place(shape):
        rows, columns = shape
        return st.builds(
            Window,
            st.integers(0, FRAME[0] - rows),
            st.integers(0, FRAME[1] - columns),
            st.just(rows),
            st.just(columns),
        )

    sides = st.integers(1, largest)
    return st.tuples(sides, sides).flatmap(place)


def test_a_window_around_a_mask_is_its_bounding_box():
    mask = np.zeros((9, 9), bool)
    mask[2:5, 3] = mask[4, 3:8] = True
    assert Window.around(mask) == Window(2, 3, 3, 5)
    assert Window.around(np.zeros((3, 3), bool)) is None


def test_a_window_around_points_has_their_pixels():
    points = [(2.6, 3.4), (7.5, 0.0)]
    window = Window.around_points(points)
    assert window == Window(3, 0, 6, 4)
    assert all(window.contains_point(point) for point in points)
    assert not window.contains_point((9, 0))


def test_a_point_on_the_border_is_in_the_window():
    window = Window(3, 0, 6, 4)
    assert window.contains_point((8.5, 3.5))
    assert window.contains_point((2.5, -0.5))


def test_a_window_can_be_counted_from_another_one():
    outer, inner = Window(10, 20, 50, 50), Window(15, 30, 5, 6)
    assert inner.within(outer) == Window(5, 10, 5, 6)
    assert outer.from_frame(inner.within(outer)) == inner
    assert outer.contains(inner)
    assert not inner.contains(outer)


@pytest.mark.parametrize(
    ("other", "shared"),
    [
        (Window(5, 5, 10, 10), Window(5, 5, 5, 5)),
        (Window(0, 0, 3, 20), Window(0, 0, 3, 10)),
        (Window(10, 0, 5, 5), None),
    ],
)
def test_what_two_windows_share(other, shared):
    window = Window(0, 0, 10, 10)
    assert window.shared(other) == other.shared(window) == shared


def test_the_join_of_windows_has_both():
    joined = Window(0, 4, 3, 3).joined(Window(5, 0, 2, 2))
    assert joined == Window(0, 0, 7, 7)


@pytest.mark.parametrize(
    ("shape", "smallest", "sides"),
    [
        ((480, 1024), 512, ()),
        ((480, 1025), 512, (1024, 512)),
        ((4096, 4096), 128, (1024, 512, 256, 128)),
        ((4096, 4096), 100_000, ()),
    ],
)
def test_only_frames_larger_than_the_input_have_windows(shape, smallest, sides):
    assert Pyramid.of(shape, 1024, smallest).sides == sides


@pytest.mark.parametrize(
    ("side", "window"),
    [(20, 512), (64, 512), (120, 512), (128, 1024), (374, 1024), (375, 3000)],
)
def test_an_object_is_an_eighth_of_its_view_or_more(side, window):
    assert PYRAMID.window_for(Window(900, 900, 8, side)).side == window


@given(boxes(256))
def test_the_window_of_an_object_has_all_of_it(box):
    window = PYRAMID.window_for(box)
    assert WHOLE.contains(window)
    assert window.contains(box)


@given(boxes(85))
def test_around_an_object_is_free_space(box):
    window = PYRAMID.window_for(box)
    around = box.moved(-box.side, -box.side).joined(box.moved(box.side, box.side))
    assert window.contains(around.shared(WHOLE))


def test_an_object_keeps_its_window_until_it_comes_near_the_side():
    start = PYRAMID.window_for(Window(600, 600, 30, 30))
    window, path = start, []
    for step in range(300):
        box = Window(600, 600 + 3 * step, 30, 30)
        window = PYRAMID.next_window(box, box.moved(0, 3), window, ())
        assert window.contains(box)
        path.append(window.column)
    assert sorted(path) == path
    assert len(set(path)) == 5
    there = start.column + start.columns
    left = path.index(sorted(set(path))[1])
    assert there - (600 + 3 * left + 30) < 20


def test_where_an_object_goes_counts():
    box, window = Window(600, 700, 30, 30), Window(512, 256, 512, 512)
    still = PYRAMID.next_window(box, box, window, ())
    fast = PYRAMID.next_window(box, box.moved(0, 40), window, ())
    assert still == window
    assert fast.column > window.column


def test_the_scale_changes_with_the_size_but_not_at_once():
    window = Window(768, 768, 512, 512)
    sides = {}
    for side in range(40, 500, 10):
        box = Window(1024 - side // 2, 1024 - side // 2, side, side)
        window = PYRAMID.next_window(box, box, window, ())
        sides[side] = window.side
    assert [sides[side] for side in (320, 330)] == [512, 1024]
    for side in range(490, 40, -10):
        box = Window(1024 - side // 2, 1024 - side // 2, side, side)
        window = PYRAMID.next_window(box, box, window, ())
        sides[side] = window.side
    assert [sides[side] for side in (110, 90)] == [1024, 512]


def test_neighbours_share_a_window():
    rng = np.random.default_rng(0)
    cells = {
        key: Window(int(row), int(column), 30, 30)
        for key, (row, column) in enumerate(rng.integers(900, 1060, (9, 2)), start=1)
    }
    windows = PYRAMID.shared_windows(cells)
    assert set(windows) == set(cells)
    assert len(set(windows.values())) == 1


def test_objects_far_apart_have_windows_of_their_own():
    cells = {1: Window(50, 50, 30, 30), 2: Window(1500, 2500, 30, 30)}
    windows = PYRAMID.shared_windows(cells)
    assert windows[1] != windows[2]
    assert all(windows[key].contains(cell) for key, cell in cells.items())


def test_an_object_that_changes_its_window_takes_one_in_use():
    box, current = Window(600, 990, 30, 30), Window(512, 512, 512, 512)
    for shared in (Window(256, 768, 512, 512), Window(512, 768, 512, 512)):
        window = PYRAMID.next_window(box, box.moved(0, 30), current, [shared])
        assert window == shared
    away = Window(0, 0, 512, 512)
    assert PYRAMID.next_window(box, box.moved(0, 30), current, [away]) != away


@given(boxes(200), st.sampled_from([1024, 512]))
def test_a_window_of_the_same_size_is_found_elsewhere(box, side):
    window = PYRAMID.beside(Window(0, 0, side, side), box)
    assert window.side == side
    assert window.contains(box)


@pytest.mark.parametrize(
    ("place", "window"),
    [
        ((slice(1, 3), slice(2, 6)), Window(1, 2, 2, 4)),
        ((slice(None), slice(-2, None)), Window(0, 7, 8, 2)),
        ((slice(3, 3), slice(0, 4)), None),
        ((slice(0), slice(0)), None),
    ],
)
def test_slices_are_a_window(place, window):
    assert Window.at(place, Window(0, 0, 8, 9)) == window


@given(boxes(900))
def test_no_window_of_the_side_has_more_room(box):
    chosen = PYRAMID.window_for(box)

    def room(window):
        inner = box.within(window)
        sides = [
            (window.row > 0, inner.row),
            (window.column > 0, inner.column),
            (window.row + window.rows < FRAME[0], window.rows - inner.row - box.rows),
            (
                window.column + window.columns < FRAME[1],
                window.columns - inner.column - box.columns,
            ),
        ]
        return min((free for inside, free in sides if inside), default=float("inf"))

    beside = list(PYRAMID.windows(chosen.side))
    assert chosen == max(beside, key=lambda one: (room(one), one))


def test_a_frame_of_one_pixel_is_seen_as_a_whole():
    pyramid = Pyramid((1, 1))
    box = pyramid.whole
    assert pyramid.window_for(box) == box
    assert pyramid.next_window(box, box, box, [box]) == box
    assert pyramid.shared_windows({1: box}) == {1: box}
