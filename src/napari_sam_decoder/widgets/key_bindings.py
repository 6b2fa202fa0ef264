"""Keys of the dock, among those that napari leaves free."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from napari.components import ViewerModel

__all__ = ["COMMAND", "bind_keys", "release_keys"]

COMMAND = "Meta" if sys.platform == "darwin" else "Control"
"""The key that goes with Z to undo."""


def bind_keys(
    viewer: ViewerModel, actions: Mapping[str, Callable[[], None]]
) -> dict[str, Callable[..., object] | None]:
    """Let keys call actions while the viewer has the focus.

    Parameters
    ----------
    viewer : ViewerModel
        Of an open window.
    actions : mapping of str to callable
        By key in napari's spelling, as in "Alt-N".

    Returns
    -------
    dict of str to callable or None
        What each key did before, for `release_keys`.
    """
    before = {key: viewer.bind_key(key, None) for key in actions}
    for key, action in actions.items():
        viewer.bind_key(key, _as_callback(action))
    return before


def release_keys(
    viewer: ViewerModel, before: Mapping[str, Callable[..., object] | None]
) -> None:
    """Give back what `bind_keys` took.

    Parameters
    ----------
    viewer : ViewerModel
        The same.
    before : mapping of str to callable or None
        What `bind_keys` returned.
    """
    for key, action in before.items():
        viewer.bind_key(key, None)
        if action is not None:
            viewer.bind_key(key, action)


def _as_callback(action: Callable[[], None]) -> Callable[[object], None]:
    """Make a function of its own: napari asks what it binds for its name."""

    def callback(_: object) -> None:
        action()

    return callback
