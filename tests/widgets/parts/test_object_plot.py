from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("qtpy.QtCore", exc_type=ImportError)

from napari_sam_decoder.project import Timeline
from napari_sam_decoder.widgets.frame_axis import FrameAxis
from napari_sam_decoder.widgets.parts.object_plot import STRIP, ObjectPlot, curve_parts
from napari_sam_decoder.widgets.parts.ribbon import theme_colours

pytestmark = pytest.mark.gui

LENGTH, LEFT = 40, 150


@pytest.fixture
def plot(qtbot):
    plot = ObjectPlot()
    qtbot.addWidget(plot)
    plot.resize(LEFT + 10 * LENGTH, plot.height())
    plot.show()
    return plot


def is_drawn(plot, frames, strip):
    """Whether a blue line is between the middles of two frames on a strip."""
    return any(blue - red > 60 for red, _, blue in colours_in(plot, frames, strip))


def colours_in(plot, frames, strip):
    seen = plot.grab().toImage()
    axis = plot._axis
    columns = range(*(round(axis.middle_of(frame)) for frame in frames))
    rows = range(strip * STRIP, (strip + 1) * STRIP)
    return {seen.pixelColor(x, y).getRgb()[:3] for x in columns for y in rows}


def test_curves_are_drawn_where_something_is_known(plot):
    line = Timeline.empty(LENGTH)
    line.confidence[:20] = 0.5
    line.area[10:30] = np.linspace(5, 80, 20)
    plot.show_line(line, FrameAxis().fitted(LENGTH, LEFT, 10 * LENGTH), 35)
    assert is_drawn(plot, (5, 15), strip=0)
    assert not is_drawn(plot, (22, 34), strip=0)
    assert not is_drawn(plot, (0, 34), strip=1)
    assert is_drawn(plot, (12, 28), strip=2)
    assert not is_drawn(plot, (0, 9), strip=2)
    assert theme_colours(plot).slider in colours_in(plot, (34, 36), strip=1)


def test_curves_are_drawn_again_when_values_change(plot):
    line = Timeline.empty(LENGTH)
    axis = FrameAxis().fitted(LENGTH, LEFT, 10 * LENGTH)
    plot.show_line(line, axis, 35)
    assert not is_drawn(plot, (5, 15), strip=0)
    line.confidence[:20] = 0.5
    plot.forget_curves()
    assert is_drawn(plot, (5, 15), strip=0)
    drawn = plot._curves[1]
    plot.show_line(line, axis, 20)
    plot.grab()
    assert plot._curves[1] is drawn, "the slider alone draws no curve"
    plot.show_line(line, axis.zoomed(LEFT, 2), 20)
    assert is_drawn(plot, (5, 15), strip=0)
    assert plot._curves[1] is not drawn


def test_without_an_object_nothing_is_drawn(plot):
    plot.show_line(None, FrameAxis().fitted(LENGTH, LEFT, 10 * LENGTH), 3)
    assert len(colours_in(plot, (0, 39), strip=0)) == 1


def test_a_curve_has_gaps():
    values = np.array([np.nan, 1, 2, np.nan, np.nan, 3])
    found = [(start, part.tolist()) for start, part in curve_parts(values)]
    assert found == [(1, [1, 2]), (5, [3])]
    assert list(curve_parts(np.full(3, np.nan))) == []
