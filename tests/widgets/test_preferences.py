from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import napari.settings
import pytest

from napari_sam_decoder import Settings
from napari_sam_decoder.errors import FormatError, OptionError
from napari_sam_decoder.widgets import preferences
from napari_sam_decoder.widgets.commands import DEFAULT_KEYS
from napari_sam_decoder.widgets.movie_state import ModelOptions
from napari_sam_decoder.widgets.preferences import (
    keep_keys,
    keep_preferences,
    read_keys,
    read_preferences,
)
from napari_sam_decoder.widgets.saved_settings import DockSettings

MINE = DockSettings(
    ModelOptions(Path("/w.pt"), "cuda:1", (1.0, 2.0), None, "sharp", "float16"),
    Settings(0.7, 0.3, -0.25, 8, 0.5),
    only_current=True,
    replace=True,
)
KEYS = DEFAULT_KEYS | {"new_object": "Ctrl+Alt+Q", "erase": ""}
KEPT = MINE.for_another_movie()

KEEP = """
from napari_sam_decoder.widgets.preferences import keep_keys, keep_preferences
from test_preferences import KEYS, MINE
keep_preferences(MINE)
keep_keys(KEYS)
"""
READ = """
from napari_sam_decoder.widgets.preferences import read_keys, read_preferences
from test_preferences import KEPT, KEYS
assert read_keys() == KEYS, read_keys()
assert read_preferences() == KEPT, read_preferences()
"""
AS_BEFORE_0_9 = """
import napari.settings
if hasattr(napari.settings, "get_plugin_settings"):
    del napari.settings.get_plugin_settings
"""


def run(script, folder):
    """Run a script in a process whose napari keeps its settings in a folder."""
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    environment = {
        **os.environ,
        "NAPARI_CONFIG": str(folder / "settings.yaml"),
        "PYTHONPATH": path,
    }
    subprocess.run([sys.executable, "-c", script], check=True, env=environment)


@pytest.mark.parametrize("before", ["", AS_BEFORE_0_9], ids=["this napari", "0.8"])
def test_preferences_are_found_again_by_the_next_process(tmp_path, before):
    run(before + KEEP, tmp_path)
    ours = [path.name for path in tmp_path.glob("napari-sam-decoder*")]
    run(before + READ, tmp_path)
    files = ["napari-sam-decoder-keys.json", "napari-sam-decoder.json"]
    assert len(ours) in (1, 2)
    assert not before or sorted(ours) == files


@pytest.fixture
def file(monkeypatch, tmp_path):
    """Where preferences are kept for a napari that cannot keep them."""
    path = tmp_path / "napari-sam-decoder.json"
    monkeypatch.setattr(preferences, "_in_napari", lambda: None)
    monkeypatch.setattr(preferences, "_own_file", lambda: path)
    return path


def test_without_a_file_the_usual_settings_are_used(file):
    assert read_preferences() == DockSettings()


def test_a_file_keeps_what_does_not_belong_to_a_movie(file):
    keep_preferences(MINE)
    assert read_preferences() == KEPT
    assert (
        replace(
            MINE,
            model=replace(MINE.model, contrast=None),
            only_current=False,
            replace=False,
        )
        == KEPT
    )


def test_a_broken_file_is_told_with_a_remedy(file):
    file.write_text("{", encoding="utf-8")
    with pytest.raises(FormatError, match="delete it to start over"):
        read_preferences()


def test_keys_that_cannot_be_read_are_told_with_a_remedy(file):
    assert read_keys() == {}
    path = file.with_name("napari-sam-decoder-keys.json")
    path.write_text('["Alt+N"]', encoding="utf-8")
    with pytest.raises(FormatError, match="delete it to start over"):
        read_keys()


def test_where_napari_writes_no_settings_nor_do_we(monkeypatch):
    monkeypatch.setattr(preferences, "_in_napari", lambda: None)
    keep_preferences(MINE)
    keep_keys(KEYS)
    assert read_preferences() == DockSettings()
    assert read_keys() == {}


by_napari = pytest.mark.skipif(
    not hasattr(napari.settings, "get_plugin_settings"),
    reason="napari keeps preferences of plugins from 0.9 on",
)


@by_napari
def test_a_value_that_napari_refuses_is_told():
    with pytest.raises(OptionError, match="float64"):
        keep_preferences(DockSettings(ModelOptions(precision="float64")))


@pytest.mark.gui
@by_napari
def test_napari_shows_them_and_the_dock_starts_with_them(
    make_napari_viewer, sam, qtbot
):
    from napari._qt.dialogs.preferences_dialog import PreferencesDialog
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest
    from qtpy.QtWidgets import QLabel, QSpinBox

    viewer = make_napari_viewer(show=True)
    dialog = PreferencesDialog(viewer.window._qt_window)
    qtbot.addWidget(dialog)
    pages = [dialog._list.item(row).text() for row in range(dialog._list.count())]
    page = dialog._stack.widget(pages.index("SAM decoder"))
    names = {label.text() for label in page.findChildren(QLabel)}
    assert {"Model", "Precision", "Doubtful below", "Stabilise"} <= names
    patience, _ = page.findChildren(QSpinBox)
    QTest.keyClick(patience, Qt.Key.Key_Up)
    _, dock = viewer.window.add_plugin_dock_widget(
        "napari-sam-decoder", "Segment through a movie"
    )
    assert dock.settings == DockSettings(propagation=Settings(patience=6))
