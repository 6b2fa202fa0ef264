from __future__ import annotations

import pytest


@pytest.fixture
def shown(qtbot):
    """Show a part of the dock, and take it away after the test."""

    def show(part):
        qtbot.addWidget(part)
        part.show()
        return part

    return show


@pytest.fixture
def docked(qtbot, bench):
    """Show a part of the dock where magicgui finds the viewer of the workbench."""
    from qtpy.QtWidgets import QMainWindow

    window = QMainWindow()
    # All that napari looks for in its own window.
    window._qt_viewer = bench
    qtbot.addWidget(window)

    def show(part):
        window.setCentralWidget(part)
        window.show()
        return part

    return show


@pytest.fixture
def heard():
    """What a signal has said so far."""

    def listen(signal):
        values = []
        signal.connect(lambda *news: values.append(news[0] if news else None))
        return values

    return listen
