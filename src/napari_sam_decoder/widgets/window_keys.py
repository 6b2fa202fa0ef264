"""Keys of the docks in a window, wherever its focus is."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qtpy.compat import isalive
from qtpy.QtCore import QEvent, QObject, Qt, QTimer, Signal
from qtpy.QtGui import QKeyEvent, QKeySequence, QShortcut
from qtpy.QtWidgets import QMenu

from napari_sam_decoder.widgets.keys import is_plain

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from qtpy.QtWidgets import QAction, QWidget

__all__ = ["WindowKeys"]


class WindowKeys(QObject):
    """Lets keys call commands while a window or a dock of it has the focus.

    A field keeps the keys that it types or edits with, but no others. The menus of the
    window do without the keys that are in use.

    Parameters
    ----------
    window : QWidget or None
        For example that of napari, whose Alt+S saves a screenshot; None if there is
        none.
    press : callable
        Gets the name of a command.

    Attributes
    ----------
    in_use : dict of str to str
        The key of each command, in Qt's spelling; empty for none.
    """

    changed = Signal()

    def __init__(self, window: QWidget | None, press: Callable[[str], None]) -> None:
        super().__init__(window)
        self._press = press
        self._shortcuts: list[QShortcut] = []
        self._has_plain_keys = False
        self.in_use: dict[str, str] = {}
        if window is not None:
            window.installEventFilter(self)

    def use(self, keys: Mapping[str, str]) -> None:
        """Listen to these keys from now on, and to no others."""
        self._forget()
        self.in_use = dict(keys)
        self._has_plain_keys = any(is_plain(key) for key in keys.values() if key)
        window = self.parent()
        for name, key in keys.items():
            if key and window is not None:
                shortcut = QShortcut(QKeySequence(key), window)
                # A dock that floats counts as a part of its window.
                shortcut.setContext(Qt.ShortcutContext.WindowShortcut)
                shortcut.activated.connect(partial(self._press, name))
                self._shortcuts.append(shortcut)
        self.changed.emit()

    def watch(self, dock: QWidget) -> None:
        """Keep the keys from the menus while a dock has the focus, too.

        A dock that floats is a window of its own.
        """
        dock.installEventFilter(self)

    def close(self) -> None:
        """Listen to nothing any more."""
        self._forget()
        if isalive(self):
            self.deleteLater()

    def _forget(self) -> None:
        for shortcut in self._shortcuts:
            if isalive(shortcut):
                # It may be the one that was pressed.
                shortcut.setEnabled(False)
                shortcut.deleteLater()
        self._shortcuts = []

    def eventFilter(self, _: QObject, event: QEvent) -> bool:
        """Act before Qt looks for a shortcut; no event is kept from anyone."""
        if event.type() == QEvent.Type.ShortcutOverride and self._may_be_used(event):
            self._hide_from_menus()
        return False

    def _may_be_used(self, event: QEvent) -> bool:
        """Whether a key that is pressed may be one of those in use.

        Qt compares more than the key itself, which depends on the keyboard, so this
        only leaves out plain typing, for which the menus need not be searched.
        """
        if not isinstance(event, QKeyEvent):
            # PyQt may take it for an earlier event that lay at the same place.
            return True
        if event.key() in _MODIFIERS:
            return False
        is_held = any(bool(event.modifiers() & one) for one in _HELD)
        return is_held or self._has_plain_keys

    def _hide_from_menus(self) -> None:
        """Take keys from menus until Qt has found out what to do with one.

        Taking them for longer would not do: napari's menus of all windows share their
        actions, and each new window gives them their keys again.
        """
        window = self.parent()
        if window is None or not self._shortcuts:
            return
        hidden = _actions_with(set(self.in_use.values()) - {""}, window)
        for action in hidden:
            action.setShortcut(QKeySequence())
        if hidden:
            QTimer.singleShot(0, partial(_show, hidden))


_HELD = (
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.AltModifier,
    Qt.KeyboardModifier.MetaModifier,
)
_MODIFIERS = (
    Qt.Key.Key_Shift,
    Qt.Key.Key_Control,
    Qt.Key.Key_Alt,
    Qt.Key.Key_AltGr,
    Qt.Key.Key_Meta,
)


def _actions_with(
    keys: Collection[str], window: QObject
) -> dict[QAction, QKeySequence]:
    """Find the actions in menus that have one of some keys."""
    return {
        action: action.shortcut()
        for menu in window.findChildren(QMenu)
        for action in menu.actions()
        if action.shortcut().toString() in keys
    }


def _show(hidden: Mapping[QAction, QKeySequence]) -> None:
    for action, key in hidden.items():
        if isalive(action):
            action.setShortcut(key)
