"""Take pictures of the states of the docks that the tutorial does not come to.

Run it where there is a display, as `make_screenshots.py`::

    xvfb-run -a -s "-screen 0 1600x1000x24" python docs/make_state_screenshots.py FOLDER

States are brought about as a script in the window would, and fail where they are not as
the documentation tells. Which pictures are in the documentation, it says itself: copy
those from FOLDER.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import napari
import numpy as np
import skimage.data
from make_screenshots import (
    CELL,
    FIRST,
    FOLDER,
    NEIGHBOUR,
    PATIENCE,
    SAMPLE,
    click_cell,
    open_movie,
    open_window,
    pause,
    pick_meant,
    press,
    require,
    save,
)
from napari._qt.dialogs.qt_notification import NapariQtNotification
from PIL import Image
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication, QMessageBox, QWidget

from napari_sam_decoder.widgets.job_queue import wait_until
from napari_sam_decoder.widgets.review_dock import ReviewDock

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_sam_decoder.widgets.dock import SamDecoderDock

SHOWN = range(FIRST - 4, FIRST + 5)
"""Frames on which objects are followed: enough for pictures."""
LOW = (1000, 620)
OWN_DOCKS, COLOURS = 330, 256
TRAINING_STEPS = 3
DIVIDING, PARTED, DIVIDED = 12, 4, 6
"""Frames of the movie in which a cell divides, the first in two parts, and one on which
that is certain."""


def main() -> None:
    """Take all pictures."""
    viewer, dock = open_window()
    prompt_cells(viewer, dock)
    window = viewer.window._qt_window
    show_objects(dock, window)
    show_panels(dock)
    show_error_of(dock, window)
    show_question(viewer, dock)
    show_activity(viewer, dock)
    show_learning(viewer, dock)
    show_looks(viewer, dock)
    viewer.close()
    pause(1)
    show_offers()
    show_division()
    show_candidates()


def prompt_cells(viewer: napari.Viewer, dock: SamDecoderDock) -> None:
    """Click three cells, and follow them through a few frames."""
    cells = sorted({*np.unique(SAMPLE.truth[FIRST]).tolist()} - {0, CELL, NEIGHBOUR})
    for cell in (CELL, NEIGHBOUR, cells[0]):
        press(dock._objects.new_button)
        click_cell(viewer, cell, FIRST)
        dock.workbench.wait(PATIENCE)
        pick_meant(dock, cell)
    dock.workbench.propagate(frames=SHOWN)
    dock.workbench.wait(PATIENCE)
    require(len(dock.workbench.summaries) == 3, "three objects are there")


def save_beside(window: QWidget, name: str) -> None:
    """Save a picture of what is beside napari's own docks."""
    pause(0.5)
    path = FOLDER / f"{name}.png"
    window.grab().save(str(path))
    picture = Image.open(path).convert("RGB")
    cut = picture.crop((OWN_DOCKS, 0, *picture.size))
    # Else the greys of the movie leave no colours for the objects.
    octree = Image.Quantize.FASTOCTREE
    cut.quantize(COLOURS, method=octree).save(path, optimize=True)
    print(path)


def show_objects(dock: SamDecoderDock, window: QWidget) -> None:
    """Hide all objects but one, and make one a background object."""
    bench = dock.workbench
    bench.select_object(1)
    bench.show_only(1)
    require(bench.objects.hidden_ids == {2, 3}, "the others are hidden")
    save_beside(window, "state_alone")
    bench.show_all_objects()
    bench.select_object(2)
    bench.mark_background(2)
    save_beside(window, "state_background")
    bench.unmark_background(2)


def show_panels(dock: SamDecoderDock) -> None:
    """Open the list of keys and that of models."""
    for opened, panel, name in (
        (dock._open_keys, dock._key_list, "state_keys"),
        (dock._open_models, dock._models, "state_models"),
    ):
        opened()
        pause(0.5)
        save(panel.window(), name)
        panel.close()


def show_error_of(dock: SamDecoderDock, window: QWidget) -> None:
    """Do something that is refused."""
    bench = dock.workbench
    bench.lock_object(1)
    bench.select_object(1)
    dock._guarded(bench.delete_object)(1)
    save_beside(window, "state_error")
    require(dock._messages.whole.isVisible(), "the dock shows it whole")
    for told in window.findChildren(NapariQtNotification):
        told.close()
    bench.unlock_object(1)
    dock._guarded(bench.select_object)(1)


def show_question(viewer: napari.Viewer, dock: SamDecoderDock) -> None:
    """Close the window while a run goes on, and keep it running."""
    bench, window = dock.workbench, viewer.window._qt_window
    bench.propagate()
    bench.wait(PATIENCE, until=lambda: bench.controller.writer.run is not None)
    during_question(window.close, lambda box: save(box, "state_question"))
    require(window.isVisible(), "the window stays open")
    bench.stop()
    bench.wait(PATIENCE)


def during_question(
    asking: Callable[[], object], act: Callable[[QWidget], None]
) -> None:
    """Do something that asks, act while it does, and answer that nothing changes."""

    def answer() -> None:
        box = QApplication.activeModalWidget()
        if not isinstance(box, QMessageBox):
            QTimer.singleShot(100, answer)
            return
        act(box)
        press(box.escapeButton())

    QTimer.singleShot(500, answer)
    asking()


def show_activity(viewer: napari.Viewer, dock: SamDecoderDock) -> None:
    """Open napari's activity dock while a run goes on."""
    bench, window = dock.workbench, viewer.window._qt_window
    bench.propagate()
    writer = bench.controller.writer
    done = writer.run.progress.done if writer.run else 0
    bench.wait(
        PATIENCE,
        until=lambda: bool(writer.run) and writer.run.progress.done >= done + 2,
    )
    window.statusBar()._toggle_activity_dock(True)
    pause(1)
    save_beside(window, "state_activity")
    window.statusBar()._toggle_activity_dock(False)
    bench.stop()
    bench.wait(PATIENCE)


def show_learning(viewer: napari.Viewer, dock: SamDecoderDock) -> None:
    """Fix frames, learn from them for a moment, and see what that brought."""
    bench = dock.workbench
    press(dock._review)
    pause(1)
    (review,) = viewer.window._qt_window.findChildren(ReviewDock)
    save(review, "state_learning_too_few")
    for frame in SHOWN:
        bench.show_place(1, frame)
        bench.confirm_frame()
    require(not bench.missing_to_learn, "there is enough to learn from")
    pause(0.5)
    save(review, "state_learning_offered")
    bench.learn(TRAINING_STEPS)
    running = bench.controller.learning
    wait_until(lambda: running.running is not None, PATIENCE)
    save(review, "state_learning_running")
    bench.wait(PATIENCE)
    require(bench.learned is not None, "something was learned")
    save(review, "state_learning_compared")
    bench.discard_learned()
    viewer.window.remove_dock_widget(review)
    pause(1)


def show_looks(viewer: napari.Viewer, dock: SamDecoderDock) -> None:
    """Show the light theme, and a small window."""
    window = viewer.window._qt_window
    viewer.theme = "light"
    viewer.dims.set_point(0, FIRST)
    save(window, "state_light")
    viewer.theme = "dark"
    window.setFixedSize(*LOW)
    save(window, "state_low")


def show_offers() -> None:
    """Open the movie again, in a low window: earlier work is offered."""
    viewer, dock = open_window()
    viewer.window._qt_window.setFixedSize(*LOW)
    wait_until(lambda: dock._project.resume.isVisible(), PATIENCE)
    save(viewer.window._qt_window, "state_resume_low")
    viewer.close()
    pause(1)


def show_division() -> None:
    """Follow a cell that divides."""
    viewer = napari.Viewer()
    viewer.window._qt_window.setFixedSize(1280, 860)
    dock = open_movie(viewer)
    viewer.layers.clear()
    bench = dock.workbench
    bench.choose_movie(viewer.add_image(dividing_cell(), name="dividing"))
    viewer.reset_view()
    viewer.dims.set_point(0, 0)
    bench.new_object("mother")
    bench.add_points((0, 100, 128))
    bench.propagate()
    bench.wait(PATIENCE)
    viewer.dims.set_point(0, DIVIDED + 1)
    require(bench.division is not None, "a division is offered")
    save_beside(viewer.window._qt_window, "state_division")
    viewer.close()


def show_candidates() -> None:
    """Look for the coins in a picture, and drop some of what is found."""
    viewer = napari.Viewer()
    viewer.window._qt_window.setFixedSize(1280, 860)
    dock = open_movie(viewer)
    viewer.layers.clear()
    bench = dock.workbench
    coins = skimage.data.coins()
    bench.choose_movie(viewer.add_image(coins, name="coins"))
    viewer.reset_view()
    bench.find_objects()
    bench.wait(PATIENCE)
    require(len(bench.candidates) > 9, "coins are found")
    for number in list(bench.candidates)[:3]:
        bench.choose_candidate(number, is_kept=False)
    save_beside(viewer.window._qt_window, "state_candidates")
    viewer.close()


def dividing_cell() -> np.ndarray:
    """Draw a bright disc that becomes two."""
    rows, columns = np.mgrid[:256, :256]
    rng = np.random.default_rng(0)
    movie = rng.normal(40, 6, (DIVIDING, 256, 256))
    for frame in range(DIVIDING):
        away = 0 if frame < PARTED else 20 + 6 * min(frame - PARTED, 4)
        for side in (-1, 1):
            middle = 128 + side * (12 + away)
            distance = np.hypot(rows - 110, columns - middle)
            movie[frame][distance < 30] = 150
    return movie.clip(0, 255).astype(np.uint8)


if __name__ == "__main__":
    main()
