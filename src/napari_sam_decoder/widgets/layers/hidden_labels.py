"""Labels that a Labels layer does not draw; all others look as before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.colormaps import CyclicLabelColormap, DirectLabelColormap

if TYPE_CHECKING:
    from collections.abc import Collection

    from napari.layers import Labels

__all__ = ["HiddenLabels", "colormap_without"]

MOST_COLOURS = 2**16 - 2
"""More do not fit into a texture that napari draws fast, besides the background."""
_CLEAR = (0.0, 0.0, 0.0, 0.0)
_TRIES = 64


class HiddenLabels:
    """Lets a Labels layer not draw some labels, and gives its own colours back.

    A person may choose other colours, or shuffle them, in the meantime: the same labels
    are hidden in these.

    Parameters
    ----------
    layer : napari.layers.Labels
        Watched only while something is hidden.
    """

    def __init__(self, layer: Labels) -> None:
        self._layer = layer
        self._hidden: frozenset[int] = frozenset()
        self._present: frozenset[int] = frozenset()
        # The layer has one colormap of each kind, between which a person can change.
        self._own: dict[type, Any] = {}
        self._drawn: dict[type, Any] = {}

    def hide(self, hidden: Collection[int], present: Collection[int] = ()) -> None:
        """Hide some labels and show all others.

        Parameters
        ----------
        hidden : collection of int
            Labels that are not to be seen.
        present : collection of int
            All that are known to be in the layer. None of these goes with a hidden one,
            unless there are more than 65 thousand.
        """
        if self._hidden == frozenset(hidden):
            return
        self._hidden, self._present = frozenset(hidden), frozenset(present)
        if self._hidden:
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
        made = colormap_without(self._own[kind], self._hidden, self._present)
        self._drawn[kind] = made
        self._use(made)
        if kind is CyclicLabelColormap:
            # What napari shuffles are the layer's own colours, without holes.
            self._layer._original_random_colormap = self._own[kind]

    def _give_back(self) -> None:
        self._layer.events.colormap.disconnect(self._on_other_colours)
        current = type(self._layer.colormap)
        own, self._own, self._drawn = self._own, {}, {}
        # The one that is drawn comes last.
        for kind in sorted(own, key=lambda kind: kind is current):
            self._use(own[kind])

    def _use(self, colormap: Any) -> None:
        colormap.use_selection = self._layer.show_selected_label
        colormap.selection = self._layer.selected_label
        self._layer.colormap = colormap


def colormap_without(
    own: Any, hidden: Collection[int], present: Collection[int] = ()
) -> Any:
    """Return a colormap that does not draw some labels, and all others as before.

    Parameters
    ----------
    own : CyclicLabelColormap or DirectLabelColormap
        What all labels look like.
    hidden : collection of int
        1 or more each.
    present : collection of int
        Labels that must not be hidden with them.
    """
    if isinstance(own, DirectLabelColormap):
        clear = {label: np.array(_CLEAR) for label in hidden}
        colours = own.color_dict.copy()
        colours.update(clear)
        return DirectLabelColormap(
            color_dict=colours, background_value=own.background_value
        )
    colours = np.asarray(own.colors)
    # The colours come again and again in any case: many rounds at once are a longer
    # cycle, in which a label has a place of its own.
    cycle = len(colours) - 1
    rounds = _rounds(cycle, hidden, present)
    longer = np.concatenate([colours[:1], *[colours[1:]] * rounds])
    longer[_places(hidden, cycle * rounds)] = _CLEAR
    return CyclicLabelColormap(
        colors=longer, background_value=own.background_value, seed=own.seed
    )


def _rounds(cycle: int, hidden: Collection[int], present: Collection[int]) -> int:
    """How often colours are repeated, so that no other label shares a hidden place."""
    most = max(1, MOST_COLOURS // max(1, cycle))
    others = np.setdiff1d(np.array([*present], np.int64), np.array([*hidden], np.int64))
    tries = range(most, max(0, most - _TRIES), -1)

    def shared(rounds: int) -> int:
        places = _places(hidden, cycle * rounds)
        return int(np.isin(_places(others, cycle * rounds), places).sum())

    return next((rounds for rounds in tries if not shared(rounds)), most)


def _places(labels: Collection[int], cycle: int) -> np.ndarray:
    return (np.array([*labels], np.int64) - 1) % max(1, cycle) + 1
