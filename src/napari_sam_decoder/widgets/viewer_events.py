"""Events of the viewer, passed on to the workbench."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from napari.layers import Image, Labels, Points, Shapes

from napari_sam_decoder.widgets.layers import (
    MovieView,
    PlacementSync,
    camera_of,
    slider_point,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari.components import ViewerModel
    from napari.layers import Layer

    from napari_sam_decoder.widgets.movie_state import MovieState
    from napari_sam_decoder.widgets.workbench import Workbench

__all__ = ["ViewerEvents"]

PAN = "pan_zoom"
DRAG_PIXELS = 4
"""How far the mouse goes on the screen before a click becomes a drag."""


class ViewerEvents:
    """Listens to sliders, movies, layers and clicks until it is closed.

    Parameters
    ----------
    bench : Workbench
        Its methods are called.
    """

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench
        self._syncs: dict[Image, PlacementSync] = {}
        self._selected: WeakKeyDictionary[Labels, int] = WeakKeyDictionary()
        for emitter, listener in self._subscriptions():
            emitter.connect(listener)
        for callback in (self._on_pressed, self._on_dragged):
            bench.viewer.mouse_drag_callbacks.append(callback)

    def close(self) -> None:
        """Stop listening."""
        for emitter, listener in self._subscriptions():
            emitter.disconnect(listener)
        for callback in (self._on_pressed, self._on_dragged):
            self._bench.viewer.mouse_drag_callbacks.remove(callback)
        for layer in tuple(self._syncs):
            self.unfollow(layer)

    @property
    def notices(self) -> tuple[str, ...]:
        """Which layers do not lie on the movie any more."""
        movie = self._bench.movie
        if movie is None or movie.layer not in self._syncs:
            return ()
        return self._syncs[movie.layer].notices

    def follow(self, state: MovieState, layer: Image) -> None:
        """Place points and labels with a movie, even if it is not current."""
        if layer not in self._syncs:
            self._syncs[layer] = PlacementSync(
                layer, lambda: state.layers, self._on_moved
            )

    def unfollow(self, layer: Layer) -> None:
        """Place nothing with a movie any more, if anything was."""
        sync = self._syncs.pop(layer, None)
        if sync is not None:
            sync.close()

    def _subscriptions(self) -> Iterator[tuple[Any, Callable[[Any], None]]]:
        layers, dims = self._bench.viewer.layers, self._bench.viewer.dims
        yield layers.events.inserted, self._on_inserted
        yield layers.events.removed, self._on_removed
        yield layers.events.reordered, self._on_changed
        yield layers.selection.events.active, self._on_selected
        yield dims.events.point, self._on_slider_moved
        yield camera_of(self._bench.viewer).events.zoom, self._on_zoomed
        for layer in layers:
            yield from self._of_layer(layer)

    def _of_layer(self, layer: Layer) -> Iterator[tuple[Any, Callable[[Any], None]]]:
        yield layer.events.name, self._on_changed
        if isinstance(layer, Image):
            # Also of one that is only a colour of a movie.
            yield layer.events.data, self._on_pixels_replaced
            yield layer.events.contrast_limits, self._on_changed
        if isinstance(layer, Labels):
            self._selected[layer] = int(layer.selected_label)
            yield layer.events.selected_label, self._on_label_picked
            yield layer.events.paint, self._on_painted
            yield layer.events.mode, self._on_changed
        if isinstance(layer, Points | Shapes):
            yield layer.events.mode, self._on_changed

    def _on_changed(self, _: Any) -> None:
        self._bench.changed.emit()

    def _on_inserted(self, event: Any) -> None:
        layer: Layer = event.value
        for emitter, listener in self._of_layer(layer):
            emitter.connect(listener)
        self._bench.show_hidden_layers(self._bench.controller.state)
        if layer in self._bench.objects:
            self._bench.read()
        elif isinstance(layer, Labels):
            self._bench.on_labels_added(layer)
        self._bench.changed.emit()

    def _on_removed(self, event: Any) -> None:
        layer: Layer = event.value
        for emitter, listener in self._of_layer(layer):
            emitter.disconnect(listener)
        self.unfollow(layer)
        if isinstance(layer, Labels):
            self._bench.on_labels_removed(layer)
        elif layer in self._bench.objects:
            self._bench.read()
        else:
            self._bench.on_movie_removed(layer)
        self._bench.changed.emit()

    def _on_selected(self, event: Any) -> None:
        """Work on the movie whose points or boxes were selected in the layer list."""
        if isinstance(event.value, Points | Shapes):
            self._bench.on_own_layer_selected(event.value)
        else:
            self._bench.changed.emit()

    def _on_label_picked(self, event: Any) -> None:
        layer, label = event.source, int(event.source.selected_label)
        # napari says so of other colours, too.
        if self._selected.get(layer) != label:
            self._selected[layer] = label
            self._bench.on_label_picked(layer)
        self._bench.changed.emit()

    def _on_painted(self, event: Any) -> None:
        self._bench.on_labels_painted(event.source)

    def _on_zoomed(self, _: Any) -> None:
        self._bench.fit_to_screen()

    def _on_pressed(self, viewer: ViewerModel, event: Any) -> Iterator[None]:
        """Select an object with Alt and a click, whatever tool is in use."""
        if viewer.dims.ndisplay != 2 or event.button != 1:
            return
        active = viewer.layers.selection.active
        if isinstance(active, Labels) and active.mode == "pick":
            # napari has no event for a label that is picked already.
            self._bench.pick_label_at(active, event.position)
        elif tuple(event.modifiers) == ("Alt",) and self._bench.pick_object_at(
            event.position
        ):
            event.handled = True
            yield from _without_tools(viewer.layers.selection.active)
        elif getattr(active, "mode", PAN) != PAN:
            return
        elif not event.modifiers:
            yield from self._select_unless_dragged(event)
        elif tuple(event.modifiers) == ("Shift",) and self._bench.are_candidates_here:
            yield from self._merge_along_drag(event)

    def _select_unless_dragged(self, event: Any) -> Iterator[None]:
        """Select the object that is clicked where a drag moves the picture."""
        start = np.array(event.pos)
        yield
        is_still = True
        while event.type == "mouse_move":
            moved = np.abs(np.array(event.pos) - start).max()
            is_still &= bool(moved < DRAG_PIXELS)
            yield
        if is_still:
            self._bench.pick_object_at(event.position, keep_tool=True)

    def _merge_along_drag(self, event: Any) -> Iterator[None]:
        """Make one candidate of those that a drag with Shift crosses."""
        camera, path = camera_of(self._bench.viewer), [event.position]
        is_moved_by_mouse, camera.mouse_pan = camera.mouse_pan, False
        try:
            yield
            while event.type == "mouse_move":
                path.append(event.position)
                yield
        finally:
            camera.mouse_pan = is_moved_by_mouse
        self._bench.merge_candidates_along([*path, event.position])

    def _on_dragged(self, _: ViewerModel, event: Any) -> Iterator[None]:
        """Take all that is dragged until the mouse is released as one action."""
        self._bench.cover_screen()
        with self._bench.gesture():
            yield
            while event.type == "mouse_move":
                yield

    def _on_pixels_replaced(self, event: Any) -> None:
        self._bench.on_pixels_replaced(event.source)

    def _on_moved(self) -> None:
        """Find the frame and the points on the movie again."""
        self._on_slider_moved()
        self._bench.fit_to_screen()
        self._bench.read()
        self._bench.changed.emit()

    def _on_slider_moved(self, _: Any = None) -> None:
        movie = self._bench.movie
        if movie is None or movie.layer not in self._bench.viewer.layers:
            # When the last layer is removed, the sliders go first.
            return
        point = slider_point(movie.layer, self._bench.viewer.dims)
        view = MovieView.of(movie.layer, movie.axis, point)
        if not view.is_same_as(movie):
            # The slider of another axis, such as channels, has moved.
            self._bench.set_movie(view)
            return
        frame = view.frame_at(point)
        if frame != self._bench.frame:
            self._bench.controller.set_frame(frame)
            self._bench.show_previews()


def _without_tools(layer: Layer | None) -> Iterator[None]:
    """Keep the tool of a layer from taking part in a press of the mouse.

    napari passes the press on to it, also where it was handled.
    """
    if layer is None:
        yield
        return
    tools = list(layer.mouse_drag_callbacks)
    layer.mouse_drag_callbacks.clear()
    try:
        yield
    finally:
        layer.mouse_drag_callbacks[:0] = tools
