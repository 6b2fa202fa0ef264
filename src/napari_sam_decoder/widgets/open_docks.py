"""The docks that are open on a viewer, and what they share."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary, ref

from napari.utils.notifications import notification_manager, show_error, show_info
from qtpy.compat import isalive

from napari_sam_decoder.errors import SamDecoderError
from napari_sam_decoder.widgets.key_bindings import bind_keys, release_keys
from napari_sam_decoder.widgets.workbench import Workbench

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import napari
    from qtpy.QtWidgets import QWidget

    Actions = Mapping[str, Callable[[], None]]

__all__ = ["DOCK", "PLUGIN", "REVIEW_DOCK", "OpenDocks", "tell", "unwrapped"]

PLUGIN = "napari-sam-decoder"
DOCK, REVIEW_DOCK = "Segment through a movie", "Review (SAM decoder)"
"""The docks, by their names in the plugin's manifest."""


class OpenDocks:
    """The docks on one viewer: they show one workbench, which the last one closes.

    Parameters
    ----------
    viewer : napari.Viewer
        Each key is bound once, to the dock with this key that was opened last.
    """

    def __init__(self, viewer: napari.Viewer) -> None:
        self.bench = Workbench(viewer)
        self.bench.failed.connect(tell)
        self.bench.informed.connect(show_info)
        self._docks: list[tuple[str, Actions]] = []
        self._before: dict[str, Callable[..., object] | None] = {}

    @property
    def window(self) -> QWidget | None:
        """What dialogues belong to."""
        # The window of a closed viewer is gone, and a ViewerModel has none.
        window = getattr(self.bench.viewer, "window", None)
        return None if window is None else window._qt_window

    @staticmethod
    def on(viewer: napari.Viewer) -> OpenDocks | None:
        """Return those of a viewer, if any is open."""
        known = _OF_VIEWERS.get(viewer)
        docks = None if known is None else known()
        return None if docks is None or docks.bench.is_closed else docks

    @staticmethod
    def of(viewer: napari.Viewer) -> OpenDocks:
        """Return those of a viewer, for a dock that is about to open."""
        docks = OpenDocks.on(viewer)
        if docks is None:
            docks = OpenDocks(viewer)
            _OF_VIEWERS[viewer] = ref(docks)
        return docks

    def has(self, name: str) -> bool:
        """Whether a dock of this name in the manifest is open."""
        return any(name == other for other, _ in self._docks)

    def enter(self, name: str, actions: Actions) -> Actions:
        """Take one more dock.

        Parameters
        ----------
        name : str
            As in the manifest.
        actions : mapping of str to callable
            What its keys do.

        Returns
        -------
        mapping of str to callable
            The actions, for `leave`.
        """
        self._docks.append((name, actions))
        new = {key: partial(self._press, key) for key in actions.keys() - self._before}
        self._before |= bind_keys(self.bench.viewer, new)
        return actions

    def leave(self, actions: Actions, _: object = None) -> None:
        """Let one dock go; with the last one, give back all events and keys."""
        self._docks = [other for other in self._docks if other[1] is not actions]
        # At exit Qt may have deleted the workbench already.
        if not self._docks and isalive(self.bench) and not self.bench.is_closed:
            release_keys(self.bench.viewer, self._before)
            self.bench.close()

    def _press(self, key: str) -> None:
        for _, actions in reversed(self._docks):
            if key in actions:
                actions[key]()
                break


_OF_VIEWERS: WeakKeyDictionary[napari.Viewer, ref[OpenDocks]] = WeakKeyDictionary()


def unwrapped(viewer: napari.Viewer) -> napari.Viewer:
    """Return the viewer itself: through napari's proxy, layers compare as different."""
    return getattr(viewer, "__wrapped__", viewer)


def tell(error: Exception) -> None:
    """Show an error; one that the user cannot fix comes with its traceback."""
    if isinstance(error, SamDecoderError):
        show_error(str(error))
    else:
        notification_manager.receive_error(type(error), error, error.__traceback__)
