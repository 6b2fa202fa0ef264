"""The commands that have a key, in either dock."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["COMMANDS", "DEFAULT_KEYS", "FIXED_KEYS", "Command", "command_of"]


@dataclass(frozen=True)
class Command:
    """What a key does.

    Attributes
    ----------
    name : str
        In settings.
    title : str
        As the list of keys shows it.
    key : str
        The usual one, in Qt's spelling, as in "Alt+N".
    group : str
        Heading in the list.
    """

    name: str
    title: str
    key: str
    group: str


_OBJECTS, _FRAME = "Objects", "The object on this frame"
_RUN, _REVIEW = "Through the movie", "Review"

COMMANDS = (
    Command("new_object", "New object", "Alt+N", _OBJECTS),
    Command("next_object", "Select the next object", "Alt+O", _OBJECTS),
    Command("previous_object", "Select the previous object", "Alt+Shift+O", _OBJECTS),
    Command("split_object", "Split or divide the object here", "Alt+Shift+D", _OBJECTS),
    Command("lock_object", "Lock the object, or unlock it", "Alt+Shift+L", _OBJECTS),
    Command("background_object", "Make it background, or not", "Alt+Shift+N", _OBJECTS),
    Command("hide_object", "Hide the object, or show it", "Alt+I", _OBJECTS),
    Command("show_alone", "Show only this object, or all", "Alt+Shift+I", _OBJECTS),
    Command("delete_object", "Delete the selected object", "Alt+D", _OBJECTS),
    Command("find_objects", "Find objects without clicks", "Alt+Shift+F", _OBJECTS),
    Command("keep_candidates", "Keep the candidates", "Alt+Shift+K", _OBJECTS),
    Command("change_sign", "On the object or beside it", "Alt+X", _FRAME),
    Command("draw_box", "Draw boxes", "Alt+R", _FRAME),
    Command("draw_lasso", "Draw outlines with the lasso", "Alt+A", _FRAME),
    Command("scribble", "Scribble on the object", "Alt+S", _FRAME),
    Command("erase", "Erase what is not the object", "Alt+E", _FRAME),
    Command("pick_1", "Pick hypothesis 1", "Alt+1", _FRAME),
    Command("pick_2", "Pick hypothesis 2", "Alt+2", _FRAME),
    Command("pick_3", "Pick hypothesis 3", "Alt+3", _FRAME),
    Command("pick_best", "Let the program choose", "Alt+0", _FRAME),
    Command("run_both", "Propagate both ways", "Alt+B", _RUN),
    Command("stop", "Stop", "Alt+.", _RUN),
    Command("next_doubtful", "Go to the next doubtful frame", "Alt+J", _REVIEW),
    Command(
        "previous_doubtful", "Go to the doubtful frame before", "Alt+Shift+J", _REVIEW
    ),
    Command("confirm_frame", "Looks right: fix the object here", "Alt+K", _REVIEW),
)

DEFAULT_KEYS = {command.name: command.key for command in COMMANDS}

FIXED_KEYS = (("Undo", "Ctrl+Z"), ("Redo", "Ctrl+Shift+Z"))
"""Those of the system, which stay; Qt's Ctrl is Cmd on macOS."""


def command_of(name: str) -> Command:
    """Find a command by its name in settings."""
    return next(command for command in COMMANDS if command.name == name)
