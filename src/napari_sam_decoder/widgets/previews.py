"""Previews of what prompts give before they are propagated."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels
from napari.utils.colormaps import DirectLabelColormap

from napari_sam_decoder.widgets.colours import (
    WARNING_RED,
    object_colour,
    object_colours,
)
from napari_sam_decoder.widgets.layers import (
    NEGATIVE_VALUE,
    POSITIVE_VALUE,
    Outline,
    StrokeListener,
    WorldMap,
    change_preview,
    cover_of,
    new_outline_layer,
    next_scribble,
    preview_layer,
    read_stroke,
    show_outline,
    show_preview,
    take_brush,
    window_on_screen,
    zoom_on,
)
from napari_sam_decoder.widgets.preview_picture import MOST_OF_A_BYTE, PreviewPicture

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from napari.components import ViewerModel
    from napari.layers import Layer, Vectors

    from napari_sam_decoder.frames import PlacedMask, Window
    from napari_sam_decoder.prompts import Prompt, Scribble
    from napari_sam_decoder.widgets.layers import MovieView
    from napari_sam_decoder.widgets.model_cache import ShownPreview
    from napari_sam_decoder.widgets.target_layer import UndoKeys

__all__ = [
    "KEPT_PREVIEWS",
    "PREVIEW_NAME",
    "Painter",
    "PreviewOverlay",
    "PreviewStore",
    "Scribbled",
    "add_quietly",
]


PREVIEW_NAME = "SAM preview"
FILL, SCRIBBLE_FILL = 0.2, 0.5
"""How much a preview covers of what is under it."""
NO_FILL = (0.0, 0.0, 0.0, 0.0)
_NOTICEABLE = 0.2


@dataclass(frozen=True)
class Scribbled:
    """The object that a brush on the preview paints, and what was painted of it.

    Attributes
    ----------
    object_id : int
    scribbles : tuple of Scribble
        On the frame that is shown.
    """

    object_id: int
    scribbles: tuple[Scribble, ...] = ()


@dataclass(frozen=True, eq=False)
class Painter:
    """What is called when somebody paints on a preview.

    Attributes
    ----------
    paint : callable
        Takes the frame, and the scribbles that a stroke makes.
    keys : UndoKeys
        What the layer's own keys for undo and redo call.
    """

    paint: Callable[[int, tuple[Scribble, ...]], None]
    keys: UndoKeys


class PreviewOverlay:
    """Masks as outlines with a light fill, added when there is something to show.

    The fill is a Labels layer of one frame; the lines around it have one width on the
    screen, and are in a layer of their own.

    One layer serves all movies with as many axes. Without anything to show it is
    emptied, not removed: napari collects all garbage when a layer is removed, which
    stops the window for a moment, and napari 0.9 may crash when a slider then leaves
    the frames of an RGB movie.

    Parameters
    ----------
    viewer : ViewerModel
        Where the layer is shown.
    painter : Painter, optional
        Without one, nobody can paint on it.
    """

    def __init__(self, viewer: ViewerModel, painter: Painter | None = None) -> None:
        self._viewer = viewer
        self._painter = painter
        self._strokes: StrokeListener | None = None
        self._scribbled: Scribbled | None = None
        self._is_painted_over = False
        self._view: MovieView | None = None
        self._picture: PreviewPicture | None = None
        self._layer: Labels | None = None
        self._fills: dict[int, tuple[float, ...]] = {}
        self._lines: Vectors | None = None
        self._outline = Outline.empty()
        self._pixel = 1.0
        self._placed: WorldMap | None = None

    def show(
        self,
        view: MovieView,
        frame: int,
        masks: Mapping[int, PlacedMask],
        scribbled: Scribbled | None = None,
        background: frozenset[int] = frozenset(),
    ) -> None:
        """Show masks on a frame, in the colours of their objects.

        Parameters
        ----------
        view : MovieView
            The movie.
        frame : int
            Where to show them.
        masks : mapping of object id to PlacedMask
            Where they overlap, the last is shown; without any, the layer is emptied.
        scribbled : Scribbled, optional
            Drawn over the masks.
        background : frozenset of int
            Those that are not part of the result, outlined in grey and not filled.
        """
        if self._strokes is not None and self._strokes.is_drawing:
            # It is shown again when the stroke has ended.
            return
        placed = WorldMap.of(view.layer)
        if not self._is_on(view, placed):
            self._move_to(view)
            self._view, self._placed = view, placed
        if not self._is_added():
            self._remove_lines()
        scribbles = () if scribbled is None else scribbled.scribbles
        cover = self._cover_for(view, frame, masks, scribbles)
        picture = PreviewPicture(frame, cover, dict(masks), scribbles)
        is_same_look = background == self._outline.background
        if is_same_look and self._shows(picture, scribbled):
            return
        layer = self._layer_on(view)
        self._trace(picture, background)
        self._fill_lightly(layer, picture.values, scribbled)
        self._fill(view, layer, picture)
        self._picture, self._scribbled = picture, scribbled
        self._is_painted_over = False
        self._draw_lines()

    def _cover_for(
        self,
        view: MovieView,
        frame: int,
        masks: Mapping[int, PlacedMask],
        scribbles: Sequence[Scribble],
    ) -> Window:
        """Choose what the layer covers: what it did, unless something new is beyond."""
        before = self._picture
        current = before.cover if before and before.frame == frame else None
        known = before.masks if before and current else {}
        boxes = [
            mask.extent
            for key, mask in masks.items()
            if key not in known or known[key].pixels is not mask.pixels
        ]
        boxes += [one.pixels.extent for one in scribbles]
        if self.next_scribble is not None:
            boxes.insert(0, window_on_screen(view))
        needed = [box for box in boxes if box is not None]
        if current and all(current.contains(box) for box in needed):
            return current
        rest = [] if current is None else [current]
        return cover_of(view.frame_shape, [*needed, *rest])

    def _trace(self, picture: PreviewPicture, background: frozenset[int]) -> None:
        """Trace what has changed, and all that it may touch."""
        before = self._picture
        if before is None or not picture.continues(before):
            outline = picture.outline(picture.masks)
        else:
            outline, changed = self._outline, picture.changes(before)
            touched = picture.touching(changed) if changed else frozenset()
            outline = outline.without(touched | picture.unlike(before))
            outline = outline.joined(picture.outline(touched))
        self._outline = replace(outline, background=background)

    def _fill(self, view: MovieView, layer: Labels, picture: PreviewPicture) -> None:
        """Fill what has changed, or everything."""
        before, cover = self._picture, picture.cover
        if self._is_painted_over or before is None or not picture.continues(before):
            labels = picture.labels(cover)
            show_preview(view, layer, picture.frame, labels, cover)
            return
        changed = picture.changes(before)
        part = changed and changed.shared(cover)
        if part:
            change_preview(view, layer, picture.labels(part), part.within(cover))

    @property
    def layer(self) -> Labels | None:
        """The layer with the fill, once there is one."""
        return self._layer

    @property
    def next_scribble(self) -> bool | None:
        """Whether the mouse paints on the object or erases; None if neither."""
        layer = self._layer
        if layer is None or self._viewer.layers.selection.active is not layer:
            return None
        return next_scribble(layer)

    def take_brush(
        self, view: MovieView, side: float | None, *, is_positive: bool
    ) -> None:
        """Let the mouse paint on the preview.

        Parameters
        ----------
        view : MovieView
            The movie.
        side : float, optional
            The shorter side of the object in data pixels, if it is known.
        is_positive : bool
            True to paint on the object, False to erase.
        """
        layer = self._layer_on(view)
        take_brush(
            layer,
            self._screen_pixel(view),
            np.inf if side is None else side,
            is_positive=is_positive,
        )
        self._viewer.layers.selection.active = layer

    def _on_stroke(self, atoms: list[Any], unwritten: list[Any]) -> None:
        if self._view is None or self._layer is None or self._painter is None:
            return
        picture = self._picture
        if picture is None:
            return
        stroke = atoms, unwritten
        scribbles = read_stroke(self._view, self._layer, stroke, picture.cover)
        self._is_painted_over = True
        self._painter.paint(picture.frame, scribbles)

    def fit_to_screen(self) -> None:
        """Draw lines at one width, whatever the zoom."""
        if self._view is None or not len(self._outline):
            return
        if abs(self._screen_pixel(self._view) / self._pixel - 1) > _NOTICEABLE:
            self._draw_lines()

    def cover_screen(self) -> None:
        """Let the brush paint wherever the mouse may go, once the view has moved."""
        view, picture = self._view, self._picture
        if view is None or picture is None or self.next_scribble is None:
            return
        seen = window_on_screen(view)
        if seen and not picture.cover.contains(seen):
            background = self._outline.background
            masks, scribbled = picture.masks, self._scribbled
            self.show(view, picture.frame, masks, scribbled, background)

    def _screen_pixel(self, view: MovieView) -> float:
        return 1 / zoom_on(self._viewer, view.layer)

    def _draw_lines(self) -> None:
        if self._view is None or self._picture is None or not self._is_added():
            return
        if len(self._outline) or self._is_in_viewer(self._lines):
            self._pixel = self._screen_pixel(self._view)
            lines = self._lines_on(self._view)
            frame = self._picture.frame
            show_outline(self._view, lines, frame, self._outline, self._pixel)

    def clear(self) -> None:
        """Show nothing; the layer goes once the viewer has no image any more."""
        if self._layer is None or not self._is_added():
            self._forget()
        elif not any(isinstance(layer, Image) for layer in self._viewer.layers):
            self.remove()
        else:
            self._layer.data = np.zeros_like(self._layer.data)
            self._erase_lines()
            self._picture = self._scribbled = self._view = None

    def remove(self) -> None:
        """Remove the layers, unless the user has done so."""
        layer, is_added = self._layer, self._is_added()
        self._remove_lines()
        self._forget()
        if is_added:
            self._viewer.layers.remove(layer)

    def _forget(self) -> None:
        if self._strokes is not None:
            self._strokes.close()
        self._layer = self._lines = self._view = self._strokes = None
        self._picture, self._scribbled, self._is_painted_over = None, None, False

    def _is_added(self) -> bool:
        return self._is_in_viewer(self._layer)

    def _is_in_viewer(self, layer: Layer | None) -> bool:
        return layer is not None and layer in self._viewer.layers

    def _fill_lightly(
        self, layer: Labels, values: Mapping[int, int], scribbled: Scribbled | None
    ) -> None:
        """Colour the objects so that they do not look like labels."""
        fills = self._fills_of({value: one for one, value in values.items()})
        if scribbled is not None:
            colour = object_colour(scribbled.object_id)
            fills[POSITIVE_VALUE] = (*colour[:3], SCRIBBLE_FILL)
            fills[NEGATIVE_VALUE] = (*WARNING_RED[:3], SCRIBBLE_FILL)
        if any(self._fills.get(one) != fill for one, fill in fills.items()):
            # Each change makes napari draw the whole layer again: what may be shown
            # later has its colour from the first time on.
            usual = {one: one for one in range(1, 1 + MOST_OF_A_BYTE)}
            self._fills = self._fills_of(usual) | fills
            by_value: dict[Any, Any] = {None: NO_FILL, 0: NO_FILL, **self._fills}
            layer.colormap = DirectLabelColormap(color_dict=by_value)

    def _fills_of(self, objects: Mapping[int, int]) -> dict[int, tuple[float, ...]]:
        """Return the light colour of each value, given the object that it is.

        Those that are not part of the result are only outlined.
        """
        colours, greys = object_colours(objects.values()), self._outline.background
        return {
            value: NO_FILL if one in greys else (*colours[one][:3], FILL)
            for value, one in objects.items()
        }

    def _remove_lines(self) -> None:
        lines, self._lines = self._lines, None
        if self._is_in_viewer(lines):
            self._viewer.layers.remove(lines)

    def _erase_lines(self) -> None:
        self._outline = Outline.empty()
        self._draw_lines()

    def _is_on(self, view: MovieView, placed: WorldMap) -> bool:
        """Whether the layer was last used for these pixels, where they lie now."""
        return (
            self._view is not None
            and view.is_same_as(self._view)
            and self._placed is not None
            and placed.is_close(self._placed)
        )

    def _shows(self, picture: PreviewPicture, scribbled: Scribbled | None) -> bool:
        """Whether drawing would change nothing: a repaint can be felt."""
        is_nothing, before = not picture.masks and scribbled is None, self._picture
        if not self._is_added():
            return is_nothing
        if self._is_painted_over:
            return False
        if before is None:
            return is_nothing
        if is_nothing:
            is_empty = not before.masks and self._scribbled is None
            # What lies on another frame is not seen on this one.
            return is_empty or picture.frame != before.frame
        is_same = picture.continues(before) and picture.changes(before) is None
        return is_same and self._scribbled == scribbled

    def _move_to(self, view: MovieView) -> None:
        """Empty the layer, if there is one, and put it on another movie."""
        self._erase_lines()
        self._picture = self._scribbled = None
        if self._layer is None or not self._is_added():
            return
        if self._layer.ndim != len(view.spatial_shape):
            # napari 0.6 cannot change the number of axes of a layer.
            self.remove()
            return
        cover = cover_of(view.frame_shape, [])
        show_preview(view, self._layer, 0, np.zeros(cover.shape, np.uint8), cover)
        self._bring_above(view, self._layer, self._ground(view))
        if self._lines is not None and self._is_in_viewer(self._lines):
            self._lines.affine = WorldMap.of(view.layer).matrix
            self._bring_above(view, self._lines, self._layer)

    def _bring_above(self, view: MovieView, layer: Layer, lower: Layer) -> None:
        layer.units = view.layer.units
        layer.axis_labels = view.layer.axis_labels
        layers = self._viewer.layers
        if layers.index(layer) < layers.index(lower):
            layers.move(layers.index(layer), layers.index(lower) + 1)

    def _layer_on(self, view: MovieView) -> Labels:
        if self._layer is None or not self._is_added():
            self._layer, self._fills = preview_layer(view, PREVIEW_NAME), {}
            self._picture, self._scribbled, self._is_painted_over = None, None, False
            self._let_be_painted(self._layer)
            add_quietly(self._viewer, self._layer, above=self._ground(view))
        return self._layer

    def _ground(self, view: MovieView) -> Layer:
        """The topmost of a movie and the labels on it, which would hide scribbles."""
        shown = [
            layer
            for layer in self._viewer.layers
            if layer is view.layer
            or (
                isinstance(layer, Labels)
                and tuple(layer.data.shape) == view.spatial_shape
            )
        ]
        return shown[-1]

    def _let_be_painted(self, layer: Labels) -> None:
        if self._painter is not None:
            keys = self._painter.keys
            layer.editable = True
            layer.selected_label = POSITIVE_VALUE
            self._strokes = StrokeListener(layer, self._on_stroke, keys.undo, keys.redo)

    def _lines_on(self, view: MovieView) -> Vectors:
        if self._lines is None or not self._is_in_viewer(self._lines):
            self._lines = new_outline_layer(view)
            add_quietly(self._viewer, self._lines, above=self._layer_on(view))
        return self._lines


def add_quietly(viewer: ViewerModel, layer: Layer, above: Layer) -> None:
    """Add a layer without taking the selection, and with it the clicks, from another.

    Parameters
    ----------
    viewer : ViewerModel
        Where to add it.
    layer : Layer
        To be added.
    above : Layer
        The layer under it.
    """
    selected = set(viewer.layers.selection)
    viewer.layers.insert(viewer.layers.index(above) + 1, layer)
    if selected:
        viewer.layers.selection = selected


_Key = tuple[int, int]
KEPT_PREVIEWS = 32
"""More are kept only if all are on one frame; each holds three masks."""


class PreviewStore:
    """The last preview of each object on each frame, and what no longer needs one."""

    def __init__(self) -> None:
        self._shown: dict[_Key, ShownPreview] = {}
        self._failed: set[Prompt] = set()
        self._labelled: dict[_Key, Prompt] = {}

    def clear(self) -> None:
        """Forget everything, as for another movie or another network."""
        self._shown.clear()
        self._failed.clear()
        self._labelled.clear()

    def add(self, shown: ShownPreview) -> None:
        """Keep a new preview, and forget old ones of other frames."""
        key = _key(shown.preview.prompt)
        others = [other for other in self._shown if other[1] != key[1]]
        for other in others[: max(0, len(self._shown) - KEPT_PREVIEWS)]:
            del self._shown[other]
        self._shown[key] = shown

    def give_up(self, prompts: Iterable[Prompt]) -> None:
        """Do not ask for these again until they change."""
        self._failed.update(prompts)

    def mark_labelled(self, prompts: Iterable[Prompt]) -> None:
        """Note that prompts are in the labels, and need no preview on the canvas."""
        self._labelled.update((_key(prompt), prompt) for prompt in prompts)

    def unmark_labelled(self) -> None:
        """Note that the labels are gone, so that all prompts need previews again."""
        self._labelled.clear()

    def latest(self, object_id: int, frame: int) -> ShownPreview | None:
        """Return the last preview of an object, perhaps of an earlier prompt."""
        return self._shown.get((object_id, frame))

    def missing(self, prompts: Iterable[Prompt]) -> tuple[Prompt, ...]:
        """Find the prompts that have no preview yet, and reuse masks that are known.

        Parameters
        ----------
        prompts : iterable of Prompt
            All prompts of one frame, as they are now.

        Returns
        -------
        tuple of Prompt
            Those to be decoded, since they or others have changed.
        """
        waiting = frozenset(prompts) - self._failed
        return tuple(
            prompt
            for prompt in sorted(waiting, key=_key)
            if not self._is_known(prompt, waiting)
        )

    def masks(self, prompts: Iterable[Prompt]) -> dict[int, PlacedMask]:
        """Return the masks to draw: those of prompts that are not in the labels yet.

        A mask that was confirmed is.

        Parameters
        ----------
        prompts : iterable of Prompt
            All on one frame.

        Returns
        -------
        dict of object id to PlacedMask
        """
        return {
            prompt.object_id: self._shown[_key(prompt)].preview.chosen.placed
            for prompt in prompts
            if _key(prompt) in self._shown
            and not prompt.is_settled
            and self._labelled.get(_key(prompt)) != prompt
        }

    def windows(self, prompts: Iterable[Prompt]) -> frozenset[Window]:
        """Return the parts of large frames in which objects were answered.

        Parameters
        ----------
        prompts : iterable of Prompt
            On any frames.
        """
        found = (self._shown.get(_key(one)) for one in prompts)
        windows = (shown.preview.window for shown in found if shown is not None)
        return frozenset(window for window in windows if window is not None)

    def sides(self, prompts: Iterable[Prompt]) -> dict[int, float]:
        """Return the shorter side of each object, where there is a preview of it.

        Parameters
        ----------
        prompts : iterable of Prompt
            All on one frame.
        """
        found = {one.object_id: self._shown.get(_key(one)) for one in prompts}
        boxes = {
            object_id: shown.preview.chosen.placed.extent
            for object_id, shown in found.items()
            if shown is not None
        }
        return {
            object_id: float(min(box.shape))
            for object_id, box in boxes.items()
            if box is not None
        }

    def to_decode(
        self, prompts: Iterable[Prompt]
    ) -> tuple[tuple[Prompt, ...], tuple[ShownPreview, ...]]:
        """Return the prompts to decide together, and their last previews."""
        together = tuple(prompt for prompt in prompts if prompt not in self._failed)
        known = (self._shown.get(_key(prompt)) for prompt in together)
        return together, tuple(shown for shown in known if shown is not None)

    def _is_known(self, prompt: Prompt, waiting: frozenset[Prompt]) -> bool:
        shown = self._shown.get(_key(prompt))
        if shown is None:
            return False
        if waiting != {prompt} or len(shown.together) > 1:
            # A pick or a point of one object may change the others.
            return shown.together == waiting
        if prompt == shown.preview.prompt:
            return True
        picked = replace(shown.preview.prompt, hypothesis=prompt.hypothesis)
        if prompt.hypothesis is None or prompt != picked:
            return False
        # The masks of the three hypotheses are known: no need to decode again.
        chosen = shown.preview.hypotheses[prompt.hypothesis - 1]
        preview = replace(shown.preview, prompt=prompt, chosen=chosen)
        self._shown[_key(prompt)] = replace(
            shown, preview=preview, together=frozenset([prompt])
        )
        return True


def _key(prompt: Prompt) -> _Key:
    return prompt.object_id, prompt.frame
