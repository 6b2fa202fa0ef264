"""Hands labels of a movie on, in the background: to a file, or to a Tracks layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd
from napari.layers import Tracks

from napari_sam_decoder.formats import LabelMovie, Places, track_table
from napari_sam_decoder.formats.movie_source import FrameArray
from napari_sam_decoder.labels import without_objects
from napari_sam_decoder.widgets.label_work import LabelWork
from napari_sam_decoder.widgets.measuring import WORLD_UNIT, pixel_size
from napari_sam_decoder.wording import counted

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    import napari

    from napari_sam_decoder.formats import ExportFormat, TrackTable
    from napari_sam_decoder.widgets.layers import MovieView
    from napari_sam_decoder.widgets.movie_state import MovieState
    from napari_sam_decoder.widgets.target_layer import TargetLayer

__all__ = ["TRACKS", "LabelSaving", "TrackMaking", "label_movie_of"]

TRACKS = "SAM tracks"
"""Name of the layer."""


def label_movie_of(state: MovieState, view: MovieView) -> LabelMovie:
    """Return the labels of a movie with what is known of their objects.

    Parameters
    ----------
    state : MovieState
        With labels.
    view : MovieView
        The movie.
    """
    target, background = state.target, state.objects.background_ids
    assert target is not None
    records = state.objects.records
    known = {key: one for key, one in records.items() if key not in background}
    size = pixel_size(view)
    return LabelMovie(
        FrameArray(
            (len(view), *view.frame_shape),
            target.layer.data.dtype,
            lambda frame: without_objects(_plane(target, view, frame), background),
        ),
        view.axes.removesuffix("C").rjust(3, "T"),
        (_first_scale(view), size.row, size.column),
        "" if size.unit in (WORLD_UNIT, "pixel") else size.unit,
        names={key: one.name for key, one in known.items()},
        parents={
            key: one.parent for key, one in known.items() if one.parent is not None
        },
        provenance=_provenance(target, view),
    )


def _plane(target: TargetLayer, view: MovieView, frame: int) -> np.ndarray:
    return np.asarray(target.layer.data[view.index(frame)])


def _first_scale(view: MovieView) -> float:
    return 1.0 if view.axis is None else abs(float(view.layer.scale[view.axis]))


def _provenance(target: TargetLayer, view: MovieView) -> dict[str, object]:
    noted = target.layer.metadata.get("provenance")
    return {"movie": view.layer.name, **(noted if isinstance(noted, dict) else {})}


@dataclass(eq=False)
class LabelSaving(LabelWork):
    """Writes labels to a file.

    Attributes
    ----------
    name : str
        Of the labels.
    movie : LabelMovie
        The same, without background objects.
    format : ExportFormat
    path : Path
    """

    name: str
    movie: LabelMovie
    format: ExportFormat
    path: Path

    under_way: ClassVar[str] = "labels are being saved"
    title: ClassVar[str] = "saving"

    @property
    def passes(self) -> int:
        """How often each frame is looked at."""
        return self.format.passes

    def steps(self) -> Generator[Path | None]:
        """Write frame by frame; the path comes last."""
        for _ in self.format.write(self.movie, self.path):
            yield None
        yield self.path

    def finish(self, state: MovieState, result: Path) -> None:
        """Say where the file is."""
        state.outcome = f"Saved {self.name!r} as {result}."


@dataclass(eq=False)
class TrackMaking(LabelWork):
    """Makes a Tracks layer of the centroids of labels.

    Attributes
    ----------
    name : str
        Of the labels.
    movie : LabelMovie
        The same, without background objects.
    viewer : napari.Viewer
        Gets the layer.
    """

    name: str
    movie: LabelMovie
    viewer: napari.Viewer

    under_way: ClassVar[str] = "labels are being made into tracks"
    title: ClassVar[str] = "making tracks"

    def steps(self) -> Generator[TrackTable | None]:
        """Look at frame after frame; the tracks come last."""
        places = Places()
        for _ in places.collect(self.movie):
            yield None
        yield track_table(places, self.movie.parents)

    def finish(self, state: MovieState, result: TrackTable) -> None:
        """Show the tracks, in place of earlier ones."""
        if not len(result.data):
            state.outcome = "The labels have no objects, so there are no tracks."
            return
        for layer in [one for one in self.viewer.layers if one.name == TRACKS]:
            self.viewer.layers.remove(layer)
        view = self.view
        axes = [axis for axis in (view.axis, *view.frame_axes) if axis is not None]
        layer = Tracks(
            result.data,
            features=pd.DataFrame(dict(result.features)),
            graph=result.graph,
            name=TRACKS,
            scale=[view.layer.scale[axis] for axis in axes],
            translate=[view.layer.translate[axis] for axis in axes],
        )
        active = self.viewer.layers.selection.active
        self.viewer.add_layer(layer)
        # The next click is still for an object.
        self.viewer.layers.selection.active = active
        count = counted(len(np.unique(result.data[:, 0])), "track")
        state.outcome = f"Made {count} of {self.name!r}."
