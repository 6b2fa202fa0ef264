"""Do a whole job in a real window, and take the animation that opens the README.

Run it where there is a display, for instance under Xvfb; it takes about two minutes on
two cores and needs nothing but the package with napari and a Qt::

    xvfb-run -a -s "-screen 0 1600x1000x24" python docs/make_gif.py [FOLDER]

What is seen is done with mouse and buttons: a click on a cell, its three hypotheses, a
run, a look at what it has found, a correction. It fails where that does not lead to
what it should. The mouse is drawn into the pictures, since such a mouse has no arrow.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from make_screenshots import (
    CELL,
    FIRST,
    FOLDER,
    NEIGHBOUR,
    PATIENCE,
    SAMPLE,
    click_cell,
    on_canvas,
    open_window,
    pause,
    press,
    require,
)
from PIL import Image, ImageDraw, ImageFont
from qtpy.QtCore import QPoint

from napari_sam_decoder.metrics import mask_iou
from napari_sam_decoder.widgets.tools import Tool

if TYPE_CHECKING:
    from collections.abc import Sequence

    import napari
    from qtpy.QtWidgets import QWidget

    from napari_sam_decoder.widgets.dock import SamDecoderDock
    from napari_sam_decoder.widgets.workbench import Workbench

SIZE = 1120, 760
WIDTH, STRIP = 800, 28
"""Of the pictures, and of the words below; pixels."""
COLOURS = 256
RUN = range(FIRST - 6, FIRST + 11)
"""The frames that are labelled: enough to see what happens."""
ARROW = (0, 0), (0, 17), (4, 13), (7, 20), (10, 19), (7, 12), (12, 12)
STEP, BLINK, READ, REST = 50, 110, 700, 1500
"""How long pictures are shown, from moves of the mouse to the end; milliseconds."""


@dataclass(eq=False)
class Film:
    """Pictures of a window, with the mouse, and words on what is being done.

    Attributes
    ----------
    window : QWidget
    mouse : QPoint
        Where it is in the window.
    words : str
        Shown below.
    """

    window: QWidget
    mouse: QPoint = field(default_factory=lambda: QPoint(560, 420))
    words: str = ""
    _pictures: list[tuple[Image.Image, int]] = field(default_factory=list)

    def take(self, duration: int = BLINK, seconds: float = 0.15) -> None:
        """Let the window draw for some seconds, and take a picture of it."""
        pause(seconds)
        grabbed = self.window.grab().toImage()
        grabbed = grabbed.convertToFormat(grabbed.Format.Format_RGB888)
        data = grabbed.constBits()
        # PyQt6 does not know how large it is.
        if hasattr(data, "setsize"):
            data.setsize(grabbed.sizeInBytes())
        size, stride = (grabbed.width(), grabbed.height()), grabbed.bytesPerLine()
        picture = Image.frombytes("RGB", size, bytes(data), "raw", "RGB", stride)
        arrow = [(self.mouse.x() + 1.5 * x, self.mouse.y() + 1.5 * y) for x, y in ARROW]
        ImageDraw.Draw(picture).polygon(arrow, fill="white", outline="black")
        self._pictures.append((self._with_words(picture), duration))

    def move(self, widget: QWidget, place: QPoint, steps: int = 4) -> None:
        """Move the mouse to a place of a widget, in a few pictures."""
        start, end = self.mouse, widget.mapTo(self.window, place)
        for step in range(1, steps + 1):
            self.mouse = start + (end - start) * (step / steps)
            self.take(STEP, 0.02)

    def press(self, control: QWidget) -> None:
        """Move the mouse to a control, and press it."""
        self.move(control, control.rect().center())
        press(control)
        self.take()

    def click(self, viewer: napari.Viewer, cell: int) -> None:
        """Move the mouse to the middle of a cell, and click it."""
        middle = np.argwhere(SAMPLE.truth[FIRST] == cell).mean(axis=0)
        self.move(viewer.window._qt_viewer.canvas.native, on_canvas(viewer, *middle))
        click_cell(viewer, cell, FIRST)
        self.take()

    def save(self, name: str) -> None:
        """Save all pictures with the same few colours."""
        pictures = [picture for picture, _ in self._pictures]
        durations = [duration for _, duration in self._pictures]
        some = pictures[::4]
        sheet = Image.new("RGB", (some[0].width, some[0].height * len(some)))
        for number, picture in enumerate(some):
            sheet.paste(picture, (0, number * picture.height))
        palette, dither = sheet.quantize(COLOURS), Image.Dither.NONE
        few = [one.quantize(palette=palette, dither=dither) for one in pictures]
        path = FOLDER / f"{name}.gif"
        few[0].save(
            path, save_all=True, append_images=few[1:], duration=durations, loop=0
        )
        size = path.stat().st_size / 1e6
        print(f"{path}: {len(few)} pictures, {sum(durations)} ms, {size:.2f} MB")

    def _with_words(self, picture: Image.Image) -> Image.Image:
        height = round(picture.height * WIDTH / picture.width)
        whole = Image.new("RGB", (WIDTH, height + STRIP), (38, 41, 48))
        whole.paste(picture.resize((WIDTH, height), Image.Resampling.LANCZOS))
        middle, font = (WIDTH / 2, height + STRIP / 2), ImageFont.load_default(16)
        ImageDraw.Draw(whole).text(middle, self.words, "white", font, anchor="mm")
        return whole


def main() -> None:
    """Segment one cell, from the first click to the last correction."""
    viewer, dock = open_window()
    window = viewer.window._qt_window
    window.setFixedSize(*SIZE)
    pause(0.5)
    viewer.reset_view()
    film = Film(window)
    # So that there is little to wait for between pictures.
    dock._run.first.value, dock._run.last.value = RUN[0], RUN[-1]
    show_pair(viewer, dock, film)
    run(viewer, dock, film)
    film.words = "4   Look at the result"
    scrub(viewer, film, (*RUN[::3], *RUN[-1::-4]))
    correct(viewer, dock, film)
    film.save("whole_job")
    viewer.close()


def show_pair(viewer: napari.Viewer, dock: SamDecoderDock, film: Film) -> None:
    """Click a cell that touches another one, and choose both together."""
    film.words = "1   Click an object"
    film.take(READ)
    film.press(dock._objects.new_button)
    film.click(viewer, CELL)
    dock.workbench.wait(PATIENCE)
    film.words = "2   Choose: a part, the object, or more?"
    film.take(READ, 0.6)
    both = np.isin(SAMPLE.truth[FIRST], (CELL, NEIGHBOUR))
    hypotheses = dock.workbench.current_preview.hypotheses
    best = int(np.argmax([mask_iou(both, one.mask) for one in hypotheses]))
    film.press(dock._frame.offers[best])
    dock.workbench.wait(PATIENCE)
    film.take(READ, 0.4)


def run(viewer: napari.Viewer, dock: SamDecoderDock, film: Film) -> None:
    """Press Both ways, and follow the labels as they arrive."""
    bench = dock.workbench
    film.words = "3   Carry it through the movie, both ways"
    film.press(dock._run.both)
    for frame in RUN[RUN.index(FIRST) + 1 :: 2]:
        bench.wait(PATIENCE, until=partial(has_come, bench, frame))
        viewer.dims.set_point(0, frame)
        film.take()
    bench.wait(PATIENCE)
    film.take(READ)
    require_found(bench, (CELL, NEIGHBOUR))


def has_come(bench: Workbench, frame: int) -> bool:
    """Whether a frame after the first one has its labels."""
    progress = bench.progress
    is_there = progress is not None and progress.done > frame - FIRST
    return is_there or bench.is_idle


def scrub(viewer: napari.Viewer, film: Film, frames: Sequence[int]) -> None:
    """Go through some frames with the slider."""
    slider = viewer.window._qt_viewer.dims.slider_widgets[0].slider
    for frame in frames:
        viewer.dims.set_point(0, frame)
        share = (frame + 0.5) / len(SAMPLE.truth)
        where = QPoint(round(share * slider.width()), slider.height() // 2)
        film.mouse = slider.mapTo(film.window, where)
        film.take()


def correct(viewer: napari.Viewer, dock: SamDecoderDock, film: Film) -> None:
    """Say that the neighbour is another object, and look at the other frames."""
    film.words = "5   Wrong? Click what is not the object: all frames follow"
    scrub(viewer, film, (FIRST,))
    film.take(READ)
    film.press(dock._frame.tools[Tool.NEGATIVE])
    film.click(viewer, NEIGHBOUR)
    dock.workbench.wait(PATIENCE)
    film.take(READ, 0.6)
    scrub(viewer, film, (*RUN[::3], *RUN[-1::-4]))
    require_found(dock.workbench, (CELL,))
    film.words = "Done"
    film.take(REST)


def require_found(bench: Workbench, cells: Sequence[int]) -> None:
    """Compare the labels with the truth."""
    ious = [
        mask_iou(np.isin(SAMPLE.truth[frame], cells), bench.labels.data[frame] == 1)
        for frame in RUN
    ]
    require(min(ious) > 0.8, f"{cells} are found ({np.round(ious, 2).tolist()})")


if __name__ == "__main__":
    main()
