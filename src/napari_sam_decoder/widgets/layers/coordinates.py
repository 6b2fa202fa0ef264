"""Where layers lie in the viewer's world, and which frame it shows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import numpy as np
from napari.components import Dims
from napari.layers import Image
from napari.utils.transforms import CompositeAffine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from napari.components import ViewerModel
    from napari.layers import Layer

    from napari_sam_decoder.widgets.layers.movie_view import MovieView

__all__ = [
    "PLACEMENT_EVENTS",
    "PlacementSync",
    "WorldMap",
    "camera_of",
    "covering_layer",
    "go_to_frame",
    "is_placed_like",
    "place_like",
    "placement",
    "show_frames",
    "slider_point",
    "unit_factors",
    "view_position",
    "zoom_on",
]


@dataclass(frozen=True, eq=False)
class WorldMap:
    """Maps data pixels of a layer to world coordinates and back.

    Attributes
    ----------
    matrix : (D + 1, D + 1) array of float
        Takes homogeneous data positions to world positions, in the layer's units.
    """

    matrix: np.ndarray

    @classmethod
    def of(cls, layer: Layer) -> WorldMap:
        """Join all transforms of a layer: scale to shear, then its affine.

        `Layer.data_to_world` is not used, since older versions of napari add the shift
        of the grid view to it, which is different for each layer.
        """
        to_physical = CompositeAffine(
            scale=layer.scale,
            translate=layer.translate,
            rotate=layer.rotate,
            shear=layer.shear,
            ndim=layer.ndim,
        )
        return cls(layer.affine.affine_matrix @ to_physical.affine_matrix)

    @cached_property
    def inverse(self) -> np.ndarray:
        """(D + 1, D + 1) matrix from world to data."""
        inverse: np.ndarray = np.linalg.inv(self.matrix)
        return inverse

    def to_world(self, positions: np.ndarray) -> np.ndarray:
        """Map (N, D) data positions to (N, D) world positions."""
        return _apply(self.matrix, positions)

    def to_data(self, positions: np.ndarray) -> np.ndarray:
        """Map (N, D) world positions to (N, D) data positions."""
        return _apply(self.inverse, positions)

    def shifted(self, offset: Sequence[float]) -> WorldMap:
        """Return the map of a cutting whose first pixel lies at a data position."""
        shift = np.eye(len(self.matrix))
        shift[:-1, -1] = offset
        return WorldMap(self.matrix @ shift)

    def slices_to_data(self, axes: Sequence[int], position: np.ndarray) -> np.ndarray:
        """Find the slices that napari shows at a position of its sliders.

        On the way back to data napari drops the shown axes, even where a rotation or a
        shear mixes them with the sliced ones.

        Parameters
        ----------
        axes : sequence of int
            The S axes along which the layer is sliced.
        position : (S,) array of float
            World position along them.

        Returns
        -------
        (S,) array of float
            Data position along them.
        """
        linear, shift = self._slicing(axes)
        sliced: np.ndarray = linear @ position + shift
        return sliced

    def slices_to_world(self, axes: Sequence[int], position: np.ndarray) -> np.ndarray:
        """Find the position of the sliders that shows a slice; see `slices_to_data`."""
        linear, shift = self._slicing(axes)
        world: np.ndarray = np.linalg.pinv(linear) @ (position - shift)
        return world

    def is_close(self, other: WorldMap) -> bool:
        """Whether both put every pixel at the same place, up to rounding."""
        return self.matrix.shape == other.matrix.shape and np.allclose(
            self.matrix, other.matrix, rtol=1e-6, atol=1e-9
        )

    def _slicing(self, axes: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        return self.inverse[np.ix_(axes, axes)], self.inverse[list(axes), -1]


def placement(layer: Layer) -> dict[str, Any]:
    """Return the arguments that put a new layer of as many axes at the same place."""
    return {
        "scale": layer.scale,
        "translate": layer.translate,
        "rotate": layer.rotate,
        "shear": layer.shear,
        # A copy, since napari would let both layers share one object.
        "affine": np.array(layer.affine.affine_matrix),
        "units": layer.units,
        "axis_labels": layer.axis_labels,
    }


def place_like(layer: Layer, leader: Layer) -> None:
    """Put a layer of as many axes where another one lies.

    Parameters
    ----------
    layer : napari.layers.Layer
        To be placed; what already agrees is not set, since each change is drawn.
    leader : napari.layers.Layer
        Left as it is.
    """
    for name, value in placement(leader).items():
        is_affine = name == "affine"
        now = layer.affine.affine_matrix if is_affine else getattr(layer, name)
        if not np.array_equal(now, value):
            setattr(layer, name, value)


def is_placed_like(layer: Layer, world: WorldMap, units: Sequence[Any]) -> bool:
    """Whether a layer lies where another one lies or once lay, pixel by pixel.

    Parameters
    ----------
    layer : napari.layers.Layer
        To be looked at.
    world : WorldMap
        Of the other layer.
    units : sequence of pint.Unit
        Of the other layer, one for each of its axes.
    """
    return WorldMap.of(layer).is_close(world) and bool(
        np.allclose(unit_factors(layer.units, units), 1)
    )


def unit_factors(source: Sequence[Any], target: Sequence[Any]) -> np.ndarray:
    """Return what turns world coordinates in one set of units into another.

    Parameters
    ----------
    source, target : sequence of pint.Unit
        Units of each axis, aligned at their ends; lengths may differ.

    Returns
    -------
    (D,) array of float
        Factors for the axes that both have. Ones where units cannot be converted, and
        in versions of napari that draw layers in any units side by side.
    """
    count = min(len(source), len(target))
    pairs = list(zip(source[-count:], target[-count:], strict=True))
    if not _has_shared_units() or not all(a.is_compatible_with(b) for a, b in pairs):
        return np.ones(count)
    return np.array([(1 * a).to(b).magnitude for a, b in pairs], dtype=float)


@cache
def _has_shared_units() -> bool:
    return hasattr(Dims(), "units")


def _apply(matrix: np.ndarray, positions: np.ndarray) -> np.ndarray:
    # Points may lie at NaN or infinity, which is the reader's business, not a warning.
    with np.errstate(invalid="ignore", over="ignore"):
        mapped: np.ndarray = positions @ matrix[:-1, :-1].T + matrix[:-1, -1]
    return mapped


TOLERANCE = 1e-6
"""Of world positions, for rounding."""


def slider_point(layer: Layer, dims: Dims) -> tuple[float, ...]:
    """Return the position of a viewer's sliders in the units of a layer.

    Parameters
    ----------
    layer : napari.layers.Layer
        Any layer of the viewer.
    dims : napari.components.Dims
        ``viewer.dims``; newer versions of napari give its points in units that all
        layers share.

    Returns
    -------
    tuple of float
        World coordinates along the last axes, as many as both have.
    """
    factors = _factors(layer, dims)
    return tuple((np.array(dims.point)[-len(factors) :] * factors).tolist())


def view_position(view: MovieView, dims: Dims, world: Sequence[float]) -> np.ndarray:
    """Return (frame, row, column) of a position such as that of the mouse.

    Parameters
    ----------
    view : MovieView
        The movie.
    dims : napari.components.Dims
        ``viewer.dims``.
    world : sequence of float
        In the units of the sliders.
    """
    factors = _factors(view.layer, dims)
    position = np.array(world, dtype=float)[-len(factors) :] * factors
    found: np.ndarray = view.locate(position[np.newaxis])[0]
    return found


def camera_of(viewer: ViewerModel) -> Any:
    """Return the camera, which newer versions of napari keep with the scene."""
    return viewer.scene.camera if hasattr(viewer, "scene") else viewer.camera


def zoom_on(viewer: ViewerModel, layer: Layer) -> float:
    """Return how many pixels of the screen one data pixel of a layer covers.

    Parameters
    ----------
    viewer : ViewerModel
        That shows it.
    layer : napari.layers.Layer
        Along its last axis that is shown.
    """
    factors = _factors(layer, viewer.dims)
    shown = viewer.dims.displayed[-1] - viewer.dims.ndim
    axis = shown if -shown <= layer.ndim else -1
    step = np.linalg.norm(WorldMap.of(layer).matrix[:-1, layer.ndim + axis])
    return max(float(camera_of(viewer).zoom * step / factors[axis]), 1e-9)


def go_to_frame(view: MovieView, dims: Dims, frame: int) -> None:
    """Move the sliders of a viewer so that it shows a frame.

    Parameters
    ----------
    view : MovieView
        The movie.
    dims : napari.components.Dims
        ``viewer.dims`` of the viewer that shows the movie.
    frame : int
        0 <= frame < len(view).
    """
    axes = list(view.sliced_axes)
    origin = np.array(view.origin(frame), dtype=float)[axes]
    world = WorldMap.of(view.layer).slices_to_world(axes, origin)
    factors = _factors(view.layer, dims)[axes]
    offset = dims.ndim - view.layer.ndim
    dims.set_point([axis + offset for axis in axes], (world / factors).tolist())


def show_frames(view: MovieView, dims: Dims) -> None:
    """Turn a viewer of slices so that each of them is a frame of the movie.

    Parameters
    ----------
    view : MovieView
        The movie.
    dims : napari.components.Dims
        Left alone where it shows rows and columns already.
    """
    offset = dims.ndim - view.layer.ndim
    shown = tuple(axis + offset for axis in view.frame_axes)
    if dims.ndisplay == 2 and set(dims.displayed) != set(shown):
        dims.order = (*(axis for axis in dims.order if axis not in shown), *shown)


def covering_layer(movie: Image, layers: Sequence[Layer]) -> Image | None:
    """Find the image that hides a movie.

    Parameters
    ----------
    movie : napari.layers.Image
        One of the layers.
    layers : sequence of napari.layers.Layer
        Of a viewer, from below.

    Returns
    -------
    napari.layers.Image or None
        The lowest opaque one above that covers all of the movie.
    """
    if movie not in layers:
        return None
    low, high = _corners(movie)
    # A slice of napari's list is another list of theirs, which takes milliseconds.
    for layer in islice(layers, layers.index(movie) + 1, None):
        if isinstance(layer, Image) and _is_opaque(layer) and layer.ndim == movie.ndim:
            lowest, highest = _corners(layer)
            if (lowest <= low + TOLERANCE).all() and (
                highest >= high - TOLERANCE
            ).all():
                return layer
    return None


def _is_opaque(layer: Image) -> bool:
    is_blended = str(layer.blending) in ("additive", "minimum", "multiplicative")
    return layer.visible and layer.opacity == 1 and not is_blended


def _corners(layer: Image) -> np.ndarray:
    """(2, D) lowest and highest place in the world."""
    corners: np.ndarray = np.asarray(layer.extent.world)
    return corners


def _factors(layer: Layer, dims: Dims) -> np.ndarray:
    """Factors from the viewer's units to the layer's, for the axes that both have."""
    shared = getattr(dims, "units", None)
    units = layer.units if shared is None else shared
    return unit_factors(units, layer.units)


PLACEMENT_EVENTS = (
    "scale",
    "translate",
    "rotate",
    "shear",
    "affine",
    "units",
    "axis_labels",
)
"""Events of a layer whose placement, or the name of whose axes, changes."""


class PlacementSync:
    """Keeps layers on the pixels of a movie when the movie is placed elsewhere.

    Only layers that lay exactly on the movie are moved. Others were put elsewhere on
    purpose: they stay where they are, and are named in `notices`.

    Parameters
    ----------
    movie : napari.layers.Layer
        Listened to until `close`.
    layers : callable
        Returns the layers that belong to the movie now.
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
        for name in PLACEMENT_EVENTS:
            getattr(movie.events, name).connect(self._follow)

    def close(self) -> None:
        """Stop listening; all layers stay where they are."""
        for name in PLACEMENT_EVENTS:
            getattr(self._movie.events, name).disconnect(self._follow)

    @property
    def notices(self) -> tuple[str, ...]:
        """Which layers were not moved along and still lie elsewhere."""
        if not self._strays:
            return ()
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
