"""Does something once for many reasons that come at about the same time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QTimer

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtpy.QtCore import QObject

__all__ = ["Soon"]


class Soon(QTimer):
    """Calls something a moment after it was asked to for the first time.

    Parameters
    ----------
    action : callable
        Called without arguments.
    milliseconds : int
        Until then.
    parent : QObject
        Nothing is called once it is gone.
    """

    def __init__(
        self, action: Callable[[], None], milliseconds: int, parent: QObject
    ) -> None:
        super().__init__(parent)
        self.setSingleShot(True)
        self.setInterval(milliseconds)
        self.timeout.connect(action)

    def ask(self) -> None:
        """Call it soon, once however often this is asked meanwhile."""
        if not self.isActive():
            self.start()
