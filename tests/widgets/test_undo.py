"""Undo and redo of everything that is done in the window."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("qtpy.QtCore", exc_type=ImportError)

from stage import squares

pytestmark = pytest.mark.gui

FRAMES = 6


@pytest.fixture
def bench(fresh):
    movie, _ = squares(FRAMES)
    fresh.choose_movie(fresh.viewer.add_image(movie, name="squares"))
    fresh.viewer.dims.set_point(0, 0)
    return fresh


def shown(bench):
    """Everything that undo has to restore."""
    bench.wait()
    target = bench.controller.state.target
    tables = {
        (table.name, table.scope): dict(table)
        for table in bench.history.document.tables
        if table.name not in ("targets", "scanned", "declined", "declined reruns")
    }
    pixels = None if target is None else np.array(target.layer.data)
    return pixels, {name: entries for name, entries in tables.items() if entries}


def assert_same(now, before):
    pixels, tables = now
    pixels_before, tables_before = before
    if pixels_before is None:
        assert pixels is None or not pixels.any()
    else:
        np.testing.assert_array_equal(pixels, pixels_before)
    assert tables == tables_before


def paint(bench, frame, row, column, label):
    layer = bench.labels
    bench.viewer.dims.set_point(0, frame)
    layer.selected_label = label
    layer.brush_size = 5
    layer.paint([frame, row, column], label)


def test_a_run_and_strokes_are_undone_and_redone_to_the_pixel(bench):
    layer = bench.new_object()
    layer.add([0, 16, 14])
    bench.wait()
    states = [shown(bench)]
    bench.propagate()
    states.append(shown(bench))
    paint(bench, 2, 50, 10, 1)
    states.append(shown(bench))
    paint(bench, 3, 17, 17, 0)
    states.append(shown(bench))
    bench.labels.fill([4, 0, 0], 3)
    states.append(shown(bench))
    bench.propagate()
    states.append(shown(bench))
    for before in states[-2::-1]:
        bench.undo()
        assert_same(shown(bench), before)
    assert bench.history.next_undo is None or bench.history.next_undo.kind != "run"
    for after in states[1:]:
        bench.redo()
        assert_same(shown(bench), after)
    assert bench.history.next_redo is None
