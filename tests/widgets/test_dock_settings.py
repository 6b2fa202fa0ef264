"""The dock sets nothing that counts for napari and its other plugins."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytest.importorskip("qtpy.QtCore")
pytestmark = pytest.mark.gui

import torch  # noqa: E402
from stage import squares  # noqa: E402

from napari_sam_decoder.widgets import model_cache  # noqa: E402

sys.path.insert(0, str(Path(__file__).parents[1]))

from process_settings import changes, settings  # noqa: E402

PLUGIN, WIDGET = "napari-sam-decoder", "Segment through a movie"


def newcomers_threads():
    with ThreadPoolExecutor(1) as newcomer:
        return newcomer.submit(torch.get_num_threads).result()


@pytest.mark.usefixtures("sam")
def test_a_run_in_the_dock_sets_nothing(make_napari_viewer, monkeypatch):
    usual = torch.get_num_threads()
    torch.set_num_threads(4)
    monkeypatch.setattr(model_cache.os, "cpu_count", lambda: 3)
    viewer = make_napari_viewer(show=True)
    viewer.add_image(squares(4)[0], name="squares")
    before, during = settings(), set()
    try:
        _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, WIDGET)
        bench = dock.workbench
        bench.controller.changed.connect(lambda: during.add(newcomers_threads()))
        bench.new_object()
        bench.points_layer.add((0, 16, 14))
        bench.propagate()
        bench.wait()
        bench.controller.embed()
        bench.wait()
        assert bench.controller.state.labels_layer.data.any()
        assert during == {4}, "whoever else begins to use torch meanwhile"
        dock.close()
        assert changes(before, settings()) == []
    finally:
        torch.set_num_threads(usual)
