"""What happens in the viewer, told to the workbench."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from napari.layers import Points

from napari_sam_decoder.widgets.layers import MovieView, Tether, slider_point

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari.layers import Image, Layer

    from napari_sam_decoder.widgets.workbench import Workbench

__all__ = ["ViewerWatch"]


class ViewerWatch:
    """Listens to sliders and layer list for as long as it is not closed.

    Parameters
    ----------
    bench : Workbench
        Is told of what matters to it.
    """

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench
        self._layer: Image | None = None
        self._tethers: dict[Layer, Tether] = {}
        self._followers: dict[Layer, tuple[Layer, ...]] = {}
        for emitter, listener in self._subscriptions():
            emitter.connect(listener)

    def close(self) -> None:
        """Listen no more."""
        for emitter, listener in self._subscriptions():
            emitter.disconnect(listener)
        self.follow_pixels(None)
        for layer in tuple(self._tethers):
            self._untie(layer)

    @property
    def notices(self) -> tuple[str, ...]:
        """Which layers do not lie on the movie any more."""
        if self._layer not in self._tethers:
            return ()
        return self._tethers[self._layer].notices

    def follow_pixels(self, layer: Image | None) -> None:
        """Listen to the pixels of a layer being replaced, and to no other's.

        Points and labels of a movie stay on its pixels also while another is chosen.
        """
        if self._layer is not None:
            self._layer.events.data.disconnect(self._on_pixels_replaced)
            self._followers[self._layer] = self._companions()
        self._layer = layer
        if layer is not None:
            layer.events.data.connect(self._on_pixels_replaced)
            if layer not in self._tethers:
                followers = partial(self._followers_of, layer)
                self._tethers[layer] = Tether(layer, followers, self._on_moved)

    def _followers_of(self, movie: Layer) -> tuple[Layer, ...]:
        if movie is self._layer:
            return self._companions()
        return self._followers.get(movie, ())

    def _companions(self) -> tuple[Layer, ...]:
        """Layers that belong to the movie of now."""
        labels = self._bench.labels
        return (*self._bench.objects.layers, *(() if labels is None else (labels,)))

    def _untie(self, movie: Layer) -> None:
        tether = self._tethers.pop(movie, None)
        if tether is not None:
            tether.close()
        self._followers.pop(movie, None)

    def _subscriptions(self) -> Iterator[tuple[Any, Callable[[Any], None]]]:
        layers, dims = self._bench.viewer.layers, self._bench.viewer.dims
        yield layers.events.inserted, self._on_inserted
        yield layers.events.removed, self._on_removed
        yield layers.events.reordered, self._on_changed
        yield layers.selection.events.active, self._on_selected
        yield dims.events.point, self._on_slider_moved
        for layer in layers:
            yield layer.events.name, self._on_changed

    def _on_changed(self, _: Any) -> None:
        self._bench.changed.emit()

    def _on_inserted(self, event: Any) -> None:
        event.value.events.name.connect(self._on_changed)
        self._bench.changed.emit()

    def _on_removed(self, event: Any) -> None:
        layer: Layer = event.value
        layer.events.name.disconnect(self._on_changed)
        if layer is self._bench.labels:
            self._lose_labels(layer)
        if layer is self._layer:
            self._bench.choose_movie(None)
        self._untie(layer)
        if isinstance(layer, Points):
            self._bench.drop_points(layer)
        self._bench.changed.emit()

    def _lose_labels(self, layer: Layer) -> None:
        conductor = self._bench.conductor
        was_running = conductor.is_running
        conductor.stop()
        self._bench.choose_labels(None)
        if was_running:
            conductor.outcome = (
                f"Stopped, since {layer.name!r} was removed; run again for a new one."
            )

    def _on_selected(self, event: Any) -> None:
        """Work on what is clicked in the layer list."""
        objects = self._bench.objects
        is_current = objects.current is not None and (
            objects.current.layer is event.value
        )
        if event.value in objects and not is_current:
            for listed in objects.reading.objects:
                if listed.layer is event.value:
                    objects.current_id = listed.object_id
                    self._bench.changed.emit()
                    return

    def _on_pixels_replaced(self, _: Any) -> None:
        if self._bench.movie is not None:
            self._bench.choose_movie(self._layer, self._bench.movie.axis)

    def _on_moved(self) -> None:
        """Look again where the sliders and the points are on the movie."""
        self._on_slider_moved()
        self._bench.read()
        self._bench.changed.emit()

    def _on_slider_moved(self, _: Any = None) -> None:
        movie = self._bench.movie
        if movie is None or movie.layer not in self._bench.viewer.layers:
            # The sliders go before the layer does when the last layer is removed.
            return
        point = slider_point(movie.layer, self._bench.viewer.dims)
        view = MovieView.of(movie.layer, movie.axis, point)
        if not view.is_same_as(movie):
            # Of four axes, one that is not followed was moved: another movie.
            self._bench.take(view)
            return
        frame = view.frame_at(point)
        if frame != self._bench.frame:
            self._bench.conductor.set_frame(frame)
            self._bench.show_previews()
