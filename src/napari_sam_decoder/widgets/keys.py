"""Which keys the commands of the docks may have, and which are taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app_model.backends.qt import QKeyBindingSequence
from napari.layers import Image, Labels, Layer, Points, Shapes
from napari.settings import get_settings
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QMainWindow, QMenu

from napari_sam_decoder.errors import OptionError
from napari_sam_decoder.widgets.commands import COMMANDS, DEFAULT_KEYS, command_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from napari.components import ViewerModel
    from qtpy.QtWidgets import QWidget

__all__ = [
    "as_key",
    "is_plain",
    "require_free",
    "shown_key",
    "taken_by_napari",
    "usable_keys",
]

_HELD = "Ctrl+", "Alt+", "Meta+"
_REMEDY = "choose another key in 'Keys…'"


def as_key(text: str) -> str:
    """Spell a key as Qt does, or return an empty text for none.

    Raises
    ------
    OptionError
        If it is no key, or one that fields and tables need.
    """
    if not text.strip():
        return ""
    sequence = QKeySequence(text)
    key = str(sequence.toString())
    if sequence.count() != 1 or not key or _last(key) in ("", "Unknown"):
        raise OptionError(f"{text!r} is no key: write one such as Alt+N")
    if is_plain(key) and not (len(_last(key)) == 1 or _is_function_key(_last(key))):
        raise OptionError(
            f"{key} is needed to move in fields and tables: hold Ctrl or Alt with it"
        )
    return key


def is_plain(key: str) -> bool:
    """Whether a key is pressed without Ctrl, Alt or Meta."""
    return not any(held in key for held in _HELD)


def shown_key(key: str) -> str:
    """Spell a key as this system does; empty for none."""
    return str(QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText))


def _last(key: str) -> str:
    return key[-1] if key.endswith("+") else key.rsplit("+", 1)[-1]


def _is_function_key(name: str) -> bool:
    return name.startswith("F") and name[1:].isdigit()


def usable_keys(kept: Mapping[str, str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return those kept keys that can be used, and what is wrong with the others.

    A command whose key cannot be used has none. One that was not kept has the usual
    one, unless another command has got that.

    Parameters
    ----------
    kept : mapping of str to str
        Keys by the names of commands.
    """
    found: dict[str, str] = dict.fromkeys(DEFAULT_KEYS, "")
    wrong: list[str] = []
    own = [name for name in DEFAULT_KEYS if name in kept]
    for name in (*own, *(name for name in DEFAULT_KEYS if name not in kept)):
        try:
            key = as_key(kept.get(name, DEFAULT_KEYS[name]))
            _require_free_of_ours(name, key, found)
        except OptionError as error:
            title = command_of(name).title
            wrong.append(f"{title!r} has no key now: {error}; {_REMEDY}")
        else:
            found[name] = key
    return found, tuple(wrong)


def require_free(
    name: str, key: str, keys: Mapping[str, str], taken: Mapping[str, str]
) -> None:
    """Refuse a key for a command that something else has.

    Parameters
    ----------
    name : str
        Of the command. Its usual key may be napari's, whose menus do without it.
    key : str
        As from `as_key`.
    keys : mapping of str to str
        Of all commands.
    taken : mapping of str to str
        What other keys do, by key.

    Raises
    ------
    OptionError
        If something has it.
    """
    _require_free_of_ours(name, key, keys)
    if key in taken and key != DEFAULT_KEYS[name]:
        raise OptionError(f"{shown_key(key)} is taken by {taken[key]}: choose another")


def _require_free_of_ours(name: str, key: str, keys: Mapping[str, str]) -> None:
    for command in COMMANDS:
        if key and command.name != name and keys.get(command.name) == key:
            raise OptionError(
                f"{shown_key(key)} is the key of {command.title!r}: choose another, or "
                "change that one first"
            )


def taken_by_napari(viewer: ViewerModel, window: QWidget | None) -> dict[str, str]:
    """Say what napari and its other plugins do, by key.

    Parameters
    ----------
    viewer : ViewerModel
        With keys of its own.
    window : QWidget or None
        Its window, with menus.
    """
    taken = dict(_keymaps(viewer))
    for name, bindings in get_settings().shortcuts.shortcuts.items():
        title = name.split(":")[-1].replace("_", " ")
        for key in _spelled(bindings):
            taken[key] = f"napari ({title})"
    if isinstance(window, QMainWindow):
        taken |= _menu_keys(window)
    return taken


def _keymaps(viewer: ViewerModel) -> Iterator[tuple[str, str]]:
    for key in _spelled(viewer.keymap):
        yield key, "the viewer"
    for kind in (type(viewer), Layer, Image, Labels, Points, Shapes):
        for key in _spelled(kind.class_keymap):
            yield key, f"napari ({kind.__name__})"


def _spelled(bindings: Iterable[Any]) -> Iterator[str]:
    for binding in bindings:
        # A catch-all is an ellipsis.
        if binding is not ...:
            yield QKeyBindingSequence(binding).toString()


def _menu_keys(window: QMainWindow) -> Iterator[tuple[str, str]]:
    for action in window.menuBar().actions():
        opened = QKeySequence.mnemonic(action.text()).toString()
        if opened:
            yield opened, f"napari (menu {_plain_text(action.text())!r})"
    for menu in window.findChildren(QMenu):
        for action in menu.actions():
            key = action.shortcut().toString()
            if key:
                yield key, f"napari ({_plain_text(action.text())!r} in its menus)"


def _plain_text(title: str) -> str:
    return title.replace("&", "")
