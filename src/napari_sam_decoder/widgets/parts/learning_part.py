"""The line about learning from fixed frames: what it takes, how far it is, its gain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_sam_decoder.project import is_learned
from napari_sam_decoder.widgets.learning import describe_learned
from napari_sam_decoder.widgets.parts.controls import (
    Lines,
    button,
    narrow,
    steady_row,
)
from napari_sam_decoder.wording import capitalised, counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_sam_decoder.widgets.workbench import Workbench

__all__ = ["LearningPart"]

LEARN = "Learn from my frames"
USE, USE_ANYWAY = "Use it", "Use it anyway"


class LearningPart(QWidget):
    """Starts learning, shows how far it is, and asks whether to use what it brought.

    Parameters
    ----------
    bench : Workbench
        What the buttons do.
    guarded : callable
        Turns a refusal of an action into a notification.

    Attributes
    ----------
    said : Lines
    learn, use, discard : QPushButton
        The first one stops as well.
    """

    def __init__(
        self, bench: Workbench, guarded: Callable[[Callable[[], None]], Callable]
    ) -> None:
        super().__init__()
        self._bench = bench
        self.said = Lines(1)
        self.learn = button(
            LEARN,
            "Train the decoder on the frames that you have fixed, in the background; "
            "this takes some minutes. One of them is not learned from, and shows "
            "whether masks have become better. Nothing changes before you say so",
            guarded(self._on_learn_pressed),
        )
        self.use = button(
            USE,
            "Use what was learned for clicks and runs from now on, on this movie; "
            "Ctrl+Z brings the old decoder back",
            guarded(bench.use_learned),
        )
        self.discard = button(
            "Keep the old one",
            "Forget what was learned",
            guarded(bench.discard_learned),
        )
        buttons = [narrow(one) for one in (self.use, self.discard, self.learn)]
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(steady_row(self.said, *buttons))

    def show_state(self) -> None:
        """Show what can be learned, is being learned, or was learned."""
        bench, learned = self._bench, self._bench.learned
        self.said.setText(self._text())
        self.use.setVisible(learned is not None)
        self.discard.setVisible(learned is not None)
        self.learn.setVisible(learned is None)
        self.learn.setText("Cancel" if self._is_busy else LEARN)
        can_learn = bench.labels is not None and not bench.missing_to_learn
        self.learn.setEnabled(can_learn or self._is_busy)
        if learned is not None:
            self.use.setText(USE if learned.is_better else USE_ANYWAY)

    def _text(self) -> str:
        bench = self._bench
        learned, running = bench.learned, bench.controller.learning.running
        if learned is not None:
            return describe_learned(learned)
        if running is not None:
            is_here = running.state is bench.controller.state
            where = "" if is_here else f" from {running.state.name!r}"
            return f"Learning{where}.  {running}"
        if self._is_busy:
            return "Learning starts once the network is loaded."
        if bench.labels is None:
            return ""
        missing = bench.missing_to_learn
        if missing:
            return f"{capitalised(missing)}."
        is_in_use = is_learned(bench.controller.state.options.decoder)
        known = " The decoder in use was learned from this movie." if is_in_use else ""
        return f"{counted(bench.fixed_count, 'frame')} fixed to learn from.{known}"

    @property
    def _is_busy(self) -> bool:
        controller = self._bench.controller
        return controller.is_learning or controller.learning.running is not None

    def _on_learn_pressed(self) -> None:
        """Learn, or stop that."""
        if self._is_busy:
            self._bench.stop_learning()
        else:
            self._bench.learn()
