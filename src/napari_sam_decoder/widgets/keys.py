"""Keys of the dock, among those that napari leaves free."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from napari.components import ViewerModel

__all__ = ["bind_keys", "release_keys"]


def bind_keys(viewer: ViewerModel, actions: Mapping[str, Callable[[], None]]) -> None:
    """Let keys call actions while the viewer has the focus.

    Parameters
    ----------
    viewer : ViewerModel
        Of an open window.
    actions : mapping of str to callable
        By key in napari's spelling, as in "Alt-N".
    """
    for key, action in actions.items():
        viewer.bind_key(key, lambda _viewer, action=action: action(), overwrite=True)


def release_keys(viewer: ViewerModel, keys: Iterable[str]) -> None:
    """Give back what `bind_keys` took."""
    for key in keys:
        viewer.bind_key(key, None)
