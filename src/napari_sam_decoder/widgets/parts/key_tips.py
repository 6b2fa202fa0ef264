"""Tooltips that name keys, which a person may change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QWidget

from napari_sam_decoder.widgets.commands import DEFAULT_KEYS
from napari_sam_decoder.widgets.keys import shown_key

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["set_tip", "show_keys"]

_TIP, _KEYS = "tip", "keys"


def set_tip(widget: QWidget, tip: str) -> None:
    """Set a tooltip that follows the keys.

    Parameters
    ----------
    widget : QWidget
        Shows it.
    tip : str
        With the name of a command in braces where its key stands, as in
        "Add an object{new_object}".
    """
    widget.setProperty(_TIP, tip)
    widget.setToolTip(_filled(tip, widget.property(_KEYS) or DEFAULT_KEYS))


def show_keys(widget: QWidget, keys: Mapping[str, str]) -> None:
    """Name keys in the tooltips of all that is in a widget.

    Parameters
    ----------
    widget : QWidget
        With others in it.
    keys : mapping of str to str
        By the names of commands; empty for none.
    """
    for one in widget.findChildren(QWidget):
        tip = one.property(_TIP)
        if tip:
            one.setProperty(_KEYS, dict(keys))
            one.setToolTip(_filled(tip, keys))


def _filled(tip: str, keys: Mapping[str, str]) -> str:
    named = {name: f" ({shown_key(key)})" if key else "" for name, key in keys.items()}
    return tip.format_map(named)
