"""A large picture with small cells, and a mouse that clicks on them."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QCoreApplication, QEventLoop, QPoint, Qt
from qtpy.QtTest import QTest
from scipy import ndimage

if TYPE_CHECKING:
    import napari

    from napari_sam_decoder.widgets.workbench import Workbench

__all__ = ["ClickTimes", "Mouse", "click_times", "slide"]

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
    is_first : bool
        Whether it was the first in its window of the picture.
    """

    given: float
    painted: float
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


def click_times(
    viewer: napari.Viewer, bench: Workbench, middles: list[Position]
) -> list[ClickTimes]:
    """Click on cells one after another, each a new object."""
    mouse, windows, times = Mouse(viewer), set(), []
    for middle in middles:
        mouse.look_at(middle)
        made, loop = bench.new_object(), QEventLoop()
        viewer.layers.selection.active = bench.points_layer
        bench.points_layer.mode = "add"
        bench.wait()
        given: list[float] = []

        def note(loop: QEventLoop = loop, given: list[float] = given) -> None:
            given.append(perf_counter())
            loop.quit()

        bench.controller.previewed.connect(note)
        started = perf_counter()
        mouse.click()
        if not given:
            loop.exec_()
        QCoreApplication.processEvents()
        painted = perf_counter()
        bench.controller.previewed.disconnect(note)
        bench.wait()
        shown = bench.controller.state.previews.latest(made.object_id, 0)
        assert shown is not None
        window = shown.preview.window
        is_first = window not in windows
        windows.add(window)
        until = [1000 * (end - started) for end in (given[0], painted)]
        times.append(ClickTimes(until[0], until[1], is_first))
    return times
