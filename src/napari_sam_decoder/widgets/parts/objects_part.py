"""The section that lists the objects."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from napari.layers import Points, Shapes
from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QGroupBox,
    QLineEdit,
    QMenu,
    QMessageBox,
    QSizePolicy,
    QStackedWidget,
    QWidget,
)

from napari_sam_decoder.widgets.finding import ObjectSearch
from napari_sam_decoder.widgets.parts.candidates_part import CandidatesPart
from napari_sam_decoder.widgets.parts.controls import (
    button,
    group_layout,
    menu_button,
    narrow,
    row,
)
from napari_sam_decoder.widgets.parts.key_tips import set_tip
from napari_sam_decoder.widgets.parts.object_table import ObjectTable, swatch
from napari_sam_decoder.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtpy.QtCore import QPoint
    from qtpy.QtGui import QAction

    from napari_sam_decoder.widgets.objects import ObjectSummary, SegmentedObject
    from napari_sam_decoder.widgets.workbench import Workbench

__all__ = ["ObjectsPart"]

_FIND, _STOP = "Find objects", "Stop search"
_SPLIT = "Split here"
_SPLIT_TIP = (
    "Make a new object of the selected one from the current frame on, such as a "
    "daughter after a division{split_object}"
)


class ObjectsPart(QGroupBox):
    """The objects, and where their points come from."""

    new_requested = Signal()
    layer_chosen = Signal(object)
    object_chosen = Signal(int)
    object_pressed = Signal(int)
    renamed = Signal(int, str)
    delete_requested = Signal()
    merge_requested = Signal(int, int)
    split_requested = Signal()
    parent_chosen = Signal(int, object)
    lock_toggled = Signal(int, bool)
    eye_toggled = Signal(int, bool)
    alone_requested = Signal(int)
    all_requested = Signal()
    background_toggled = Signal(int, bool)
    find_requested = Signal()
    stop_requested = Signal()

    def __init__(self) -> None:
        super().__init__("Objects")
        self._entries: list[tuple[str, Points | Shapes]] = []
        self._objects: tuple[ObjectSummary, ...] = ()
        self._current_id: int | None = None
        self._split_text = _SPLIT
        self._is_searching = False
        self.table = ObjectTable()
        set_tip(
            self.table,
            "Clicks in the picture go to the selected object. A click on a row also "
            "shows a frame of the object. Keys select the next object{next_object} or "
            "the previous one{previous_object}, Alt+click the one in the picture",
        )
        self.table.chosen.connect(self.object_chosen)
        self.table.renamed.connect(self.renamed)
        self.table.lock_toggled.connect(self.lock_toggled)
        self.table.eye_toggled.connect(self.eye_toggled)
        self.table.others_toggled.connect(self._toggle_others)
        self.table.menu_requested.connect(self._show_context_menu)
        self.filter = QLineEdit()
        self.filter.setPlaceholderText("Filter")
        self.filter.setToolTip("Show only objects with this in their name")
        self.filter.setClearButtonEnabled(True)
        # The buttons beside it may not make the dock wider.
        self.filter.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.filter.setMinimumWidth(36)
        self.filter.textChanged.connect(self.table.filter)
        self.filter.textChanged.connect(self._show_count)
        self.new_button = button(
            "New object",
            "Add an object, then click it{new_object}",
            self.new_requested.emit,
        )
        self.delete_button = button(
            "Delete…",
            "Delete the selected object{delete_object}",
            self.delete_requested.emit,
        )
        self.merge_button, self.merge_menu = menu_button(
            "Merge into", "Give the selected object's prompts and labels to another one"
        )
        self.merge_menu.aboutToShow.connect(self._fill_merge_menu)
        self.split_button = button(_SPLIT, _SPLIT_TIP, self.split_requested.emit)
        self.find_button = button(
            _FIND,
            "Look for objects that nobody has shown on the current frame, and offer "
            "them as candidates{find_objects}",
            self._find_or_stop,
        )
        self.points_button, self.menu = menu_button(
            "Use points…", "Copy the points or rectangles of another layer, as prompts"
        )
        self.background_button = button(
            "Background",
            "Not this one: the selected object is followed like all others, so that "
            "these do not take its pixels, but it is not part of the result"
            "{background_object}",
            self._toggle_background,
        )
        self.background_button.setCheckable(True)
        layout = group_layout(self)
        layout.addLayout(
            row(
                self.new_button,
                self.merge_button,
                self.split_button,
                self.delete_button,
            )
        )
        layout.addWidget(self.table, 1)
        self._tools = QWidget()
        self._tools.setLayout(
            row(
                self.filter,
                narrow(self.find_button),
                narrow(self.background_button),
                narrow(self.points_button),
            )
        )
        self.candidates = CandidatesPart()
        # One in place of the other, so that nothing moves.
        self._below = QStackedWidget()
        self._below.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        for one in (self._tools, self.candidates):
            self._below.addWidget(one)
        layout.addWidget(self._below)

    def show_state(self, bench: Workbench) -> None:
        """List the current objects."""
        self.setEnabled(bench.movie is not None)
        self._fill_menu(bench)
        self.points_button.setEnabled(bool(self._entries))
        current, self._objects = bench.objects.current, bench.summaries
        self._current_id = None if current is None else current.object_id
        for made in (self.split_button, self.delete_button, self.background_button):
            made.setEnabled(current is not None)
        offered = bench.division
        self._split_text = _SPLIT if offered is None else "Divide"
        self.split_button.setText(self._split_text)
        set_tip(
            self.split_button,
            _SPLIT_TIP
            if offered is None
            else "Make two objects of the halves in which the selected one is on frame "
            f"{offered.frame}, where it seems to have divided{{split_object}}",
        )
        self.background_button.setChecked(current is not None and current.is_background)
        self.merge_button.setEnabled(current is not None and len(self._objects) > 1)
        self.table.show_objects(self._objects, self._current_id)
        self._show_count()
        running = bench.controller.label_worker.running
        self._is_searching = isinstance(running, ObjectSearch)
        self.find_button.setText(_STOP if self._is_searching else _FIND)
        self.find_button.setEnabled(self._is_searching or running is None)
        self.candidates.show_state(bench)
        is_choosing = bench.are_candidates_here
        self._below.setCurrentWidget(self.candidates if is_choosing else self._tools)

    def _find_or_stop(self) -> None:
        request = self.stop_requested if self._is_searching else self.find_requested
        request.emit()

    def _show_count(self) -> None:
        """Say how many objects there are, and how many of them are in the table.

        Background objects are counted apart.
        """
        background = {one.object_id for one in self._objects if one.is_background}
        shown = len({*self.table.ids} - background)
        every = len(self._objects) - len(background)
        count = str(every) if shown == every else f"{shown} of {every}"
        beside = f" + {len(background)} background" if background else ""
        self.setTitle(f"Objects ({count}{beside})" if self._objects else "Objects")

    def _toggle_background(self) -> None:
        for one in self._objects:
            if one.object_id == self._current_id:
                self.background_toggled.emit(one.object_id, not one.is_background)

    def ask_about_labels(
        self, deleted: SegmentedObject, bench: Workbench
    ) -> str | None:
        """Ask what becomes of the labels of an object that is to be deleted.

        Returns
        -------
        {"keep", "remove"} or None
            None if it is not to be deleted. Nothing is asked of an object without
            points and labels.
        """
        summary = {one.object_id: one for one in bench.summaries}
        result = _result_text(summary[deleted.object_id])
        if not (result or deleted.frames):
            return "keep"
        box = QMessageBox(self)
        box.setIcon(QMessageBox.Icon.Question)
        box.setText(f"Delete {deleted.name!r}?")
        points = "Its points are removed." if deleted.frames else ""
        found = f" Its labels: {result}." if result else ""
        box.setInformativeText(f"{points}{found}".strip())
        answers: dict[Any, str] = {}
        box.addButton(QMessageBox.StandardButton.Cancel)
        accept = QMessageBox.ButtonRole.AcceptRole
        if result:
            answers[box.addButton("Keep its labels", accept)] = "keep"
            erase = QMessageBox.ButtonRole.DestructiveRole
            answers[box.addButton("Remove them too", erase)] = "remove"
        else:
            answers[box.addButton("Delete", accept)] = "keep"
        box.exec()
        return answers.get(box.clickedButton())

    def _fill_menu(self, bench: Workbench) -> None:
        """List the layers of others; those of other movies belong to the plugin."""
        own = [layer for state in bench.controller.movies for layer in state.layers]
        entries = [
            (layer.name, layer)
            for layer in bench.viewer.layers
            if isinstance(layer, Points | Shapes) and layer not in own
        ]
        if entries == self._entries:
            # The menu may be open just now.
            return
        self._entries = entries
        self.menu.clear()
        for name, layer in entries:
            self.menu.addAction(name).triggered.connect(
                lambda _checked, layer=layer: self.layer_chosen.emit(layer)
            )

    def context_menu(self, object_id: int) -> QMenu:
        """Make the menu of an object in the table."""
        menu = QMenu(self)
        menu.addAction("Rename").triggered.connect(
            lambda _checked: self.table.rename(object_id)
        )
        others = menu.addMenu("Merge into")
        self._add_others(
            others, object_id, partial(self.merge_requested.emit, object_id)
        )
        others.setEnabled(not others.isEmpty())
        menu.addAction(self._split_text).triggered.connect(
            lambda _checked: self.split_requested.emit()
        )
        one = next(one for one in self._objects if one.object_id == object_id)
        self._add_parents(menu.addMenu("Daughter of"), one)
        background = menu.addAction("Background object")
        background.setCheckable(True)
        background.setChecked(one.is_background)
        background.triggered.connect(
            lambda checked: self.background_toggled.emit(object_id, checked)
        )
        self._add_hiding(menu, one)
        is_locked = one.is_locked
        menu.addAction("Unlock" if is_locked else "Lock").triggered.connect(
            lambda _checked: self.lock_toggled.emit(object_id, not is_locked)
        )
        menu.addAction("Delete…").triggered.connect(
            lambda _checked: self.delete_requested.emit()
        )
        return menu

    def _add_hiding(self, menu: QMenu, one: ObjectSummary) -> None:
        object_id, is_hidden = one.object_id, one.is_hidden
        menu.addAction("Show" if is_hidden else "Hide").triggered.connect(
            lambda _checked: self.eye_toggled.emit(object_id, not is_hidden)
        )
        menu.addAction("Show only this").triggered.connect(
            lambda _checked: self.alone_requested.emit(object_id)
        )
        every = menu.addAction("Show all")
        every.setEnabled(any(other.is_hidden for other in self._objects))
        every.triggered.connect(lambda _checked: self.all_requested.emit())

    def _toggle_others(self, object_id: int) -> None:
        """Show one object alone, or all where it is alone already."""
        shown = [one.object_id for one in self._objects if not one.is_hidden]
        if shown == [object_id]:
            self.all_requested.emit()
        else:
            self.alone_requested.emit(object_id)

    def _show_context_menu(self, object_id: int, place: QPoint) -> None:
        # What the menu does is meant for the object that was pressed, on this frame.
        self.object_pressed.emit(object_id)
        self.context_menu(object_id).popup(place)

    def _fill_merge_menu(self) -> None:
        self.merge_menu.clear()
        if self._current_id is not None:
            merge = partial(self.merge_requested.emit, self._current_id)
            self._add_others(self.merge_menu, self._current_id, merge)

    def _add_parents(self, menu: QMenu, daughter: ObjectSummary) -> None:
        """Offer all other objects as the parent of one, or none."""
        choose = partial(self.parent_chosen.emit, daughter.object_id)
        none = menu.addAction("none")
        none.triggered.connect(lambda _checked: choose(None))
        actions = self._add_others(menu, daughter.object_id, choose)
        for parent, action in ((None, none), *actions.items()):
            action.setCheckable(True)
            action.setChecked(parent == daughter.parent)

    def _add_others(
        self, menu: QMenu, object_id: int, choose: Callable[[int], None]
    ) -> dict[int, QAction]:
        """Offer all other objects, and return the actions by id."""
        actions = {}
        for one in self._objects:
            if one.object_id != object_id:
                action = menu.addAction(
                    swatch(one.object_id, is_background=one.is_background), one.name
                )
                action.triggered.connect(
                    lambda _checked, other=one.object_id: choose(other)
                )
                actions[one.object_id] = action
        return actions


def _result_text(one: ObjectSummary) -> str:
    """Sum up the labels of an object; empty if there are none."""
    if not (one.span or one.doubtful or one.absent):
        return ""
    parts = [counted(one.frame_count, "frame")]
    parts += [f"{one.doubtful} doubtful"] if one.doubtful else []
    parts += [f"absent on {one.absent}"] if one.absent else []
    return ", ".join(parts)
