"""Keys of the dock in a window: where the canvas has no focus, and menus have them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from weakref import ref

from qtpy.compat import isalive
from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QMenu

from napari_sam_decoder.widgets.key_bindings import COMMAND

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from qtpy.QtWidgets import QAction, QWidget

__all__ = ["listen_to_keys"]


def listen_to_keys(
    dock: QWidget, window: QWidget | None, actions: Mapping[str, Callable[[], None]]
) -> None:
    """Let keys call actions while a dock has the focus, and keep them from menus.

    As long as the dock is there, the menus of its window do without these keys, also
    while the canvas has the focus, which has to be told of them elsewhere.

    Parameters
    ----------
    dock : QWidget
        With the widgets in it, also those for text.
    window : QWidget or None
        With the menus, for example that of napari, whose Alt+S saves a screenshot.
    actions : mapping of str to callable
        By key in napari's spelling, as in "Alt-N". Those for undo and redo are left
        out, for which each system has its own.
    """
    own = {
        key.replace("-", "+"): action
        for key, action in actions.items()
        if not key.startswith(COMMAND)
    }
    for key, action in own.items():
        shortcut = QShortcut(QKeySequence(key), dock)
        shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        shortcut.activated.connect(action)
    if window is not None:
        guard = _MenuGuard(dock, window, own)
        # A dock that floats is a window of its own.
        for watched in (dock, window):
            watched.installEventFilter(guard)


class _MenuGuard(QObject):
    """Hides keys from menus for as long as it takes to find out whose they are.

    Taking them for longer would not do: napari's menus of all windows share their
    actions, and each new window gives them their keys again.
    """

    def __init__(self, dock: QWidget, window: QWidget, keys: Collection[str]) -> None:
        super().__init__(dock)
        # napari counts what is left of a window that was closed.
        self._window = ref(window)
        self._keys = {QKeySequence(key).toString() for key in keys}

    def eventFilter(self, _: QObject, event: QEvent) -> bool:
        """Act before Qt looks for a shortcut; no event is kept from anyone."""
        window = self._window()
        if event.type() == QEvent.Type.ShortcutOverride and window is not None:
            _hide(self._keys, window)
        return False


def _hide(keys: Collection[str], window: QWidget) -> None:
    """Take keys from menus until Qt has found out what to do with one."""
    hidden = {
        action: action.shortcut()
        for menu in window.findChildren(QMenu)
        for action in menu.actions()
        if action.shortcut().toString() in keys
    }
    for action in hidden:
        action.setShortcut(QKeySequence())
    if hidden:
        QTimer.singleShot(0, partial(_show, hidden))


def _show(hidden: Mapping[QAction, QKeySequence]) -> None:
    for action, key in hidden.items():
        if isalive(action):
            action.setShortcut(key)
