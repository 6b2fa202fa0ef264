"""The cache of a movie stays in use for as long as anything writes into it."""

from __future__ import annotations

import os
import threading
from dataclasses import replace

import pytest

pytest.importorskip("qtpy.QtCore")
pytestmark = pytest.mark.gui

from stage import StageSam, squares  # noqa: E402

from napari_sam_decoder.cache import clear  # noqa: E402
from napari_sam_decoder.errors import CacheMismatchError  # noqa: E402
from napari_sam_decoder.widgets import model_cache  # noqa: E402

PLUGIN, WIDGET = "napari-sam-decoder", "Segment through a movie"


@pytest.fixture
def sam(monkeypatch):
    """A network that embeds no frame before its gate is opened."""
    stage = StageSam(gate=threading.Semaphore(0))
    monkeypatch.setattr(model_cache.ModelCache, "_get", lambda *_: stage)
    yield stage
    stage.gate.release(100)


@pytest.fixture
def place(tmp_path):
    return tmp_path / "cache.zarr"


@pytest.fixture
def viewer(make_napari_viewer):
    return make_napari_viewer(show=True)


@pytest.fixture
def dock(viewer, sam, place, qtbot):
    """A dock in the midst of embedding."""
    viewer.add_image(squares(6)[0], name="squares")
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, WIDGET)
    bench = dock.workbench
    bench.configure(replace(bench.controller.state.options, cache=str(place)))
    bench.embed()
    qtbot.waitUntil(lambda: bench.controller.is_embedding, timeout=20_000)
    qtbot.wait(100)
    return dock


def close_dock(viewer, dock):
    viewer.window.remove_dock_widget(dock)


def close_window(viewer, dock):
    viewer.close()


def choose_another_movie(viewer, dock):
    layer = viewer.add_image(squares(3)[0][:, ::-1], name="another")
    dock.workbench.choose_movie(layer)


def choose_another_cache(viewer, dock):
    bench = dock.workbench
    bench.configure(replace(bench.controller.state.options, cache=None))


def remove_movie(viewer, dock):
    viewer.layers.remove("squares")


@pytest.mark.parametrize(
    ("leave", "gives_back"),
    [
        (close_dock, True),
        (close_window, True),
        (choose_another_movie, False),
        (choose_another_cache, True),
        (remove_movie, True),
    ],
)
def test_clearing_waits_for_the_step_under_way(
    dock, viewer, sam, place, qtbot, leave, gives_back
):
    leave(viewer, dock)
    with pytest.raises(CacheMismatchError, match="in use"):
        clear(place)
    sam.gate.release(100)

    def is_cleared():
        try:
            clear(place)
        except CacheMismatchError:
            return False
        return True

    if not gives_back:
        # The movie keeps its session; it is given back with the dock.
        close_dock(viewer, dock)
    qtbot.waitUntil(is_cleared, timeout=20_000)
    qtbot.wait(200)
    assert os.listdir(place.parent) == [], "nothing is written any more"
