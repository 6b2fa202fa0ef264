"""The section about the current frame: the three hypotheses and the kind of click."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from qtpy.QtCore import QEvent, QObject, QSize, Qt, Signal
from qtpy.QtGui import QIcon, QPixmap
from qtpy.QtWidgets import (
    QButtonGroup,
    QGroupBox,
    QSizePolicy,
    QToolButton,
)

from napari_sam_decoder.widgets.parts.controls import Lines, button, group_layout, row
from napari_sam_decoder.widgets.parts.images import as_image
from napari_sam_decoder.widgets.parts.key_tips import set_tip
from napari_sam_decoder.widgets.thumbnails import THUMBNAIL_SIDE
from napari_sam_decoder.widgets.tools import Tool

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from qtpy.QtWidgets import QPushButton

    from napari_sam_decoder.widgets.model_cache import ShownPreview
    from napari_sam_decoder.widgets.workbench import Workbench

__all__ = ["FramePart"]

_TOOLS = {
    Tool.POSITIVE: (
        "+ object",
        "The next click is on the object; a key changes that{change_sign}",
    ),
    Tool.NEGATIVE: (
        "- not object",
        "The next click is where the mask is too big; a key changes that{change_sign}",
    ),
    Tool.BOX: ("Box", "The mouse draws a box around the object{draw_box}"),
    Tool.LASSO: ("Lasso", "The mouse draws an outline around the object{draw_lasso}"),
    Tool.SCRIBBLE: (
        "Scribble",
        "The mouse paints pixels that belong to the object in any case{scribble}",
    ),
    Tool.ERASER: (
        "Erase",
        "The mouse paints pixels that do not belong to the object{erase}",
    ),
}


class FramePart(QGroupBox):
    """What the decoder offers for the current object on the current frame."""

    hypothesis_chosen = Signal(object)
    hypothesis_pointed_at = Signal(object)
    tool_chosen = Signal(object)

    def __init__(self) -> None:
        super().__init__("This frame")
        self.offers = [self._offer(number) for number in (1, 2, 3)]
        self.automatic = button(
            "Automatic",
            "Choose the best mask automatically{pick_best}. A ★ and a score here mean "
            "a fourth mask: one for several points, or next to other objects",
            lambda: self.hypothesis_chosen.emit(None),
        )
        self.automatic.setCheckable(True)
        self.tools = {tool: self._tool_button(tool) for tool in Tool}
        group = QButtonGroup(self)
        for tool in self.tools.values():
            group.addButton(tool)
        self.tools[Tool.POSITIVE].setChecked(True)
        self._pictures: ShownPreview | None = None
        layout = group_layout(self)
        self.verdict = Lines(1)
        layout.addWidget(self.verdict)
        layout.addLayout(row(*self.offers))
        layout.addLayout(row(*self._of(Tool.POSITIVE, Tool.NEGATIVE), self.automatic))
        others = Tool.BOX, Tool.LASSO, Tool.SCRIBBLE, Tool.ERASER
        layout.addLayout(row(*self._of(*others)))

    def show_state(self, bench: Workbench) -> None:
        """Show the preview of the current object on the current frame."""
        has_movie, current = bench.movie is not None, bench.objects.current
        self.setTitle(f"This frame ({bench.frame})" if has_movie else "This frame")
        self.setEnabled(current is not None)
        if current is not None:
            self.tools[bench.tool].setChecked(True)
        prompt = bench.current_prompt
        shown = (
            bench.controller.state.previews.latest(prompt.object_id, prompt.frame)
            if prompt is not None and not prompt.is_settled
            else None
        )
        self._show_pictures(shown)
        self._show_verdict(bench)
        self.automatic.setEnabled(shown is not None)
        self.automatic.setChecked(prompt is not None and prompt.hypothesis is None)
        in_use = None if shown is None else _in_use(shown)
        for number, offer in enumerate(self.offers, start=1):
            offer.setEnabled(shown is not None)
            offer.setChecked(number == in_use)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Tell which picture the mouse is on; None once it has left."""
        if event.type() == QEvent.Type.Enter and watched in self.offers:
            number = self.offers.index(cast("QToolButton", watched)) + 1
            self.hypothesis_pointed_at.emit(number)
        elif event.type() == QEvent.Type.Leave and watched in self.offers:
            self.hypothesis_pointed_at.emit(None)
        return bool(super().eventFilter(watched, event))

    def _show_verdict(self, bench: Workbench) -> None:
        """Show the verdict on the labels of this frame, and the reason."""
        object_id = bench.objects.current_id
        found = None
        if object_id is not None:
            found = bench.controller.state.verdict(object_id, bench.frame)
        text = ""
        if found is not None:
            reason = f": {found.why}" if found.why else ""
            text = f"Object {object_id} is {found.verdict.value} here{reason}"
        self.verdict.setText(text)

    def _show_pictures(self, shown: ShownPreview | None) -> None:
        if shown is self._pictures and shown is not None:
            return
        self._pictures = shown
        for place, offer in enumerate(self.offers):
            if shown is None:
                offer.setIcon(QIcon())
                offer.setText(f"{place + 1}")
                continue
            offered = shown.preview.hypotheses[place]
            drawn = place < len(shown.thumbnails)
            offer.setIcon(_icon(shown.thumbnails[place]) if drawn else QIcon())
            star = " ★" if offered.number == _in_use(shown) else ""
            offer.setText(f"{offered.number}: {offered.score:.2f}{star}")
        self.automatic.setText(_automatic_text(shown))

    def _offer(self, number: int) -> QToolButton:
        made = QToolButton()
        made.setCheckable(True)
        made.setText(f"{number}")
        made.setIconSize(QSize(THUMBNAIL_SIDE, THUMBNAIL_SIDE))
        made.setMinimumHeight(THUMBNAIL_SIDE + 30)
        made.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
        made.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        set_tip(
            made,
            f"Hypothesis {number} and how well it is expected to fit, from 0 to 1, "
            "less what it shares with the other objects on this "
            f"frame{{pick_{number}}}; ★ marks the one in use, the best one unless you "
            "pick",
        )
        made.clicked.connect(lambda _=False: self.hypothesis_chosen.emit(number))
        made.installEventFilter(self)
        return made

    def _tool_button(self, tool: Tool) -> QPushButton:
        text, tip = _TOOLS[tool]
        made = button(text, tip, lambda: self.tool_chosen.emit(tool))
        made.setCheckable(True)
        return made

    def _of(self, *tools: Tool) -> Iterator[QPushButton]:
        for tool in tools:
            yield self.tools[tool]


def _in_use(shown: ShownPreview) -> int:
    """Number of the hypothesis in use, whatever changed it later; 0 for none."""
    return shown.preview.prompt.hypothesis or shown.preview.chosen.number


def _automatic_text(shown: ShownPreview | None) -> str:
    """Mark an answer in use that none of the three hypotheses stands for."""
    if shown is None or _in_use(shown):
        return "Automatic"
    return f"Automatic: {shown.preview.chosen.score:.2f} ★"


def _icon(picture: np.ndarray) -> QIcon:
    return QIcon(QPixmap.fromImage(as_image(picture)))
