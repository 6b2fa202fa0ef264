"""The list of models, in a window of its own beside the dock."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("qtpy.QtCore", exc_type=ImportError)

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QLabel

from napari_sam_decoder.widgets.dock import SamDecoderDock
from napari_sam_decoder.widgets.job_queue import wait_until
from napari_sam_decoder.widgets.parts import ModelList

pytestmark = pytest.mark.gui

PATIENCE = 60


@pytest.fixture
def press(qtbot):
    def press(button):
        assert button.isVisible()
        qtbot.mouseClick(getattr(button, "native", button), Qt.MouseButton.LeftButton)

    return press


@pytest.fixture
def dock(publisher, sam, make_napari_viewer):
    """A dock whose list of models is open; the publisher's model is in it."""
    viewer = make_napari_viewer(show=True)
    _, dock = viewer.window.add_plugin_dock_widget(
        "napari-sam-decoder", "Segment through a movie"
    )
    assert isinstance(dock, SamDecoderDock)
    dock._open_models()
    return dock


def line_of(dock, name):
    return dock._models.lines[name]


def test_the_list_says_what_each_model_is_for_and_where_it_is(dock):
    texts = {
        name: [label.text() for label in line.findChildren(QLabel)]
        for name, line in dock._models.lines.items()
    }
    assert list(texts) == [row.name for row in dock.workbench.models]
    lm = " ".join(texts["micro_sam_vit_b_lm"])
    assert "Cells and nuclei in light microscopy" in lm
    assert "about 375 MB" in lm
    assert 'href="https://bioimage.io/#/?id=diplomatic-bug"' in lm
    assert "Apache-2.0" in " ".join(texts["sam_vit_b"])
    assert line_of(dock, "mobile_sam").state.text() == "in use"
    assert line_of(dock, "medsam").state.text() == "from a file only"
    assert line_of(dock, "sam_vit_b").download.isVisible()
    for name in ("mobile_sam", "medsam"):
        line = line_of(dock, name)
        assert not line.use.isVisible()
        assert not line.download.isVisible()


def test_a_model_is_downloaded_and_used(dock, press):
    line = line_of(dock, "toy")
    press(line.download)
    dock.workbench.wait()
    assert not line.bar.isVisible()
    assert not line.download.isVisible()
    assert line.state.text() == "here"
    texts = [dock._form.model.native.itemText(place) for place in range(3)]
    assert "toy" in texts, "it is offered in the dock without opening that again"
    press(line.use)
    assert dock.workbench.controller.state.options.model == "toy"
    assert wait_until(lambda: line.state.text() == "in use", PATIENCE)
    assert line_of(dock, "mobile_sam").use.isVisible()
    assert dock._form.model.native.currentText() == "toy"


def test_progress_is_shown_and_a_download_is_cancelled(dock, publisher, press):
    publisher.answer = "endless"
    line = line_of(dock, "toy")
    press(line.download)
    assert wait_until(lambda: line.bar.value() > 0, PATIENCE)
    assert line.bar.maximum() == 10**9 // 1024
    assert "/ 1000 MB" in line.bar.format()
    assert not line.download.isVisible()
    press(line.cancel)
    assert line.download.isVisible()
    assert not line.bar.isVisible()
    assert not line.cancel.isVisible()
    assert dock.workbench.is_idle


def test_a_failure_is_shown_with_its_remedy_until_it_is_tried_again(
    dock, publisher, press
):
    publisher.answer = "wrong"
    line = line_of(dock, "toy")
    press(line.download)
    assert wait_until(lambda: dock._models.trouble.isVisible(), PATIENCE)
    assert publisher.url in dock._models.trouble.text()
    assert line.state.text() == "failed, see below"
    assert line.download.text() == "Try again"
    publisher.answer = "whole"
    press(line.download)
    assert not dock._models.trouble.isVisible()
    assert wait_until(lambda: line.state.text() == "here", PATIENCE)


def test_a_file_is_used(dock, press, monkeypatch, tmp_path):
    path = tmp_path / "mine.pt"
    path.touch()
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: ("", ""))
    press(dock._models.from_file)
    assert dock.workbench.controller.state.options.model == "mobile_sam"
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    press(dock._models.from_file)
    assert dock.workbench.controller.state.options.model == Path(path)
    press(dock._models.shut)
    assert not dock._models.isVisible()


def test_the_cost_of_another_model_is_told_before(shown):
    text = " ".join(label.text() for label in shown(ModelList()).findChildren(QLabel))
    assert "embedded again when you use it" in text
