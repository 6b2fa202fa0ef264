"""What the docks of a viewer share, where Python and Qt both own them."""

from __future__ import annotations

import gc

import pytest

pytest.importorskip("qtpy.QtCore", exc_type=ImportError)

from stage import squares

from napari_sam_decoder.widgets.open_docks import (
    DOCK,
    PLUGIN,
    REVIEW_DOCK,
    OpenDocks,
)

pytestmark = pytest.mark.gui


@pytest.fixture
def viewer(make_napari_viewer, sam):
    viewer = make_napari_viewer(show=True)
    viewer.add_image(squares(3)[0], name="squares")
    return viewer


def collect(*, backwards):
    """Let Python take apart what is left in the order it was found, or backwards."""
    gc.set_debug(gc.DEBUG_SAVEALL)
    gc.collect()
    gc.set_debug(0)
    left = gc.garbage[::-1] if backwards else [*gc.garbage]
    gc.garbage.clear()
    # What only a newer list holds is put into its order.
    gc.collect()
    del left
    gc.collect()


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize(
    ("closed", "open_one"), [(DOCK, REVIEW_DOCK), (REVIEW_DOCK, DOCK)]
)
def test_python_may_collect_a_closed_one_before_qt_deletes_it(
    closed, open_one, backwards, viewer
):
    viewer.window.add_plugin_dock_widget(PLUGIN, open_one)
    gc.collect()
    frame, _ = viewer.window.add_plugin_dock_widget(PLUGIN, closed)
    frame.title.close_button.click()
    del frame, _
    collect(backwards=backwards)
    docks = OpenDocks.on(viewer)
    assert docks.has(open_one)
    assert not docks.has(closed)


@pytest.mark.parametrize("backwards", [False, True])
def test_python_may_collect_all_of_a_window(backwards, viewer):
    for name in (DOCK, REVIEW_DOCK):
        viewer.window.add_plugin_dock_widget(PLUGIN, name)
    viewer.close()
    collect(backwards=backwards)
    assert OpenDocks.on(viewer) is None
