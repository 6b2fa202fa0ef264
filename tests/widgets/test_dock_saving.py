"""Settings outlive the window, in a file or as what the next one starts with."""

from __future__ import annotations

import pytest

pytest.importorskip("qtpy.QtCore")
pytestmark = pytest.mark.gui

from qtpy.QtCore import Qt  # noqa: E402
from qtpy.QtTest import QTest  # noqa: E402
from qtpy.QtWidgets import QFileDialog  # noqa: E402
from stage import squares  # noqa: E402

from napari_sam_decoder import Settings  # noqa: E402
from napari_sam_decoder.widgets import preferences  # noqa: E402
from napari_sam_decoder.widgets.movie_state import ModelOptions  # noqa: E402
from napari_sam_decoder.widgets.saved_settings import (  # noqa: E402
    DockSettings,
    read_settings,
)

PLUGIN, WIDGET = "napari-sam-decoder", "Segment through a movie"
MINE = DockSettings(
    ModelOptions(device="cpu", contrast=(10.0, 250.0), precision="float32"),
    Settings(0.7, 0.2),
    only_current=True,
    replace=True,
)


@pytest.fixture(autouse=True)
def kept(monkeypatch, tmp_path):
    """The file of preferences, for all versions of napari."""
    path = tmp_path / "preferences.json"
    monkeypatch.setattr(preferences, "_in_napari", lambda: None)
    monkeypatch.setattr(preferences, "_own_file", lambda: path)
    return path


@pytest.fixture
def told(monkeypatch):
    """What the user is shown as errors."""
    told = []
    for module in ("dock", "open_docks"):
        name = f"napari_sam_decoder.widgets.{module}.show_error"
        monkeypatch.setattr(name, told.append)
    return told


@pytest.fixture
def open_dock(make_napari_viewer, sam):
    def open_dock():
        viewer = make_napari_viewer(show=True)
        viewer.add_image(squares(4)[0], name="squares")
        return viewer.window.add_plugin_dock_widget(PLUGIN, WIDGET)[1]

    return open_dock


@pytest.fixture
def dock(open_dock):
    return open_dock()


def press(button):
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def answer(monkeypatch, path):
    """Let both file dialogs answer at once."""
    for name in ("getSaveFileName", "getOpenFileName"):
        monkeypatch.setattr(QFileDialog, name, lambda *_: (str(path), ""))


def raise_patience(dock):
    QTest.keyClick(dock._propagation.fields.patience.native, Qt.Key.Key_Up)


def test_what_was_set_is_what_the_next_window_starts_with(dock, open_dock):
    QTest.keyClick(dock._form.device.native, Qt.Key.Key_Down)
    raise_patience(dock)
    another = open_dock()
    assert another.workbench.movie is not None
    assert another.settings == DockSettings(
        ModelOptions(device="cpu"), Settings(patience=6)
    )


def test_settings_are_saved_and_loaded(dock, open_dock, monkeypatch, tmp_path, qtbot):
    dock.use_settings(MINE)
    answer(monkeypatch, tmp_path / "mine")
    press(dock._settings.save)
    assert read_settings(tmp_path / "mine.json") == MINE
    press(dock._settings.reset)
    assert dock.settings == DockSettings()
    answer(monkeypatch, tmp_path / "mine.json")
    press(dock._settings.load)
    assert dock.settings == MINE
    qtbot.waitUntil(lambda: dock._form.device.current_choice == "CPU")
    assert dock._form.contrast.low.value == "10"
    assert dock._propagation.fields.doubtful_below.value == 0.7


def test_a_dialog_that_is_cancelled_changes_nothing(dock, monkeypatch, tmp_path, told):
    answer(monkeypatch, "")
    press(dock._settings.save)
    press(dock._settings.load)
    assert told == []
    assert dock.settings == DockSettings()


def test_a_bad_file_is_told_and_changes_nothing(dock, monkeypatch, tmp_path, told):
    path = tmp_path / "bad.json"
    path.write_text('{"model": 3}', encoding="utf-8")
    answer(monkeypatch, path)
    press(dock._settings.load)
    assert dock.settings == DockSettings()
    (message,) = told
    assert "'Save settings…' has written" in message


def test_broken_preferences_are_told_and_the_dock_opens(kept, open_dock, told):
    kept.write_text("nothing", encoding="utf-8")
    dock = open_dock()
    assert dock.settings == DockSettings()
    (message,) = told
    assert "delete it to start over" in message


def test_preferences_that_cannot_be_written_are_told(dock, monkeypatch, told, tmp_path):
    nowhere = tmp_path / "none" / "file.json"
    monkeypatch.setattr(preferences, "_own_file", lambda: nowhere)
    raise_patience(dock)
    assert dock.settings.propagation.patience == 6
    (message,) = told
    assert str(nowhere) in message


def test_a_dock_that_is_opened_again_keeps_what_was_set(dock, kept):
    viewer = dock.workbench.viewer
    raise_patience(dock)
    kept.unlink()
    viewer.window.remove_dock_widget(dock)
    again = viewer.window.add_plugin_dock_widget(PLUGIN, WIDGET)[1]
    assert again.settings.propagation == Settings(patience=6)


def test_settings_of_propagation_reach_the_session(dock):
    bench = dock.workbench
    bench.configure_propagation(Settings(0.9))
    bench.new_object()
    bench.add_points((0, 16, 14))
    bench.wait()
    session = bench.controller.state.session
    assert session.settings == Settings(0.9)
    raise_patience(dock)
    assert session.settings == Settings(0.9, patience=6)
    assert bench.controller.state.session is session
    bench.propagate()
    bench.wait()
    assert bench.labels.data.any()
