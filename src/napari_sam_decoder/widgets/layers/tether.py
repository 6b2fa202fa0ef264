"""Layers that stay on the pixels of a movie, wherever that is placed in the world."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from napari_sam_decoder.widgets.layers.transforms import (
    WorldMap,
    is_placed_like,
    place_like,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from napari.layers import Layer

__all__ = ["PLACING", "Tether"]

PLACING = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")
"""Events of a layer that is placed elsewhere, or whose axes are called otherwise."""


class Tether:
    """Places layers like a movie whenever that is placed anew.

    Only layers that lay exactly on the movie before are moved. Others were put
    elsewhere on purpose: they stay in the world, and are named in `notices`.

    Parameters
    ----------
    movie : napari.layers.Layer
        Listened to until `close`.
    layers : callable
        Gives the layers that belong to the movie at the time of asking.
    on_move : callable
        Called without arguments once the layers have been placed.
    """

    def __init__(
        self,
        movie: Layer,
        layers: Callable[[], Iterable[Layer]],
        on_move: Callable[[], None],
    ) -> None:
        self._movie = movie
        self._layers = layers
        self._on_move = on_move
        self._strays: WeakSet[Layer] = WeakSet()
        self._remember()
        for name in PLACING:
            getattr(movie.events, name).connect(self._follow)

    def close(self) -> None:
        """Listen no more; all layers stay where they are."""
        for name in PLACING:
            getattr(self._movie.events, name).disconnect(self._follow)

    @property
    def notices(self) -> tuple[str, ...]:
        """Which layers were not moved along and still lie elsewhere."""
        return tuple(
            f"'{layer.name}' has kept its place in the world, since it was not placed "
            f"like '{self._movie.name}'; give it the same scale, translation and "
            "affine if it belongs to the same pixels as before"
            for layer in self._layers()
            if layer in self._strays
            and not is_placed_like(layer, self._map, self._units)
        )

    def _remember(self) -> None:
        self._map = WorldMap.of(self._movie)
        self._units = self._movie.units

    def _follow(self, _: Any) -> None:
        before, units = self._map, self._units
        self._remember()
        for layer in self._layers():
            if is_placed_like(layer, before, units):
                place_like(layer, self._movie)
            else:
                self._strays.add(layer)
        self._on_move()
