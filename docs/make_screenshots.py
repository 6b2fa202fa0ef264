"""Go through the tutorial in a real window and take its pictures.

Run it where there is a display, for instance under Xvfb; it takes about three minutes
on two cores and needs nothing but the package with napari and a Qt::

    xvfb-run -a -s "-screen 0 1600x1000x24" python docs/make_screenshots.py [FOLDER]

It does what the tutorial says, with menus, mouse and buttons, and fails where that does
not lead to what the tutorial promises.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

TRACES = TemporaryDirectory(prefix="screenshots")
"""Neither what was embedded nor what was done before is to be seen in a picture."""
os.environ |= {
    "NAPARI_CONFIG": "",
    "NAPARI_SAM_DECODER_CACHE": f"{TRACES.name}/cache",
    "NAPARI_SAM_DECODER_PROJECTS": f"{TRACES.name}/projects",
}

import napari  # noqa: E402
import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402
from qtpy.QtCore import QPoint, Qt  # noqa: E402
from qtpy.QtTest import QTest  # noqa: E402
from qtpy.QtWidgets import QApplication, QMenu, QWidget  # noqa: E402

from napari_sam_decoder import load_sample  # noqa: E402
from napari_sam_decoder.metrics import mask_iou  # noqa: E402
from napari_sam_decoder.widgets.dock import SamDecoderDock  # noqa: E402
from napari_sam_decoder.widgets.job_queue import wait_until  # noqa: E402
from napari_sam_decoder.widgets.review_dock import ReviewDock  # noqa: E402
from napari_sam_decoder.widgets.tools import Tool  # noqa: E402

FOLDER = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent / "images")
SIZE = (1280, 860)
SAMPLE = load_sample("cells")
FIRST, LATER = 30, 45
CELL, NEIGHBOUR, BOXED, FAR = 4, 3, 5, 1
"""In the truth; CELL is the first that is clicked, so it becomes object 1."""
PATIENCE = 900
"""In seconds, also where others keep the machine busy."""
NO_KEY = Qt.KeyboardModifier.NoModifier


def main() -> None:
    """Take all pictures in the order of the tutorial."""
    viewer, dock = open_window()
    save(viewer.window._qt_window, "tutorial_1_open")
    click_object(viewer, dock)
    save(viewer.window._qt_window, "tutorial_2_click")
    pick(dock)
    save(dock._frame, "tutorial_3_hypotheses")
    propagate(viewer, dock, picture="tutorial_4_propagate")
    click_wrongly_and_undo(viewer, dock, picture="tutorial_5_undo")
    finish(viewer, dock)
    save(viewer.window._qt_window, "tutorial_6_done")
    review(viewer, dock, picture="review")
    labels = viewer.layers["SAM labels"].data.copy()
    viewer.close()
    pause(1)
    viewer, dock = open_window()
    wait_until(lambda: dock._project.resume.isVisible(), PATIENCE)
    save(viewer.window._qt_window, "tutorial_7_resume")
    resume(viewer, dock, labels)
    viewer.close()


def open_window() -> tuple[napari.Viewer, SamDecoderDock]:
    """Open napari with the sample and the dock."""
    viewer = napari.Viewer()
    viewer.window._qt_window.setFixedSize(*SIZE)
    return viewer, open_movie(viewer)


def open_movie(viewer: napari.Viewer) -> SamDecoderDock:
    """Open the sample and the dock from napari's menus."""
    window = viewer.window
    choose(window.file_menu, "Open Sample", "SAM decoder", "Crawling cells")
    choose(window.plugins_menu, "SAM decoder", "Segment through a movie")
    docks = window._qt_window.findChildren(SamDecoderDock)
    require(len(docks) == 1, "the menu opens the dock")
    viewer.dims.set_point(0, FIRST)
    viewer.reset_view()
    pause(0.5)
    require(docks[0].workbench.movie is not None, "the dock has found the movie")
    return docks[0]


def click_object(viewer: napari.Viewer, dock: SamDecoderDock) -> None:
    """Press New object and click the first cell."""
    press(dock._objects.new_button)
    click_cell(viewer, CELL, FIRST)
    dock.workbench.wait(PATIENCE)
    require(dock.workbench.current_prompt is not None, "the click is a prompt")


def pick(dock: SamDecoderDock) -> None:
    """Pick another hypothesis, then let the best one be chosen again."""
    press(dock._frame.offers[1])
    dock.workbench.wait(PATIENCE)
    require(dock.workbench.current_prompt.hypothesis == 2, "the second one is picked")
    press(dock._frame.automatic)
    dock.workbench.wait(PATIENCE)
    require(dock.workbench.current_prompt.hypothesis is None, "the best one is back")


def propagate(viewer: napari.Viewer, dock: SamDecoderDock, picture: str) -> None:
    """Press Both ways, take a picture on the way, and look at every frame."""
    press(dock._run.both)
    writer = dock.workbench.controller.writer
    wait_until(lambda: bool(writer.run) and writer.run.progress.done >= 40, PATIENCE)
    viewer.dims.set_point(0, FIRST + 8)
    save(viewer.window._qt_window, picture)
    dock.workbench.wait(PATIENCE)
    require_found(viewer)


def click_wrongly_and_undo(
    viewer: napari.Viewer, dock: SamDecoderDock, picture: str
) -> None:
    """Click another cell with the wrong object selected, and undo that."""
    viewer.dims.set_point(0, LATER)
    pause(0.3)
    layer = viewer.layers["SAM labels"]
    before = layer.data.copy()
    click_cell(viewer, FAR, LATER)
    dock.workbench.wait(PATIENCE)
    changed = np.flatnonzero((layer.data != before).any(axis=(1, 2)))
    require(LATER in changed and len(changed) > 1, "the correction is carried along")
    save(viewer.window._qt_window, picture)
    press_undo(viewer)
    require((layer.data == before).all(), "undo gives the labels back")
    require(len(dock.workbench.points_layer.data) == 1, "undo takes the point away")


def finish(viewer: napari.Viewer, dock: SamDecoderDock) -> None:
    """Prompt all other cells on the frame and press Both ways again."""
    viewer.dims.set_point(0, FIRST)
    pause(0.3)
    seen = set(np.unique(SAMPLE.truth[FIRST]).tolist()) - {0, CELL}
    for place, cell in enumerate(sorted(seen), start=2):
        press(dock._objects.new_button)
        prompt_cell(viewer, dock, cell)
        dock.workbench.wait(PATIENCE)
        require(dock.workbench.objects.current_id == place, "each has its own id")
        pick_meant(dock, cell)
    press(dock._run.both)
    dock.workbench.wait(PATIENCE)
    click_cell(viewer, NEIGHBOUR, FIRST, Qt.KeyboardModifier.AltModifier)
    require(dock.workbench.objects.current_id == 4, "Alt and a click choose an object")
    labels = viewer.layers["SAM labels"].data
    for place, cell in enumerate(sorted(seen), start=2):
        iou = mask_iou(SAMPLE.truth[FIRST] == cell, labels[FIRST] == place)
        require(iou > 0.8, f"object {place} is found where it was clicked ({iou:.2f})")


def review(viewer: napari.Viewer, dock: SamDecoderDock, picture: str) -> None:
    """Click a cell that is labelled with another object, and review what that does."""
    layer = viewer.layers["SAM labels"]
    before = layer.data.copy()
    viewer.dims.set_point(0, LATER)
    dock.workbench.select_object(1)
    pause(0.3)
    click_cell(viewer, FAR, LATER)
    dock.workbench.wait(PATIENCE)
    press(dock._review)
    pause(1)
    (shown,) = viewer.window._qt_window.findChildren(ReviewDock)
    require(dock.workbench.doubtful_places() != (), "who lost pixels is doubtful")
    press(shown.next)
    pause(1)
    save(viewer.window._qt_window, picture)
    press_undo(viewer)
    require((layer.data == before).all(), "undo gives the labels back")


def prompt_cell(viewer: napari.Viewer, dock: SamDecoderDock, cell: int) -> None:
    """Draw a box around one cell, and click the others; one of them beside as well."""
    if cell == BOXED:
        press(dock._frame.tools[Tool.BOX])
        draw_box(viewer, cell, FIRST)
        return
    click_cell(viewer, cell, FIRST)
    if cell == NEIGHBOUR:
        press(dock._frame.tools[Tool.NEGATIVE])
        click_cell(viewer, CELL, FIRST)


def resume(viewer: napari.Viewer, dock: SamDecoderDock, labels: np.ndarray) -> None:
    """Press Resume, and find all as it was left."""
    press(dock._project.resume)
    wait_until(lambda: "SAM labels" in viewer.layers, PATIENCE)
    dock.workbench.wait(PATIENCE)
    require((viewer.layers["SAM labels"].data == labels).all(), "labels are back")
    require(dock._project.undo.isEnabled(), "the last action can be undone")


def pick_meant(dock: SamDecoderDock, cell: int) -> None:
    """Pick the hypothesis that is the cell, if another one has the star."""
    prompt = dock.workbench.current_prompt
    shown = dock.workbench.controller.state.previews.latest(
        prompt.object_id, prompt.frame
    )
    truth = SAMPLE.truth[FIRST] == cell
    ious = [mask_iou(truth, offered.mask) for offered in shown.preview.hypotheses]
    best = int(np.argmax(ious))
    if shown.preview.chosen.number != best + 1:
        press(dock._frame.offers[best])
        dock.workbench.wait(PATIENCE)


def choose(menu: QMenu, *path: str) -> None:
    """Choose an entry of a menu by the beginning of its texts."""
    for word in path[:-1]:
        menu.aboutToShow.emit()
        menu = entry(menu, word).menu()
    menu.aboutToShow.emit()
    entry(menu, path[-1]).trigger()
    pause(1)


def entry(menu: QMenu, word: str):
    """Find an entry that begins with a word."""
    texts = [action.text().replace("&", "") for action in menu.actions()]
    for text, action in zip(texts, menu.actions(), strict=True):
        if text.startswith(word):
            return action
    raise SystemExit(f"no {word!r} among {texts}")


def click_cell(
    viewer: napari.Viewer, cell: int, frame: int, key: Qt.KeyboardModifier = NO_KEY
) -> None:
    """Click a cell in its middle with the mouse."""
    rows, columns = np.nonzero(SAMPLE.truth[frame] == cell)
    place = on_canvas(viewer, rows.mean(), columns.mean())
    canvas = viewer.window._qt_viewer.canvas.native
    QTest.mouseMove(canvas, place)
    QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, key, place)
    pause(0.2)


def draw_box(viewer: napari.Viewer, cell: int, frame: int) -> None:
    """Draw a box around a cell with the mouse."""
    places = np.argwhere(SAMPLE.truth[frame] == cell)
    first, last = (on_canvas(viewer, *one) for one in (places.min(0), places.max(0)))
    canvas = viewer.window._qt_viewer.canvas.native
    QTest.mouseMove(canvas, first)
    QTest.mousePress(canvas, Qt.MouseButton.LeftButton, NO_KEY, first)
    for place in ((first + last) / 2, last):
        QTest.mouseMove(canvas, place)
        pause(0.1)
    QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, NO_KEY, last)
    pause(0.2)


def on_canvas(viewer: napari.Viewer, row: float, column: float) -> QPoint:
    """Find a pixel of the movie on the canvas."""
    canvas = viewer.window._qt_viewer.canvas.native
    camera = viewer.scene.camera if hasattr(viewer, "scene") else viewer.camera
    offset = np.array([row, column]) - np.array(camera.center[-2:])
    y, x = offset * camera.zoom + (canvas.height() / 2, canvas.width() / 2)
    return QPoint(round(x), round(y))


def press_undo(viewer: napari.Viewer) -> None:
    """Press Ctrl+Z while the canvas has the focus."""
    canvas = viewer.window._qt_viewer.canvas.native
    QTest.keyClick(canvas, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    pause(0.5)


def press(control: QWidget) -> None:
    """Press a control with the mouse."""
    require(control.isEnabled(), f"{control.text()!r} can be pressed")
    QTest.mouseClick(control, Qt.MouseButton.LeftButton)
    pause(0.2)


def require_found(viewer: napari.Viewer) -> None:
    """Compare the labels of the first object with the truth."""
    labels = viewer.layers["SAM labels"].data
    ious = [
        mask_iou(truth == CELL, found == 1)
        for truth, found in zip(SAMPLE.truth, labels, strict=True)
    ]
    require(np.mean(ious) > 0.8, f"the object is found (IoU {np.mean(ious):.2f})")


def save(widget: QWidget, name: str) -> None:
    """Save a picture of a widget with few colours, to keep the repository small."""
    pause(0.5)
    path = FOLDER / f"{name}.png"
    widget.grab().save(str(path))
    Image.open(path).convert("RGB").quantize(128).save(path, optimize=True)
    print(path)


def pause(seconds: float) -> None:
    """Let the window draw."""
    QApplication.processEvents()
    wait_until(lambda: False, seconds)


def require(is_true: bool, what: str) -> None:
    """End with what should have been."""
    if not is_true:
        raise SystemExit(f"not so: {what}")


if __name__ == "__main__":
    main()
