"""Which points of a layer can be used on a movie, and what the others lack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.arguments import HIGHEST_ID
from napari_sam_decoder.widgets.layers.features import PointFeatures
from napari_sam_decoder.widgets.layers.transforms import WorldMap, unit_factors

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari.layers import Points

    from napari_sam_decoder.widgets.layers.view import MovieView

__all__ = ["Click", "SiftedLayer", "is_on_frame", "sift"]

# Positions further than this from a frame were hardly meant for it.
FAR_FROM_FRAME = 0.25
FAR_OUTSIDE = 2**31


@dataclass(frozen=True)
class Click:
    """A point that can be used.

    Attributes
    ----------
    object_id, frame : int
    position : (row, column)
        In data pixels of the movie.
    is_positive : bool
    hypothesis : int
        1 to 3, or 0 where none is picked.
    """

    object_id: int
    frame: int
    position: tuple[float, float]
    is_positive: bool
    hypothesis: int


@dataclass(frozen=True)
class SiftedLayer:
    """A points layer without the points that cannot be used.

    Attributes
    ----------
    layer : napari.layers.Points
    object_ids : tuple of int
        All objects that its points name, or the layer's own.
    clicks : tuple of Click
        In the order of the layer.
    notices : tuple of str
        What is wrong with the other points.
    """

    layer: Points
    object_ids: tuple[int, ...]
    clicks: tuple[Click, ...] = ()
    notices: tuple[str, ...] = ()

    def name_of(self, object_id: int) -> str:
        """Name one of the objects after the layer."""
        name = str(self.layer.name)
        return f"{name} #{object_id}" if len(self.object_ids) > 1 else name


@dataclass(frozen=True, eq=False)
class _Placed:
    """Where N points lie on a movie.

    Points without a finite position are put at 0, so that they can be rounded.
    """

    is_finite: np.ndarray
    is_on_planes: np.ndarray
    depths: np.ndarray
    positions: np.ndarray

    @classmethod
    def on(cls, view: MovieView, layer: Points) -> _Placed:
        found = _located(view, layer)
        is_finite = np.isfinite(found).all(axis=1)
        found[~is_finite] = 0
        cuts = [axis for axis, _ in view.fixed]
        planes = [index for _, index in view.fixed]
        in_movie = view.along_movie(found)
        return cls(
            is_finite=is_finite,
            is_on_planes=(np.rint(found[:, cuts]) == planes).all(axis=1) | ~is_finite,
            depths=in_movie[:, 0],
            positions=in_movie[:, 1:],
        )

    @property
    def frames(self) -> np.ndarray:
        """The nearest frame of each point, maybe outside the movie."""
        # Far outside is as good as outside, and fits an integer.
        depths = np.clip(self.depths, -1, FAR_OUTSIDE)
        frames: np.ndarray = np.rint(depths).astype(np.int64)
        return frames


@dataclass(frozen=True, eq=False)
class _Fault:
    """Something that is wrong with some of the points, as said of one and of many."""

    is_at: np.ndarray
    one: str
    many: str

    def notices(self, layer: Points, is_considered: np.ndarray) -> list[str]:
        count = np.count_nonzero(self.is_at & is_considered)
        if count == 0:
            return []
        points, predicate = ("point", self.one) if count == 1 else ("points", self.many)
        return [f"{count} {points} of '{layer.name}' {predicate}"]


def sift(view: MovieView, layer: Points, own_id: int) -> SiftedLayer:
    """Read a points layer, leaving out the points that cannot be used.

    Parameters
    ----------
    view : MovieView
        The movie.
    layer : napari.layers.Points
        Its features are described at `read_points_layers`.
    own_id : int
        The object of points that name none.
    """
    ndim = len(view.spatial_shape)
    if layer.ndim < ndim:
        return SiftedLayer(layer, (own_id,), notices=(_too_flat(layer, ndim),))
    features = PointFeatures.of(layer, own_id)
    placed = _Placed.on(view, layer)
    is_usable = placed.is_on_planes.copy()
    notices: list[str] = []
    for fault in (*_position_faults(view, placed), *_feature_faults(features)):
        notices += fault.notices(layer, is_usable)
        is_usable &= ~fault.is_at
    for oddity in _oddities(placed, features):
        notices += oddity.notices(layer, is_usable)
    named = {object_id for object_id in features.object_ids if object_id is not None}
    return SiftedLayer(
        layer,
        tuple(sorted(named)) or (own_id,),
        tuple(_clicks(placed, features, np.flatnonzero(is_usable))),
        tuple(notices),
    )


def is_on_frame(
    view: MovieView, layer: Points, own_id: int, place: tuple[int, int]
) -> np.ndarray:
    """Find the points of one object on one frame.

    Parameters
    ----------
    view : MovieView
        The movie.
    layer : napari.layers.Points
        Its features are described at `read_points_layers`.
    own_id : int
        The object of points that name none.
    place : (int, int)
        Object id and frame.

    Returns
    -------
    (N,) array of bool
        Nowhere true if the layer has fewer axes than the image.
    """
    if layer.ndim < len(view.spatial_shape):
        return np.zeros(len(layer.data), dtype=bool)
    object_id, frame = place
    placed = _Placed.on(view, layer)
    named = PointFeatures.of(layer, own_id).object_ids
    is_named = np.array([other == object_id for other in named], dtype=bool)
    found: np.ndarray = (
        is_named & placed.is_finite & placed.is_on_planes & (placed.frames == frame)
    )
    return found


def _located(view: MovieView, layer: Points) -> np.ndarray:
    """Positions along every data axis of the image: (N, D)."""
    world = WorldMap.of(layer).to_world(np.asarray(layer.data, dtype=float))
    factors = unit_factors(layer.units, view.layer.units)
    return view.locate_data(world[:, -len(factors) :] * factors)


def _position_faults(view: MovieView, placed: _Placed) -> Iterator[_Fault]:
    yield _Fault(
        ~placed.is_finite,
        "has no finite position and is not used",
        "have no finite positions and are not used",
    )
    yield _Fault(
        (placed.frames < 0) | (placed.frames >= len(view)),
        "is on a frame outside the movie and is not used",
        "are on frames outside the movie and are not used",
    )
    highest = np.array(view.frame_shape) - 0.5
    yield _Fault(
        np.any((placed.positions < -0.5) | (placed.positions > highest), axis=1),
        "lies outside the picture and is not used",
        "lie outside the picture and are not used",
    )


def _feature_faults(features: PointFeatures) -> Iterator[_Fault]:
    signs = "use positive or negative, foreground or background, true or false, 1 or 0"
    yield _Fault(
        _is_none(features.labels),
        f"has a label that is not understood and is not used; {signs}",
        f"have labels that are not understood and are not used; {signs}",
    )
    yield _Fault(
        _is_none(features.object_ids),
        f"has an object_id that is no whole number from 1 to {HIGHEST_ID} and is not "
        "used; mend it",
        f"have object_ids that are no whole numbers from 1 to {HIGHEST_ID} and are not "
        "used; mend them",
    )


def _oddities(placed: _Placed, features: PointFeatures) -> Iterator[_Fault]:
    """Tell what is wrong with points that are used all the same."""
    yield _Fault(
        np.abs(placed.depths - placed.frames) > FAR_FROM_FRAME,
        "lies between two frames and is used on the nearest",
        "lie between two frames and are used on the nearest",
    )
    picks = "the mask is chosen automatically; use 1, 2, 3, or 0 for automatic"
    yield _Fault(
        _is_none(features.hypotheses),
        f"has a hypothesis that is not understood, so {picks}",
        f"have hypotheses that are not understood, so {picks}",
    )


def _is_none(values: Sequence[object]) -> np.ndarray:
    return np.array([value is None for value in values], dtype=bool)


def _clicks(
    placed: _Placed, features: PointFeatures, rows: np.ndarray
) -> Iterator[Click]:
    for row in rows:
        yield Click(
            # Usable points have an id; the type checker cannot know.
            object_id=features.object_ids[row] or 0,
            frame=int(placed.frames[row]),
            position=(float(placed.positions[row, 0]), float(placed.positions[row, 1])),
            is_positive=bool(features.labels[row]),
            hypothesis=features.hypotheses[row] or 0,
        )


def _too_flat(layer: Points, ndim: int) -> str:
    return (
        f"the points of '{layer.name}' have {layer.ndim} dimensions and cannot be "
        f"placed in a picture of {ndim}; press New object, or make a points layer of "
        f"{ndim} dimensions"
    )
