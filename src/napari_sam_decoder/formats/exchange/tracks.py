"""The centroids of objects as tracks: a table, and napari's Tracks layer."""

from __future__ import annotations

import csv
import io
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.atomic_files import atomic_write
from napari_sam_decoder.errors import wrap_write_errors
from napari_sam_decoder.formats.exchange.tracklets import Places, find_tracklets

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from napari_sam_decoder.formats.exchange.label_movie import LabelMovie

__all__ = ["TrackTable", "provenance_path", "track_table", "write_tracks"]

COLUMNS = ("track_id", "t", "y", "x", "object_id", "area", "parent", "name")


@dataclass(frozen=True, eq=False)
class TrackTable:
    """Tracks as napari's Tracks layer takes them.

    Attributes
    ----------
    data : (N, 4) array of float64
        Track, frame, row and column of each centroid, sorted by the first two.
    features : mapping of str to (N,) array
        ``object_id`` and ``area`` (pixels).
    graph : dict of int to list of int
        The tracks that each one continues or comes from.
    """

    data: np.ndarray
    features: Mapping[str, np.ndarray]
    graph: dict[int, list[int]]


def track_table(places: Places, parents: Mapping[int, int]) -> TrackTable:
    """Make tracks without gaps of all objects, each of which knows its parent.

    Parameters
    ----------
    places : Places
        Of a movie's objects.
    parents : mapping of object id to object id
        Of objects that come from a division.
    """
    tracklets = find_tracklets(places.by_object, parents)
    rows = [
        (one.number, frame, place.row, place.column, one.object_id, place.area)
        for one in tracklets
        for frame in one.frames
        for place in [places.by_object[one.object_id][frame]]
    ]
    table = np.array(rows, np.float64).reshape(-1, 6)
    features = {
        "object_id": table[:, 4].astype(np.int64),
        "area": table[:, 5].astype(np.int64),
    }
    graph = {one.number: [one.parent] for one in tracklets if one.parent}
    return TrackTable(table[:, :4], features, graph)


def write_tracks(movie: LabelMovie, path: Path) -> Iterator[int]:
    """Write a table of centroids, with the columns `COLUMNS`.

    Positions are in pixels of the movie. The provenance lies beside it.

    Parameters
    ----------
    movie : LabelMovie
        Not a volume.
    path : Path
        Replaced when all frames were read.

    Yields
    ------
    int
        Each frame, when its objects were found.

    Raises
    ------
    FormatError
        If the disk cannot be written.
    """
    places = Places()
    yield from places.collect(movie)
    table = track_table(places, movie.parents)
    with wrap_write_errors(path):
        _write_text(path, _as_csv(table, movie.names))
        provenance = json.dumps(dict(movie.provenance))
        _write_text(provenance_path(path), provenance)


def provenance_path(path: Path) -> Path:
    """Return where the provenance of a table lies."""
    return path.with_name(f"{path.name}.provenance.json")


def _as_csv(table: TrackTable, names: Mapping[int, str]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for (track, frame, row, column), object_id, area in zip(
        table.data.tolist(),
        table.features["object_id"].tolist(),
        table.features["area"].tolist(),
        strict=True,
    ):
        parent = table.graph.get(int(track), [0])[0]
        name = names.get(object_id, "")
        centroid = round(row, 3), round(column, 3)
        writer.writerow(
            (int(track), int(frame), *centroid, object_id, area, parent, name)
        )
    return text.getvalue()


def _write_text(path: Path, text: str) -> None:
    with atomic_write(path, f".partial-{os.getpid()}") as partial:
        partial.write_text(text, encoding="utf-8")
