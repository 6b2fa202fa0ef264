"""Labels that a layer draws in other colours than its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.colormaps import CyclicLabelColormap, DirectLabelColormap

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from napari.layers import Labels

__all__ = ["CLEAR", "LabelColours", "colormap_with"]

CLEAR = (0.0, 0.0, 0.0, 0.0)
"""Of what is not drawn."""
MOST_COLOURS = 2**16 - 2
"""More do not fit into a texture that napari draws fast, besides the background."""
_TRIES = 64

Colour = tuple[float, float, float, float]


class LabelColours:
    """Lets a Labels layer draw some labels in other colours, and gives its own back.

    A person may choose other colours, or shuffle them, in the meantime: the same labels
    stand out from these.

    Parameters
    ----------
    layer : napari.layers.Labels
        Watched only while a label has another colour.
    """

    def __init__(self, layer: Labels) -> None:
        self._layer = layer
        self._colours: dict[int, Colour] = {}
        self._present: frozenset[int] = frozenset()
        # The layer has one colormap of each kind, between which a person can change.
        self._own: dict[type, Any] = {}
        self._drawn: dict[type, Any] = {}

    def use(self, colours: Mapping[int, Colour], present: Collection[int] = ()) -> None:
        """Draw some labels in other colours, and all else in the layer's own.

        Parameters
        ----------
        colours : mapping of int to (4,) tuple of float
            RGBA, 0..1, by label.
        present : collection of int
            All that are known to be in the layer. None of these gets the colour of
            another one, unless there are more than 65 thousand.
        """
        if self._colours == colours:
            return
        self._colours, self._present = dict(colours), frozenset(present)
        if self._colours:
            self._layer.events.colormap.disconnect(self._on_other_colours)
            self._draw()
            self._layer.events.colormap.connect(self._on_other_colours)
        else:
            self._give_back()

    def _on_other_colours(self, _: Any = None) -> None:
        self._layer.events.colormap.disconnect(self._on_other_colours)
        self._draw()
        self._layer.events.colormap.connect(self._on_other_colours)

    def _draw(self) -> None:
        now = self._layer.colormap
        kind = type(now)
        if now is not self._drawn.get(kind):
            self._own[kind] = now
        made = colormap_with(self._own[kind], self._colours, self._present)
        self._drawn[kind] = made
        self._show(made)
        if kind is CyclicLabelColormap:
            # What napari shuffles are the layer's own colours alone.
            self._layer._original_random_colormap = self._own[kind]

    def _give_back(self) -> None:
        self._layer.events.colormap.disconnect(self._on_other_colours)
        current = type(self._layer.colormap)
        own, self._own, self._drawn = self._own, {}, {}
        # The one that is drawn comes last.
        for kind in sorted(own, key=lambda kind: kind is current):
            self._show(own[kind])

    def _show(self, colormap: Any) -> None:
        colormap.use_selection = self._layer.show_selected_label
        colormap.selection = self._layer.selected_label
        self._layer.colormap = colormap


def colormap_with(
    own: Any, colours: Mapping[int, Colour], present: Collection[int] = ()
) -> Any:
    """Return a colormap that draws some labels in other colours, all others as before.

    Parameters
    ----------
    own : CyclicLabelColormap or DirectLabelColormap
        What all labels look like.
    colours : mapping of int to (4,) tuple of float
        RGBA, 0..1, by label; labels are 1 or more.
    present : collection of int
        Labels that must not change with them.
    """
    if isinstance(own, DirectLabelColormap):
        by_label = own.color_dict.copy()
        by_label.update({label: np.array(one) for label, one in colours.items()})
        return DirectLabelColormap(
            color_dict=by_label, background_value=own.background_value
        )
    before = np.asarray(own.colors)
    # The colours come again and again in any case: many rounds at once are a longer
    # cycle, in which a label has a place of its own.
    cycle = len(before) - 1
    rounds = _rounds(cycle, colours, present)
    longer = np.concatenate([before[:1], *[before[1:]] * rounds])
    longer[_places(colours, cycle * rounds)] = list(colours.values())
    return CyclicLabelColormap(
        colors=longer, background_value=own.background_value, seed=own.seed
    )


def _rounds(cycle: int, labels: Collection[int], present: Collection[int]) -> int:
    """How often colours are repeated, so that no other label shares a place."""
    most = max(1, MOST_COLOURS // max(1, cycle))
    others = np.setdiff1d(np.array([*present], np.int64), np.array([*labels], np.int64))
    tries = range(most, max(0, most - _TRIES), -1)

    def shared(rounds: int) -> int:
        places = _places(labels, cycle * rounds)
        return int(np.isin(_places(others, cycle * rounds), places).sum())

    return next((rounds for rounds in tries if not shared(rounds)), most)


def _places(labels: Collection[int], cycle: int) -> np.ndarray:
    return (np.array([*labels], np.int64) - 1) % max(1, cycle) + 1
