"""The docks that are open on a viewer, and what they share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary, ref

from napari.utils.notifications import notification_manager, show_error, show_info
from qtpy.compat import isalive

from napari_sam_decoder.errors import SamDecoderError
from napari_sam_decoder.widgets.activity import ActivityBars
from napari_sam_decoder.widgets.key_bindings import COMMAND, bind_keys, release_keys
from napari_sam_decoder.widgets.keys import (
    as_key,
    require_free,
    taken_by_napari,
    usable_keys,
)
from napari_sam_decoder.widgets.preferences import keep_keys, read_keys, when_edited
from napari_sam_decoder.widgets.unfinished import CloseQuestion, unfinished_anywhere
from napari_sam_decoder.widgets.window_keys import WindowKeys
from napari_sam_decoder.widgets.workbench import Workbench

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import napari
    from qtpy.QtWidgets import QWidget

__all__ = [
    "DOCK",
    "PLUGIN",
    "REVIEW_DOCK",
    "OpenDocks",
    "change_keys",
    "tell",
    "unwrapped",
]

PLUGIN = "napari-sam-decoder"
DOCK, REVIEW_DOCK = "Segment through a movie", "Review (SAM decoder)"
"""The docks, by their names in the plugin's manifest."""


class OpenDocks:
    """The docks on one viewer: they show one workbench, which the last one closes.

    Parameters
    ----------
    viewer : napari.Viewer
        A key acts once, in the dock that has its command and was opened last.

    Attributes
    ----------
    bench : Workbench
        What the docks show.
    keys : WindowKeys
        Of the commands in the docks.
    """

    def __init__(self, viewer: napari.Viewer) -> None:
        self.bench = Workbench(viewer)
        self.bench.failed.connect(tell)
        self.bench.informed.connect(show_info)
        self._docks: list[_Stay] = []
        self.keys = WindowKeys(self.window, self._press)
        undoing = {"Z": self.bench.undo, "Shift-Z": self.bench.redo}
        self._undo_keys = bind_keys(
            viewer, {f"{COMMAND}-{key}": action for key, action in undoing.items()}
        )
        self.read_keys()
        when_edited(self.read_keys)
        self._question: CloseQuestion | None = None
        self._activity: ActivityBars | None = None
        if self.window is not None:
            self._question = CloseQuestion(self.window, self._unfinished_in_window)
            self._activity = ActivityBars(self.bench.controller, self.window)

    def _unfinished_in_window(self) -> tuple[str, ...]:
        is_open = isalive(self.bench) and not self.bench.is_closed
        controller = self.bench.controller
        return unfinished_anywhere(controller, is_window=True) if is_open else ()

    def unfinished(self) -> tuple[str, ...]:
        """Say what would end if one more dock were closed."""
        is_last = len(self._docks) == 1
        return unfinished_anywhere(self.bench.controller) if is_last else ()

    def read_keys(self, _: object = None) -> None:
        """Use the keys that are kept, and tell which of them cannot be used."""
        try:
            keys, wrong = usable_keys(read_keys())
        except SamDecoderError as error:
            keys, wrong = usable_keys({})[0], (str(error),)
        self.keys.use(keys)
        for complaint in wrong:
            show_error(complaint)

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
        return any(name == one.name for one in self._docks)

    def enter(
        self, name: str, dock: QWidget, actions: Mapping[str, Callable[[], None]]
    ) -> Callable[[], None]:
        """Take one more dock, which leaves at the latest when Qt deletes it.

        Parameters
        ----------
        name : str
            As in the manifest.
        dock : QWidget
            With the widgets in it.
        actions : mapping of str to callable
            What it does for which command.

        Returns
        -------
        callable
            Lets the dock leave before it is deleted.
        """
        stay = _Stay(name, actions, self._leave)
        self._docks.append(stay)
        self.keys.watch(dock)
        # If the whole window is closed, the dock is gone before it is told.
        dock.destroyed.connect(stay.end)
        return stay.end

    def _leave(self, stay: _Stay) -> None:
        """Let one dock go; with the last one, give back all events and keys."""
        self._docks = [other for other in self._docks if other is not stay]
        # At exit Qt may have deleted the workbench already.
        if not self._docks and isalive(self.bench) and not self.bench.is_closed:
            release_keys(self.bench.viewer, self._undo_keys)
            if isalive(self.keys):
                self.keys.close()
            if self._question is not None and isalive(self._question):
                self._question.deleteLater()
            if self._activity is not None and isalive(self._activity):
                self._activity.close()
            self.bench.close()

    def _press(self, command: str) -> None:
        for one in reversed(self._docks):
            if command in one.actions:
                one.actions[command]()
                break


@dataclass(frozen=True, eq=False)
class _Stay:
    """What is known of a dock while it is open.

    A method is told of the end, because Qt's bindings refer weakly to what a method
    belongs to: once Python has collected that, nothing is called. A partial or lambda
    they would call even if Python has collected its parts before the dock, and crash.

    Attributes
    ----------
    name : str
        As in the manifest.
    actions : mapping of str to callable
        What the dock does for which command.
    on_end : callable
        Gets this.
    """

    name: str
    actions: Mapping[str, Callable[[], None]]
    on_end: Callable[[_Stay], None]

    def end(self, _: object = None) -> None:
        self.on_end(self)


_OF_VIEWERS: WeakKeyDictionary[napari.Viewer, ref[OpenDocks]] = WeakKeyDictionary()


def change_keys(docks: OpenDocks, changes: Mapping[str, str]) -> None:
    """Give commands other keys, in all open windows and in those to come.

    Parameters
    ----------
    docks : OpenDocks
        On the viewer whose menus may not have these keys.
    changes : mapping of str to str
        Keys by the names of commands; empty for none.

    Raises
    ------
    OptionError
        If one of them is no key, or something else has it.
    FormatError
        If they cannot be written.
    """
    keys = docks.keys.in_use | {name: as_key(key) for name, key in changes.items()}
    taken = taken_by_napari(docks.bench.viewer, docks.window)
    for name in changes:
        require_free(name, keys[name], keys, taken)
    keep_keys(keys)
    for known in list(_OF_VIEWERS.values()):
        other = known()
        if other is not None and not other.bench.is_closed:
            other.keys.use(keys)


def unwrapped(viewer: napari.Viewer) -> napari.Viewer:
    """Return the viewer itself: through napari's proxy, layers compare as different."""
    return getattr(viewer, "__wrapped__", viewer)


def tell(error: Exception) -> None:
    """Show an error; one that the user cannot fix comes with its traceback."""
    if isinstance(error, SamDecoderError):
        show_error(str(error))
    else:
        notification_manager.receive_error(type(error), error, error.__traceback__)
