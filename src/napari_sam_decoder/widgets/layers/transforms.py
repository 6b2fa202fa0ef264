"""Where the pixels of a napari layer lie in the viewer's world."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.components import Dims
from napari.utils.transforms import CompositeAffine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.layers import Layer

__all__ = ["WorldMap", "is_placed_like", "place_like", "placement", "unit_factors"]


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
        """Whether both put every pixel at the same place, but for rounding."""
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
    """Whether a layer lies where another one lies, or lay once, pixel by pixel.

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
