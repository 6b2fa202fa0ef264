"""Ids for new objects: none that any labels hold, and none that was ever given."""

from __future__ import annotations

from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from napari.layers import Labels

from napari_sam_decoder.widgets.background import looking
from napari_sam_decoder.widgets.layers import ids_in
from napari_sam_decoder.widgets.overlay import PREVIEW_NAME

if TYPE_CHECKING:
    from collections.abc import Collection

    from napari.components import ViewerModel

    from napari_sam_decoder.widgets.engine import Engine
    from napari_sam_decoder.widgets.layers import MovieView
    from napari_sam_decoder.widgets.work import ViewerWork

__all__ = ["IdBook", "free_id"]

AT_ONCE = 2**24
"""Labels with more pixels are looked at in the background."""


class IdBook:
    """Knows which ids are taken on the movies of a viewer.

    Parameters
    ----------
    viewer : ViewerModel
        All of its Labels layers that have a movie's shape count.
    all_work : ViewerWork
        Knows which ids were given.
    engine : Engine
        Goes through large labels.
    """

    def __init__(
        self, viewer: ViewerModel, all_work: ViewerWork, engine: Engine
    ) -> None:
        self._viewer = viewer
        self._all_work = all_work
        self._engine = engine
        # The labels that were looked at, and the ids in them once they are known.
        self._found: WeakKeyDictionary[Labels, tuple[Any, frozenset[int] | None]] = (
            WeakKeyDictionary()
        )

    def taken(self, view: MovieView) -> frozenset[int] | None:
        """List the ids that a new object on a movie must not have.

        Parameters
        ----------
        view : MovieView
            The movie.

        Returns
        -------
        frozenset of int or None
            None while large labels are being looked at; ask again then.
        """
        known = [self._ids_in(layer) for layer in self._layers(view)]
        if any(ids is None for ids in known):
            return None
        return self._given(view).union(*(ids or () for ids in known))

    def give(self, view: MovieView, besides: Collection[int], highest: int) -> int:
        """Give a new id.

        Parameters
        ----------
        view : MovieView
            The movie.
        besides : collection of int
            Ids that are taken, as far as they are known.
        highest : int
            That fits where the labels are kept.
        """
        object_id = free_id(self._given(view).union(besides), highest)
        self._all_work.given_ids(view).add(object_id)
        # Labels in memory may be changed by anybody at any time.
        for layer, (data, _) in tuple(self._found.items()):
            if isinstance(data, np.ndarray):
                del self._found[layer]
        return object_id

    def _given(self, view: MovieView) -> frozenset[int]:
        given = set(self._all_work.given_ids(view))
        for work in self._all_work:
            if work.view is not None and work.view.spatial_shape == view.spatial_shape:
                given |= work.objects.ids
        return frozenset(given)

    def _layers(self, view: MovieView) -> list[Labels]:
        return [
            layer
            for layer in self._viewer.layers
            if isinstance(layer, Labels)
            and not layer.multiscale
            and layer.name != PREVIEW_NAME
            and tuple(layer.data.shape) == view.spatial_shape
        ]

    def _ids_in(self, layer: Labels) -> frozenset[int] | None:
        data = layer.data
        is_in_memory = isinstance(data, np.ndarray)
        if is_in_memory and data.size <= AT_ONCE:
            return _at_once(data)
        looked_at, ids = self._found.get(layer, (None, None))
        if looked_at is not data:
            self._look(layer, data)
            return None
        # Whoever paints in labels on a disk does so with this.
        return None if ids is None else ids | {int(layer.selected_label)}

    def _look(self, layer: Labels, data: Any) -> None:
        def note(ids: frozenset[int] | None) -> None:
            if ids is not None:
                self._found[layer] = data, ids

        def end(error: Exception | None) -> None:
            # Labels that cannot be read tell of no ids.
            if error is not None:
                self._found[layer] = data, frozenset()

        self._found[layer] = data, None
        self._engine.look(partial(looking, partial(ids_in, data)), note, end)


def free_id(taken: Collection[int], highest: int) -> int:
    """Return the id after all that are taken, or else the first that is free.

    Parameters
    ----------
    taken : collection of int
        1 or more.
    highest : int
        Ids above it do not fit.
    """
    following = max(taken, default=0) + 1
    if following <= highest:
        return following
    return next(object_id for object_id in count(1) if object_id not in taken)


def _at_once(data: np.ndarray) -> frozenset[int]:
    search = ids_in(data)
    while True:
        try:
            next(search)
        except StopIteration as end:
            ids: frozenset[int] = end.value
            return ids
