"""What is under way, and asking before something ends it."""

from __future__ import annotations

from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import ref

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QMessageBox

from napari_sam_decoder.wording import capitalised

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qtpy.QtWidgets import QDockWidget, QWidget

    from napari_sam_decoder.widgets.controller import Controller

__all__ = [
    "Answer",
    "CloseQuestion",
    "ask_before",
    "ask_before_closing",
    "unfinished_anywhere",
    "unfinished_here",
    "unfinished_learning",
]

STARTS_OVER = "it would have to start over"


class Answer(Enum):
    """What a person wants done about what is under way."""

    KEEP = "keep"
    STOP = "stop"
    CANCEL = "cancel"


def unfinished_anywhere(
    controller: Controller, *, is_window: bool = False
) -> tuple[str, ...]:
    """Say what would end with the last dock of a viewer.

    Parameters
    ----------
    controller : Controller
        Of the docks.
    is_window : bool, default False
        Whether the window goes, too, with all that was not decided about.

    Returns
    -------
    tuple of str
        A sentence each. Not of embedding, which goes on by itself another time.
    """
    return (
        *_unsaved(controller),
        *_runs(controller, None),
        *_relabelling(controller),
        *_learning(controller, None),
        *(_undecided(controller) if is_window else ()),
        *_label_work(controller),
        *_downloads(controller),
    )


def unfinished_here(controller: Controller) -> tuple[str, ...]:
    """Say what would end with the work on the current movie, such as runs on it."""
    state = controller.state
    return (*_runs(controller, state), *_learning(controller, state))


def unfinished_learning(controller: Controller) -> tuple[str, ...]:
    """Say what would be of no use with another model."""
    return (*_learning(controller, controller.state), *_undecided(controller))


def _unsaved(controller: Controller) -> Iterator[str]:
    for state in controller.movies:
        if state.project.failure is not None:
            yield f"{state.name!r}: {state.project.failure}."
        elif state.is_keeping_off and state.history.done:
            yield (
                f"What was done on {state.name!r} is in no project file; press 'Try "
                "again' in the dock, or save the labels as a file."
            )


def _runs(controller: Controller, state: object | None) -> Iterator[str]:
    run, running = controller.writer.run, controller.writer.running
    if run is not None and running is not None and state in (None, running):
        yield (
            f"Labels of {running.name!r} are being computed ({run.progress}); frames "
            "that are done stay."
        )
    # There may be one for each plane.
    for waiting in dict.fromkeys(pending.state for pending in controller.pending):
        if state in (None, waiting):
            yield f"A run on {waiting.name!r} has not started yet."


def _relabelling(controller: Controller) -> Iterator[str]:
    for state in controller.movies:
        if controller.is_relabelling(state):
            yield (
                f"Labels of {state.name!r} are being changed; what was changed so far "
                "can be undone."
            )


def _learning(controller: Controller, state: object | None) -> Iterator[str]:
    for learner in controller.learners:
        if state in (None, learner):
            yield f"A decoder for {learner.name!r} is being trained; {STARTS_OVER}."


def _undecided(controller: Controller) -> Iterator[str]:
    for state in controller.movies:
        if state.learned is not None:
            yield f"What was learned from {state.name!r} is not in use, and is lost."


def _label_work(controller: Controller) -> Iterator[str]:
    running = controller.label_worker.running
    if running is not None:
        said = capitalised(running.under_way)
        yield f"{said} ({running.progress}); {STARTS_OVER}."


def _downloads(controller: Controller) -> Iterator[str]:
    for download in controller.downloads.by_name.values():
        if download.is_running:
            yield (
                f"The model {download.name} is being downloaded "
                f"({download.progress}); {STARTS_OVER}."
            )


def ask_before(
    parent: QWidget | None, what: str, unfinished: tuple[str, ...], keep: str = ""
) -> Answer:
    """Ask what becomes of what is under way, unless nothing is.

    Parameters
    ----------
    parent : QWidget or None
        Of the question.
    what : str
        What is about to be done, as a button says it after "Stop and".
    unfinished : tuple of str
        What that would end.
    keep : str, optional
        How it can be done without that, as a button says it.
    """
    if not unfinished:
        return Answer.STOP
    box = QMessageBox(parent)
    box.setIcon(QMessageBox.Icon.Question)
    box.setText("Something is not finished yet.")
    box.setInformativeText("\n\n".join(unfinished))
    roles = QMessageBox.ButtonRole
    answers: dict[Any, Answer] = {}
    if keep:
        answers[box.addButton(keep, roles.AcceptRole)] = Answer.KEEP
    stop = box.addButton(f"Stop and {what}", roles.DestructiveRole)
    cancel = box.addButton("Cancel" if keep else "Keep running", roles.RejectRole)
    answers |= {stop: Answer.STOP, cancel: Answer.CANCEL}
    box.setDefaultButton(next(iter(answers)) if keep else cancel)
    box.setEscapeButton(cancel)
    box.exec_()
    return answers.get(box.clickedButton(), Answer.CANCEL)


def ask_before_closing(
    frame: QDockWidget, unfinished: Callable[[], tuple[str, ...]]
) -> None:
    """Let the button that closes a dock ask before something ends with it.

    A script that takes the dock out of its window is not asked.

    Parameters
    ----------
    frame : QDockWidget
        The dock, with a method of napari that its button calls.
    unfinished : callable
        Returns what would end with it.
    """
    close = getattr(frame, "destroyOnClose", None)
    if close is not None:
        frame.destroyOnClose = partial(_ask_and_close, ref(frame), close, unfinished)


def _ask_and_close(
    known: ref[QDockWidget],
    close: Callable[[], None],
    unfinished: Callable[[], tuple[str, ...]],
) -> None:
    frame = known()
    answer = ask_before(frame, "close", unfinished(), "Keep running and hide")
    if answer is Answer.STOP:
        close()
    elif answer is Answer.KEEP and frame is not None:
        frame.hide()


class CloseQuestion(QObject):
    """Asks before a window closes in which something is under way.

    Parameters
    ----------
    window : QWidget
        That of napari.
    unfinished : callable
        Returns what would end with it.
    """

    def __init__(
        self, window: QWidget, unfinished: Callable[[], tuple[str, ...]]
    ) -> None:
        super().__init__(window)
        self._unfinished = unfinished
        window.installEventFilter(self)

    def eventFilter(self, window: QObject, event: QEvent) -> bool:
        """Keep the window open if a person wants that."""
        if event.type() != QEvent.Type.Close or _is_closed_by_script(window):
            return False
        answer = ask_before(self.parent(), "close", self._unfinished())
        if answer is Answer.STOP:
            return False
        event.ignore()
        if hasattr(window, "_quit_app"):
            # Else napari would quit with the next window that is closed.
            window._quit_app = False
        return True


def _is_closed_by_script(window: QObject) -> bool:
    """Whether `napari.Viewer.close` was called, which closes the canvas first."""
    canvas = getattr(window, "_qt_viewer", None)
    return canvas is not None and bool(canvas.isHidden())
