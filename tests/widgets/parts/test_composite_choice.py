from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("qtpy.QtCore", exc_type=ImportError)

from choosing import choose, texts
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_sam_decoder.widgets.parts import MoviePart

pytestmark = pytest.mark.gui

NAMES = "a nucleus of the longest name there is", "GFP", "RFP"


@pytest.fixture
def part(docked):
    return docked(MoviePart())


@pytest.fixture
def split(bench):
    for name in NAMES:
        bench.viewer.add_image(np.zeros((3, 8, 9), np.uint8), name=name)
    bench.choose_movie(bench.viewer.layers[0])
    return bench


def click(part, bench):
    box = part.composite.box
    QTest.mouseClick(box, Qt.MouseButton.LeftButton, pos=box.rect().center() / 8)
    part.show_state(bench)


def titles(part, bench, heard):
    return [[one.title(bench.movie) for one in channels] for channels in heard]


def test_a_single_layer_offers_no_composite(part, bench):
    bench.choose_movie(bench.viewer.add_image(np.zeros((3, 8, 9)), name="alone"))
    part.show_state(bench)
    assert not part.composite.isVisible()


def test_the_first_channels_are_proposed(part, split, heard):
    part.channels_chosen.connect(split.compose)
    part.show_state(split)
    assert part.composite.isVisible()
    red, green, blue = part.composite.colours
    assert not red.isVisible()
    click(part, split)
    assert [one.title(split.movie) for one in split.controller.state.channels] == [
        *NAMES
    ]
    assert [box.currentText() for box in (red, green, blue)] == [*NAMES]
    assert texts(blue) == [*NAMES, "none"]
    assert texts(red) == [*NAMES]
    click(part, split)
    assert split.controller.state.channels == ()
    assert not red.isVisible()


def test_a_colour_is_chosen_swapped_and_left_out(part, split):
    part.channels_chosen.connect(split.compose)
    split.compose(NAMES[:2])
    part.show_state(split)
    red, green, blue = part.composite.colours

    def shown():
        part.show_state(split)
        return [box.currentText() for box in (red, green, blue)]

    assert shown() == [*NAMES[:2], "none"]
    choose(red, "GFP")
    assert shown() == ["GFP", NAMES[0], "none"]
    choose(blue, "RFP")
    assert shown() == ["GFP", NAMES[0], "RFP"]
    choose(green, "RFP")
    assert shown() == ["GFP", "RFP", NAMES[0]]
    choose(blue, "none")
    assert shown() == ["GFP", "RFP", "none"]


def test_a_channel_that_is_gone_is_named(part, split):
    split.compose(NAMES[:2])
    split.viewer.layers.remove("GFP")
    part.show_state(split)
    assert part.composite.colours[1].currentText() == "GFP (missing)"
    assert part.composite.isVisible()


def test_long_names_do_not_widen_the_dock(part, split):
    part.show_state(split)
    before = part.minimumSizeHint().width()
    split.compose(NAMES)
    part.show_state(split)
    assert part.composite.colours[2].isVisible()
    assert part.minimumSizeHint().width() == before


def test_names_that_begin_alike_have_room(part, bench):
    for name in ("channel a", "channel b"):
        bench.viewer.add_image(np.zeros((3, 8, 9), np.uint8), name=name)
    bench.choose_movie(bench.viewer.layers[0])
    bench.compose(["channel a", "channel b"])
    part.resize(378, part.height())
    part.show_state(bench)
    for box in part.composite.colours:
        assert box.width() > 2 * box.fontMetrics().horizontalAdvance("channel a")
