"""A large picture with small cells, and a mouse that clicks on them."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter, process_time
from typing import TYPE_CHECKING

import napari
import numpy as np
from qtpy.QtCore import QCoreApplication, QEventLoop, QPoint, Qt
from qtpy.QtTest import QTest
from scipy import ndimage

from napari_sam_decoder.widgets.job_queue import wait_until
from napari_sam_decoder.widgets.movie_state import ModelOptions

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sam_decoder.widgets.workbench import Workbench

__all__ = ["ClickTimes", "Mouse", "SlideStage", "slide"]

PATIENCE_S = 600
CELL = 30
NEIGHBOURS = 5
"""Cells of a cluster."""
APART = 3 * CELL
NOISE = 8
ZOOM = 2.0
"""Pixels of the screen to one of the picture while somebody clicks."""

Position = tuple[int, int]


@dataclass(frozen=True)
class ClickTimes:
    """How long a click has taken, in milliseconds.

    Attributes
    ----------
    given : float
        Until the mask was given to the canvas.
    painted : float
        Until that was painted.
    computed : float
        Of the processor up to then, by all threads together.
    is_first : bool
        Whether it was the first in its window of the picture.
    """

    given: float
    painted: float
    computed: float
    is_first: bool


class Mouse:
    """Looks at a place of a picture, and clicks there."""

    def __init__(self, viewer: napari.Viewer) -> None:
        self._viewer = viewer
        self._canvas = viewer.window._qt_viewer.canvas.native

    def look_at(self, position: Position) -> None:
        """Bring a pixel to the middle of the canvas."""
        self._viewer.camera.zoom = ZOOM
        self._viewer.camera.center = position
        QCoreApplication.processEvents()

    def click(self) -> None:
        """Click into the middle of the canvas."""
        middle = QPoint(self._canvas.width() // 2, self._canvas.height() // 2)
        QTest.mouseMove(self._canvas, middle)
        QTest.mouseClick(self._canvas, Qt.MouseButton.LeftButton, pos=middle)


def slide(side: int, cells: int) -> tuple[np.ndarray, list[Position]]:
    """Make a picture of cells in clusters, and say where their middles are.

    Parameters
    ----------
    side : int
        Of the picture in pixels.
    cells : int
        How many there are.

    Returns
    -------
    picture : (side, side) array of uint8
    middles : list of (row, column)
    """
    rng = np.random.default_rng(0)
    picture = rng.integers(20, 20 + NOISE, (side, side), np.uint8)
    clusters = -(-cells // NEIGHBOURS)
    across = int(np.ceil(np.sqrt(clusters)))
    middles = []
    for number in range(cells):
        cluster, place = divmod(number, NEIGHBOURS)
        middle = (np.array(divmod(cluster, across)) + 0.5) * side / across
        beside = np.array(divmod(place, 3)) * APART
        row, column = (middle + beside).astype(int).tolist()
        _draw_cell(picture, (row, column), rng)
        middles.append((row, column))
    return picture, middles


def _draw_cell(picture: np.ndarray, middle: Position, rng: np.random.Generator) -> None:
    grid = np.arange(-CELL, CELL)
    rows, columns = np.meshgrid(grid, grid, indexing="ij")
    angle = np.arctan2(rows, columns)
    radius = CELL / 2 * (1 + 0.15 * np.sin(3 * angle + rng.uniform(0, 6)))
    cell = ndimage.gaussian_filter(200.0 * (np.hypot(rows, columns) < radius), 1)
    window = tuple(slice(one - CELL, one + CELL) for one in middle)
    picture[window] += cell.astype(np.uint8)


class SlideStage:
    """A window with a large picture and the dock, of which the overview is embedded.

    Parameters
    ----------
    picture : (rows, columns) array of uint8
        What is shown.
    cache : Path
        Folder for the embeddings.
    """

    def __init__(self, picture: np.ndarray, cache: Path) -> None:
        self.viewer = napari.Viewer()
        image = self.viewer.add_image(picture, name="slide")
        _, dock = self.viewer.window.add_plugin_dock_widget(
            "napari-sam-decoder", "Segment through a movie"
        )
        self.bench: Workbench = dock.workbench
        self.bench.choose_movie(image)
        self.bench.configure(ModelOptions(cache=cache))
        self.bench.embed()
        self.bench.wait(PATIENCE_S)
        wait_until(lambda: bool(self.bench.controller.state.embedded), PATIENCE_S)
        self._mouse = Mouse(self.viewer)
        self._windows: set[object] = set()

    def click(self, middle: Position) -> ClickTimes:
        """Click on a cell as a new object, and wait for its mask."""
        bench, loop = self.bench, QEventLoop()
        self._mouse.look_at(middle)
        made = bench.new_object()
        bench.wait(PATIENCE_S)
        given: list[float] = []

        def note() -> None:
            given.append(perf_counter())
            loop.quit()

        bench.controller.previewed.connect(note)
        started, computed = perf_counter(), process_time()
        self._mouse.click()
        if not given:
            loop.exec_()
        QCoreApplication.processEvents()
        painted, computed = perf_counter(), process_time() - computed
        bench.controller.previewed.disconnect(note)
        bench.wait(PATIENCE_S)
        shown = bench.controller.state.previews.latest(made.object_id, 0)
        if shown is None:
            raise RuntimeError(f"the click at {middle} has no mask")
        is_first = shown.preview.window not in self._windows
        self._windows.add(shown.preview.window)
        until = [1000 * (end - started) for end in (given[0], painted)]
        return ClickTimes(until[0], until[1], 1000 * computed, is_first)
