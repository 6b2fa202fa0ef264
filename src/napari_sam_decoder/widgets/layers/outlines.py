"""Outlines of masks, drawn as lines of one width on the screen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Vectors

from napari_sam_decoder.model.transforms import extent
from napari_sam_decoder.widgets.colours import object_colours, rim_colours
from napari_sam_decoder.widgets.layers.coordinates import WorldMap

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from napari_sam_decoder.widgets.layers.movie_view import MovieView

__all__ = ["OUTLINE_NAME", "Outline", "new_outline_layer", "show_outline"]

OUTLINE_NAME = "SAM outline"
LINE_PIXELS = 2
"""Width on the screen of the line in an object's colour, and of the rim around it."""


@dataclass(frozen=True, eq=False)
class Outline:
    """The edges between pixels where labels differ, as straight lines.

    Attributes
    ----------
    starts, ends : (N, 2) arrays of float
        Row and column, in pixels.
    inwards : (N, 2) array of float
        Unit vectors from each line to the object whose edge it is.
    object_ids : (N,) array of int
        Where two objects touch, there is a line for each.
    background : frozenset of int
        Background objects, drawn in grey.
    """

    starts: np.ndarray
    ends: np.ndarray
    inwards: np.ndarray
    object_ids: np.ndarray
    background: frozenset[int] = frozenset()

    @classmethod
    def empty(cls) -> Outline:
        """Return an outline without any lines."""
        nothing = np.zeros((0, 2))
        return cls(nothing, nothing, nothing, np.zeros(0, np.int64))

    @classmethod
    def of(cls, labels: np.ndarray, origin: tuple[int, int] = (0, 0)) -> Outline:
        """Trace the objects in labels; the border of the picture is an edge.

        Parameters
        ----------
        labels : (rows, columns) array of int
            Of a part of a frame.
        origin : (row, column)
            Of their first pixel in the frame.
        """
        window = extent(labels != 0)
        if window is None:
            return cls.empty()
        padded = np.pad(labels[window], 1)
        shift = np.array([part.start for part in window]) + origin
        parts = [
            part
            for axis in (0, 1)
            for is_after in (True, False)
            for part in [_lines(np.moveaxis(padded, axis, 0), axis, is_after=is_after)]
        ]
        starts, ends, inwards, ids = (
            np.concatenate(columns) for columns in zip(*parts, strict=True)
        )
        return cls(starts + shift, ends + shift, inwards, ids)

    def renumbered(self, values: Mapping[int, int]) -> Outline:
        """Return the same lines of objects that have been traced by other values.

        Parameters
        ----------
        values : mapping of int to int
            What was traced, by object id.
        """
        ids = {value: object_id for object_id, value in values.items()}
        renamed = [ids[value] for value in self.object_ids.tolist()]
        return replace(self, object_ids=np.array(renamed, np.int64))

    def of_objects(self, object_ids: Collection[int]) -> Outline:
        """Return the lines of some objects."""
        return self._only(np.isin(self.object_ids, list(object_ids)))

    def without(self, object_ids: Collection[int]) -> Outline:
        """Return the lines of all other objects."""
        return self._only(~np.isin(self.object_ids, list(object_ids)))

    def joined(self, other: Outline) -> Outline:
        """Return the lines of both."""
        return replace(
            self,
            starts=np.concatenate([self.starts, other.starts]),
            ends=np.concatenate([self.ends, other.ends]),
            inwards=np.concatenate([self.inwards, other.inwards]),
            object_ids=np.concatenate([self.object_ids, other.object_ids]),
        )

    def _only(self, is_meant: np.ndarray) -> Outline:
        return replace(
            self,
            starts=self.starts[is_meant],
            ends=self.ends[is_meant],
            inwards=self.inwards[is_meant],
            object_ids=self.object_ids[is_meant],
        )

    def __len__(self) -> int:
        return len(self.object_ids)


def _lines(
    padded: np.ndarray, axis: int, *, is_after: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Trace the edges across the first axis, after which or before which objects lie.

    Edges that continue one another make one line.
    """
    before, after = padded[:-1, 1:-1], padded[1:, 1:-1]
    own, other = (after, before) if is_after else (before, after)
    across, along = np.nonzero((own != other) & (own != 0))
    ids = own[across, along].astype(np.int64)
    is_new = np.ones(len(ids), bool)
    is_new[1:] = (np.diff(across) != 0) | (np.diff(along) != 1) | (np.diff(ids) != 0)
    firsts = np.flatnonzero(is_new)
    lasts = np.append(firsts[1:], len(ids))[: len(firsts)] - 1
    lines = [
        np.stack([across[ends] - 0.5, along[ends] + shift], axis=1)
        for ends, shift in ((firsts, -0.5), (lasts, 0.5))
    ]
    inwards = np.zeros((len(firsts), 2))
    inwards[:, axis] = 1 if is_after else -1
    starts, ends = (line[:, ::-1] if axis else line for line in lines)
    return starts, ends, inwards, ids[firsts]


def new_outline_layer(view: MovieView) -> Vectors:
    """Make an empty layer for outlines on the frames of a movie.

    Parameters
    ----------
    view : MovieView
        The movie; the layer lies where its image lies.
    """
    layer = Vectors(
        np.empty((0, 2, len(view.spatial_shape))),
        name=OUTLINE_NAME,
        vector_style="line",
        # Later lines lie on earlier ones.
        blending="translucent_no_depth",
        affine=WorldMap.of(view.layer).matrix,
        units=view.layer.units,
        axis_labels=view.layer.axis_labels,
    )
    # Its picture in the list of layers takes longer to draw than the lines.
    layer._update_thumbnail = lambda: None
    return layer


def show_outline(
    view: MovieView, layer: Vectors, frame: int, outline: Outline, pixel: float
) -> None:
    """Show an outline on one frame and on no other.

    Lines in the colours of the objects run inside of their edges, and rims that stand
    out from these colours outside.

    Parameters
    ----------
    view : MovieView
        The movie.
    layer : napari.layers.Vectors
        Made by `new_outline_layer` for a movie with the same axes.
    frame : int
        0 <= frame < len(view).
    outline : Outline
        Of what is to be seen.
    pixel : float
        Side of a pixel of the screen, in data pixels.
    """
    width = LINE_PIXELS * pixel
    lines, colours = _drawn(outline, width)
    placed = np.zeros((len(lines), 2, layer.ndim))
    placed[:, 0] = view.origin(frame)
    placed[:, :, list(view.frame_axes)] = lines
    # The viewer would lay out all of its layers again, but lines are within the movie.
    with layer.events.data.blocker():
        layer.data = placed
    if len(placed):
        layer.edge_color = colours
    if layer.edge_width != width:
        layer.edge_width = width


def _drawn(outline: Outline, width: float) -> tuple[np.ndarray, np.ndarray]:
    """(2 N, 2, 2) starts and steps of rims and lines, and their (2 N, 4) colours."""
    ids, places = np.unique(outline.object_ids, return_inverse=True)
    known = object_colours(ids.tolist(), outline.background)
    own = np.array([known[one] for one in ids.tolist()]).reshape(-1, 4)
    steps = outline.ends - outline.starts
    length = np.linalg.norm(steps, axis=1, keepdims=True)
    # Rims meet at the corners of an object, which lie beyond the ends of its edges.
    beyond = width * steps / np.maximum(length, 1)
    inside = outline.starts + outline.inwards * width / 2
    outside = outline.starts - outline.inwards * width / 2 - beyond
    lines = np.concatenate(
        [
            np.stack([outside, steps + 2 * beyond], axis=1),
            np.stack([inside, steps], axis=1),
        ]
    )
    return lines, np.concatenate([rim_colours(own)[places], own[places]])
