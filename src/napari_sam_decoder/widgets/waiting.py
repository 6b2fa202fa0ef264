"""Waiting for something without freezing the window."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEventLoop, QTimer

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["wait_until"]

POLL_MS = 20


def wait_until(is_done: Callable[[], bool], timeout: float) -> bool:
    """Let the window live until something is done.

    Parameters
    ----------
    is_done : callable
        Asked every 20 ms.
    timeout : float
        Seconds.

    Returns
    -------
    bool
        Whether it was done in time.
    """
    loop, poll, limit = QEventLoop(), QTimer(), QTimer()
    poll.timeout.connect(lambda: loop.quit() if is_done() else None)
    limit.setSingleShot(True)
    limit.timeout.connect(loop.quit)
    poll.start(POLL_MS)
    limit.start(round(timeout * 1000))
    loop.exec_()
    return is_done()
